"""What an artifact reference says: `name:v3`, `name:latest`, `name:alias`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from ...errors import BadInput

LATEST = "latest"
PATH = "path"
"""The field that is a place on a disk."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")
_SELECTOR = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")
_RUN = re.compile(r"runs:/([0-9a-f]{32})/([A-Za-z0-9_][A-Za-z0-9_.\-/]{0,400})")
_MODEL = re.compile(
    r"models:/([A-Za-z0-9_][A-Za-z0-9_.\-]{0,127})(?:/(\d{1,9}|latest)|@([A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}))"
)
_FORMS = "write name:v3, name:latest or name:alias, with entity/project/ before it where it is another project's"


@dataclass(frozen=True)
class ArtifactReference:
    """One artifact of a store.

    Attributes:
        name: Its name there.
        selector: `latest`, an alias, or `v<number>`.
        project: The project that it is of; empty for the one of the settings.
        entity: The owner of that project; empty for the one of the settings.
        run: The MLflow run whose artifact it is; then the name is its path there, and the selector means nothing.
    """

    name: str
    selector: str = LATEST
    project: str = ""
    entity: str = ""
    run: str = ""

    def __str__(self) -> str:
        """As it is written."""
        if self.run:
            return f"runs:/{self.run}/{self.name}"
        return "/".join(part for part in (self.entity, self.project, self.name) if part) + f":{self.selector}"


def is_explicit_path(text: str) -> bool:
    """Whether a text names a place on a disk by itself, so that no store is asked: `/a/b`, `./a`, `../a`, `~/a`."""
    return text.startswith(("/", "./", "../", "~/")) or text in (".", "..", "~")


def parse(text: str) -> ArtifactReference:
    """An artifact reference.

    Args:
        text: `[[entity/]project/]name[:selector]`; without a selector the latest. MLflow's own forms, too: `models:/name/3`,
            `models:/name@alias`, `runs:/RUN_ID/path`.

    Raises:
        BadInput: It is none.
    """
    given = text.strip()
    if found := _RUN.fullmatch(given):
        if any(part in ("", ".", "..") for part in found[2].split("/")):
            raise BadInput(f"{given[:100]!r} is no artifact of a run", fix="write runs:/RUN_ID/path")
        return ArtifactReference(found[2], run=found[1])
    if found := _MODEL.fullmatch(given):
        name, number, alias = found.groups()
        return ArtifactReference(name, alias or (f"v{number}" if number.isdigit() else LATEST))
    whole, colon, selector = given.partition(":")
    *owners, name = whole.split("/")
    fine = len(owners) <= 2 and all(_NAME.fullmatch(part) for part in (*owners, name))
    if not fine or (colon and not _SELECTOR.fullmatch(selector)):
        raise BadInput(f"{given[:100]!r} is no artifact reference", fix=_FORMS)
    entity, project = ("", *owners)[-2:] if owners else ("", "")
    return ArtifactReference(name, selector or LATEST, project, entity)


def iteration(path: str) -> str:
    """The trailing `iter_0001234` of a path; empty when it has none.

    An evaluation wants the concrete iteration, so that nothing here ever removes it.
    """
    name = PurePosixPath(path.rstrip("/")).name
    return name if re.fullmatch(r"iter_\d+", name) else ""
