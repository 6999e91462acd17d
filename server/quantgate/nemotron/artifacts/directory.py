"""Artifacts without a server: a directory with one folder for each version, or a JSON index that says where they are.

A directory: `<root>/<name>/v3/…`, an alias as a link or a folder beside them, `metadata.json` in a version's folder optional.
An index: `{"rl": {"versions": {"v3": {"path": "/shared/rl/iter_0001000", "metadata": {}}}, "aliases": {"best": "v3"}}}`; a path
in it that is not absolute starts at the index's own directory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import BadInput, UnknownName
from .references import LATEST, ArtifactReference
from .store import StoredArtifact

MOST_BYTES = 8 << 20
METADATA = "metadata.json"
_VERSION = re.compile(r"v(\d{1,9})")


def _newest(versions: Iterable[str]) -> str:
    numbered = [v for v in versions if _VERSION.fullmatch(v)]
    return max(numbered, key=lambda v: int(v[1:]), default="")


def _unknown(reference: ArtifactReference, known: Iterable[str], where: Path) -> UnknownName:
    return UnknownName("artifact", str(reference), sorted(known)[:5], where=str(where))


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(
                f"The file has more than {MOST_BYTES >> 20} MB", where=str(path), fix="give an index of artifacts"
            )
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(
            f"The file cannot be read: {error.strerror}", where=str(path), fix="check [artifacts] in env.toml"
        ) from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The file is no JSON: {str(error)[:100]}", where=str(path), fix="correct it") from None
    if not isinstance(value, dict):
        raise BadInput("The file holds no JSON object", where=str(path), fix="write it as {name: {versions: {…}}}")
    return value


class DirectoryStore:
    """A directory of artifacts.

    Args:
        root: It holds a folder for each artifact.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.expanduser()

    def find(self, reference: ArtifactReference) -> StoredArtifact:
        """The folder of a version; `latest` is a link of that name, else the highest number."""
        own = self._root / reference.name
        if not self._root.is_dir():
            raise BadInput(
                "The directory of artifacts is not there", where=str(self._root), fix="check [artifacts] in env.toml"
            )
        versions = [entry.name for entry in own.iterdir() if entry.is_dir()] if own.is_dir() else []
        if not versions:
            names = [entry.name for entry in self._root.iterdir() if entry.is_dir()]
            raise _unknown(reference, (n for n in names if n != reference.name), self._root)
        chosen = reference.selector
        if chosen == LATEST and LATEST not in versions:
            chosen = _newest(versions)
        if chosen not in versions:
            raise _unknown(reference, (f"{reference.name}:{version}" for version in versions), own)
        folder = own / chosen
        metadata = _json(folder / METADATA) if (folder / METADATA).is_file() else {}
        # An alias is a link: the version that it leads to is what a snapshot must name.
        led = folder.resolve()
        version = led.name if led.parent == own.resolve() else chosen
        return StoredArtifact(reference.name, version, lambda: folder.absolute().parent / version, metadata)


class IndexStore:
    """A JSON index of artifacts.

    Args:
        file: The index.
    """

    def __init__(self, file: Path) -> None:
        self._file = file.expanduser()

    def find(self, reference: ArtifactReference) -> StoredArtifact:
        """A version's row; `latest` is an alias of that name, else the highest number."""
        index = _json(self._file)
        own = index.get(reference.name)
        if not isinstance(own, dict):
            raise _unknown(reference, map(str, index), self._file)
        versions, aliases = (self._mapping(own.get(key), f"{reference.name}.{key}") for key in ("versions", "aliases"))
        chosen = str(aliases.get(reference.selector, reference.selector))
        if chosen == LATEST:
            chosen = _newest(map(str, versions))
        if chosen not in versions:
            known = [f"{reference.name}:{name}" for name in (*versions, *aliases)]
            raise _unknown(reference, known, self._file)
        row = self._mapping(versions[chosen], f"{reference.name}.versions.{chosen}")
        return StoredArtifact(
            reference.name,
            chosen,
            lambda: self._path(row.get("path"), reference),
            self._mapping(row.get("metadata"), f"{reference.name}.versions.{chosen}.metadata"),
        )

    def _mapping(self, value: Any, at: str) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise BadInput(
                f"{at[:100]} is no mapping",
                where=str(self._file),
                fix="write it as references/nemotron.md shows",
            )
        return value

    def _path(self, value: Any, reference: ArtifactReference) -> Path:
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise BadInput(
                f"{reference} has no path in the index",
                where=str(self._file),
                fix="give path, or metadata.absolute_path",
            )
        return self._file.absolute().parent / Path(value).expanduser()
