"""`Resolver.resolve(reference, field)`: lazy, each artifact asked for once, an explicit path never."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from ... import redact
from ...errors import BadInput, UnknownName
from .references import PATH, ArtifactReference, is_explicit_path, iteration, parse
from .store import ArtifactStore, StoredArtifact

ABSOLUTE_PATH = "absolute_path"
"""The metadata that says where the files lie already: on a shared file system there is nothing to download."""
MOST_TEXT = 4096


class Resolver:
    """Answers what fields of artifacts are.

    Args:
        open_store: Makes the store; called at the first reference that needs it, so that a config without one needs no package,
            no login and no network.
    """

    def __init__(self, open_store: Callable[[], ArtifactStore]) -> None:
        self._open = open_store
        self._store: ArtifactStore | None = None
        self._found: dict[ArtifactReference, StoredArtifact] = {}
        self._paths: dict[ArtifactReference, str] = {}

    @property
    def asked(self) -> tuple[str, ...]:
        """The references that did not name their version, with the one that was found: what a snapshot must record of `latest`."""
        asked = ((reference, f"{found.name}:{found.version}") for reference, found in self._found.items())
        return tuple(f"{reference} is {version}" for reference, version in asked if str(reference) != version)

    def resolve(self, reference: str, field: str = PATH) -> str:
        """A field of an artifact, as text.

        Args:
            reference: `name:v3`, `name:latest`, `name:alias`, or a path, which is its own answer.
            field: `path`, `name`, `version`, `iteration` (the number of a trailing `iter_N`), or a key of its metadata; a dot
                leads deeper.

        Raises:
            BadInput: The reference is none, or the artifact has no such field.
            UnknownName: There is no such artifact.
            TrackingError: The store does not let us in or does not answer.
        """
        if is_explicit_path(reference):
            return _of_path(reference, field)
        wanted = parse(reference)
        found = self._artifact(wanted)
        if field == "name":
            return found.name
        if field == "version":
            return found.version
        if field == PATH:
            return self._path(wanted, found)
        if (value := _dig(found.metadata, field)) is not None:
            return _text(value, wanted, field)
        if field == "iteration" and (number := iteration(self._path(wanted, found))):
            return number.removeprefix("iter_").lstrip("0") or "0"
        raise UnknownName(
            "field of an artifact",
            field[:60],
            sorted(map(str, found.metadata))[:5],
            where=str(wanted),
            fix=f"it has path, name, version, and in its metadata: {', '.join(sorted(map(str, found.metadata))[:8]) or 'nothing'}",
        )

    def _artifact(self, wanted: ArtifactReference) -> StoredArtifact:
        if wanted not in self._found:
            if self._store is None:
                self._store = self._open()
            self._found[wanted] = self._store.find(wanted)
        return self._found[wanted]

    def _path(self, wanted: ArtifactReference, found: StoredArtifact) -> str:
        if wanted not in self._paths:
            recorded = found.metadata.get(ABSOLUTE_PATH)
            self._paths[wanted] = _recorded_path(recorded, wanted) if recorded not in (None, "") else str(found.fetch())
        return self._paths[wanted]


def _of_path(path: str, field: str) -> str:
    if field == PATH:
        return path
    if field == "iteration" and (name := iteration(path)):
        return name.removeprefix("iter_").lstrip("0") or "0"
    raise BadInput(
        f"{path[:200]!r} is a path, and a path has no field {field[:60]!r}",
        fix="name an artifact, or give the value itself",
    )


def _recorded_path(value: Any, wanted: ArtifactReference) -> str:
    """The place that an artifact's metadata names. It becomes a mount: it must be one plain absolute path, and stays as it is."""
    text = value if isinstance(value, str) else ""
    sound = (
        text.startswith("/") and text.isprintable() and len(text) <= MOST_TEXT and ".." not in PurePosixPath(text).parts
    )
    if not sound or any(sign in text for sign in ("${", ",", ":")):
        raise BadInput(
            f"The artifact records a place that is no plain absolute path: {str(value)[:120]!r}",
            where=f"{ABSOLUTE_PATH} in the metadata of {wanted}",
            fix="give the checkpoint's path itself, such as deployment.checkpoint_path=/path/of/iter_0001000",
        )
    return text


def _dig(metadata: Any, field: str) -> Any:
    keys = field.removeprefix("metadata.")
    if isinstance(metadata, dict) and keys in metadata:
        return metadata[keys]
    for key in keys.split("."):
        metadata = metadata.get(key) if isinstance(metadata, dict) else None
    return metadata


def _text(value: Any, wanted: ArtifactReference, field: str) -> str:
    if not isinstance(value, str | int | float):
        raise BadInput(
            f"{field[:60]!r} of {wanted} is no single value", fix="lead deeper with a dot: metadata.key.inner"
        )
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    if not text.isprintable() or len(text) > MOST_TEXT or "${" in text:
        raise BadInput(
            f"{field[:60]!r} of {wanted} is no plain text that may stand in a config", fix="write the value out"
        )
    return redact.redact(text)
