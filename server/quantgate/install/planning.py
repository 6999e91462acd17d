"""What an installation would change among the files of a folder of skills. Nothing is written here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from .. import shipped
from ..errors import BadInput
from ..system.files import open_plain
from . import record as records
from .clients import Target
from .writing import MAX_SEEN


class State(StrEnum):
    """What stands at a file's place, seen from what is to be there."""

    NEW = "new"
    SAME = "same"
    OUTDATED = "update"
    """As installed, by another version of quantgate."""
    CHANGED = "changed"
    """Changed since it was installed, or never installed by us."""
    LEFTOVER = "remove"
    """As installed, and to go."""


@dataclass(frozen=True)
class File:
    """One file: `content` is what shall be there (None: nothing), `current` what is (None: nothing)."""

    name: str
    path: Path
    state: State
    content: bytes | None
    current: bytes | None


def shipped_files() -> dict[str, bytes]:
    """Every file of the skills that ship with quantgate, by its path below the folder of skills."""
    root = shipped.root() / "skills"
    files = {}
    for skill in sorted(path.parent for path in root.glob("*/SKILL.md")):
        for path in sorted(skill.rglob("*")):
            relative = path.relative_to(root)
            if path.is_file() and not any(part.startswith((".", "__")) for part in relative.parts):
                files[relative.as_posix()] = path.read_bytes()
    return files


def to_install(target: Target, record: records.Record) -> list[File]:
    """Each file that ships, and each that an older version left, with its state.

    Raises:
        BadInput: A link, a file or a folder stands where something else belongs.
    """
    _check_folder(target)
    wanted = shipped_files()
    rows = [_row(target.skills, name, content, record.files) for name, content in wanted.items()]
    return rows + [row for row in to_remove(target, record) if row.name not in wanted]


def to_remove(target: Target, record: records.Record) -> list[File]:
    """Each file of the record that is still there: as installed, or changed since.

    Raises:
        BadInput: As with `to_install`.
    """
    _check_folder(target)
    rows = []
    for name, hashed in record.files.items():
        path = target.skills / name
        current = _current(target.skills, name)
        if current is not None:
            state = State.LEFTOVER if records.digest(current) == hashed else State.CHANGED
            rows.append(File(name, path, state, None, current))
    return rows


def _row(folder: Path, name: str, content: bytes, known: Mapping[str, str]) -> File:
    current = _current(folder, name)
    if current is None:
        state = State.NEW
    elif current == content:
        state = State.SAME
    elif records.digest(current) == known.get(name):
        state = State.OUTDATED
    else:
        state = State.CHANGED
    return File(name, folder / name, state, content, current)


def _check_folder(target: Target) -> None:
    places = (target.skills, *target.skills.parents)
    for place in places:
        if target.inside is not None and place == target.inside:
            break
        if target.inside is not None and place.is_symlink():
            raise _link(place)
        if os.path.lexists(place) and not place.is_dir():
            what = "A link that leads nowhere" if place.is_symlink() else "A file"
            raise BadInput(
                f"{what} stands where a folder belongs", where=str(place), fix="move it, or give --client DIR"
            )


def _current(folder: Path, name: str) -> bytes | None:
    """What stands at a file's place; None when nothing does."""
    path = folder
    parts = name.split("/")
    for position, part in enumerate(parts):
        path = path / part
        if path.is_symlink():
            raise _link(path)
        if not os.path.lexists(path):
            return None
        if position < len(parts) - 1 and not path.is_dir():
            raise BadInput("A file stands where a folder belongs", where=str(path), fix="move it, or give --client DIR")
    if not path.is_file():
        raise BadInput("Something that is no file stands where a file belongs", where=str(path), fix="move it")
    try:
        with open_plain(path) as file:
            return file.read(MAX_SEEN)
    except OSError as error:
        raise BadInput("A file cannot be read", where=f"{path}: {error.strerror}", fix="make it readable") from None


def _link(path: Path) -> BadInput:
    return BadInput(
        "A link stands where a file or folder of the skills belongs; what it leads to would be overwritten",
        where=str(path),
        fix="remove the link, or give --client DIR with the folder that is meant",
    )
