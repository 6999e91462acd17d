"""NEL's catalogue of tasks, read from the installed package and kept as JSON, which loads in milliseconds."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .. import workspace
from ..errors import BadInput, LauncherError, UnknownName
from ..launcher import package

CATALOGUE_FILE = "resources/all_tasks_irs.yaml"
CACHE_FORMAT = 2
"""Part of the cache's name: raise it when the shape of a row changes."""

_NEAREST = 5
_NEAR_ENOUGH = 70
"""Lowest similarity (0 to 100) of a name that is offered as a correction."""


@dataclass(frozen=True)
class Harness:
    """One evaluation harness: a container image with tasks in it."""

    name: str
    container: str
    arch: str
    description: str


@dataclass(frozen=True)
class CatalogueTask:
    """One task of NEL's catalogue.

    Attributes:
        id: `harness.task`, the name that is never ambiguous.
        endpoint_type: The first of `endpoint_types`, which is the one that NEL takes.
        arch: Platforms of the container: "amd", "arm", "multiarch", or empty when the catalogue does not say.
        command: The Jinja template of the command that runs in the container.
        params: Default values of `nemo_evaluator_config.config.params`.
    """

    id: str
    harness: str
    name: str
    endpoint_type: str
    endpoint_types: tuple[str, ...]
    container: str
    arch: str
    description: str
    command: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Catalogue:
    """The tasks and harnesses of one version of the launcher."""

    version: str
    tasks: dict[str, CatalogueTask]
    harnesses: dict[str, Harness]

    def named(self, name: str) -> list[CatalogueTask]:
        """The tasks whose bare name is exactly this one, one for each harness that has it."""
        return [task for task in self.tasks.values() if task.name == name]

    def resolve(self, name: str) -> CatalogueTask:
        """The task that NEL would take for a name.

        Args:
            name: `harness.task`, or a bare task name that only one harness has.

        Raises:
            BadInput: Several harnesses have a task of that bare name; the candidates are listed.
            UnknownName: No such task; the nearest ids are named.
        """
        if name in self.tasks:
            return self.tasks[name]
        found = self.named(name)
        if len(found) == 1:
            return found[0]
        if found:
            candidates = ", ".join(task.id for task in found)
            raise BadInput(
                f"The task name {name!r} is ambiguous: {len(found)} harnesses have it",
                where=candidates,
                fix="write it as harness.task, one of these",
            )
        raise UnknownName("task", name, self.nearest(name))

    def nearest(self, name: str) -> list[str]:
        """The ids most like a name, best first; empty when nothing is near."""
        from rapidfuzz import fuzz, process

        wanted = squash(name)
        bare = squash(name.rpartition(".")[2])
        by_id = {task.id: squash(task.id) for task in self.tasks.values()}
        by_name = {task.id: squash(task.name) for task in self.tasks.values()}
        best = {key: 100.0 for key, task_name in by_name.items() if bare and task_name == bare}
        for choices in (by_id, by_name):
            for _, score, key in process.extract(
                wanted, choices, scorer=fuzz.ratio, limit=_NEAREST, score_cutoff=_NEAR_ENOUGH
            ):
                best[key] = max(score, best.get(key, 0.0))
        return sorted(best, key=lambda key: (-best[key], key))[:_NEAREST]


def squash(name: str) -> str:
    """A name without case, spaces and punctuation, so that "MMLU-Pro", "mmlu pro" and "mmlu_pro" are equal."""
    return "".join(ch for ch in name.lower() if ch.isalnum())


@cache
def load_catalogue() -> Catalogue:
    """The installed launcher's catalogue: from memory, else from the cache on disk, else parsed.

    Raises:
        LauncherError: The launcher is not installed, or its catalogue cannot be understood.
    """
    source = package.resource(CATALOGUE_FILE)
    version = package.launcher_version()
    cached = _cache_file(version, source.stat().st_size)
    if cached is not None:
        catalogue = _from_cache(cached)
        if catalogue is not None:
            return catalogue
    catalogue = _parse(source, version)
    if cached is not None:
        _to_cache(catalogue, cached)
    return catalogue


def _cache_file(version: str, size: int) -> Path | None:
    try:
        return workspace.cache_dir() / f"catalogue-{CACHE_FORMAT}-{version}-{size}.json"
    except OSError:
        # A read-only home costs a tenth of a second at the first call, which is no reason to fail.
        return None


def _from_cache(path: Path) -> Catalogue | None:
    """The cached catalogue; None when there is none or it is damaged, so that it is built again."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        rows = data["tasks"]
        tasks = {row["id"]: CatalogueTask(**{**row, "endpoint_types": tuple(row["endpoint_types"])}) for row in rows}
        harnesses = {row["name"]: Harness(**row) for row in data["harnesses"]}
        if not tasks or len(tasks) != data["count"]:
            return None
        return Catalogue(data["version"], tasks, harnesses)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _to_cache(catalogue: Catalogue, path: Path) -> None:
    data = {
        "version": catalogue.version,
        "count": len(catalogue.tasks),
        "tasks": [asdict(task) for task in catalogue.tasks.values()],
        "harnesses": [asdict(harness) for harness in catalogue.harnesses.values()],
    }
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(data))
        Path(temporary).replace(path)
    except OSError:
        # A full disk: the catalogue in memory is whole, and the next start parses again.
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _parse(source: Path, version: str) -> Catalogue:
    import yaml

    try:
        with source.open("rb") as file:
            data = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
        harnesses = {row["name"]: _harness(row) for row in data["harnesses"]}
        tasks = list(_tasks(data["tasks"], harnesses))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise LauncherError(
            f"The catalogue of the installed launcher {version} cannot be understood ({type(error).__name__})",
            where=str(source),
            fix=f"reinstall nemo-evaluator-launcher=={package.VALIDATED_VERSION}",
        ) from None
    # As in NEL, the first of two equal ids counts.
    unique: dict[str, CatalogueTask] = {}
    for task in tasks:
        unique.setdefault(task.id, task)
    return Catalogue(version, unique, harnesses)


def _harness(row: Mapping[str, Any]) -> Harness:
    return Harness(
        name=row["name"],
        container=row.get("container") or "",
        arch=row.get("arch") or "",
        description=_text(row.get("description")),
    )


def _tasks(rows: Iterable[Mapping[str, Any]], harnesses: Mapping[str, Harness]) -> Iterable[CatalogueTask]:
    for row in rows:
        defaults = row.get("defaults") or {}
        config = defaults.get("config") or {}
        endpoint_types = tuple(config.get("supported_endpoint_types") or ["chat"])
        harness = harnesses.get(row["harness"])
        yield CatalogueTask(
            id=f"{row['harness']}.{row['name']}",
            harness=row["harness"],
            name=row["name"],
            endpoint_type=endpoint_types[0],
            endpoint_types=endpoint_types,
            container=row.get("container") or (harness.container if harness else ""),
            arch=row.get("container_arch") or (harness.arch if harness else ""),
            description=_text(row.get("description")),
            command=defaults.get("command") or "",
            # Some defaults are YAML dates; the command template prints them as text, and JSON has no dates.
            params=json.loads(json.dumps(config.get("params") or {}, default=str)),
        )


def _text(value: object) -> str:
    """A description as one line; some entries of the catalogue are lists."""
    parts = value if isinstance(value, list) else [value or ""]
    return " ".join(" ".join(str(part) for part in parts).split()).removeprefix("- ")
