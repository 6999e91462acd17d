"""A set of files written or removed as one: a temporary file beside each, then renames, and everything back if one fails."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import EllipsisType

from ..errors import StorageError

MAX_SEEN = 5_000_000
"""So much of a file is looked at before it is changed; what is longer is none of ours."""


@dataclass(frozen=True)
class Change:
    """A file's new content; None removes it, and its directory when that is empty then.

    Attributes:
        path: The file.
        content: What it shall hold.
        keep: The highest directory that is not removed with it.
        seen: What it held when this was planned, MAX_SEEN bytes of it at most; None for no file, `...` where that does not matter.
    """

    path: Path
    content: bytes | None
    keep: Path
    seen: bytes | EllipsisType | None = ...


def apply(changes: Sequence[Change]) -> None:
    """Make the changes.

    Raises:
        StorageError: One could not be made, or a file is not what it was when this was planned: a person may have thought
            about the question for minutes. The others were taken back.
    """
    made: list[Path] = []
    staged: list[tuple[Change, Path | None]] = []
    done: list[tuple[Path, bytes | None]] = []
    at = Path()
    try:
        for change in changes:
            at = change.path
            staged.append((change, None if change.content is None else _stage(change.path, change.content, made)))
        for change, temporary in staged:
            at = change.path
            before = at.read_bytes() if at.exists() else None
            if change.seen is not ... and (None if before is None else before[:MAX_SEEN]) != change.seen:
                raise StorageError(
                    "A file was changed meanwhile; nothing was changed here", where=str(at), fix="run this again"
                )
            if temporary is None:
                at.unlink(missing_ok=True)
            else:
                temporary.replace(at)
            done.append((at, before))
    except (KeyboardInterrupt, StorageError):
        _take_back(done)
        _discard(staged, made)
        raise
    except OSError as error:
        left = _take_back(done)
        _discard(staged, made)
        raise StorageError(
            f"A file could not be written ({error.strerror or error})"
            + ("; nothing was changed" if not left else f"; these could not be put back: {', '.join(left)}"),
            where=str(at),
            fix="make the directory writable, or name another with --client DIR",
        ) from None
    for change in changes:
        if change.content is None:
            _remove_empty(change.path.parent, change.keep)


def _stage(path: Path, content: bytes, made: list[Path]) -> Path:
    missing = [p for p in (path.parent, *path.parent.parents) if not p.exists()]
    for directory in reversed(missing):
        directory.mkdir()
        made.append(directory)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".quantgate-", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp's files are private; what is replaced keeps its mode, what is new gets the usual one.
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _take_back(done: Sequence[tuple[Path, bytes | None]]) -> list[str]:
    left = []
    for path, before in reversed(done):
        try:
            if before is None:
                path.unlink(missing_ok=True)
            else:
                _stage(path, before, []).replace(path)
        except OSError:
            left.append(str(path))
    return left


def _discard(staged: Sequence[tuple[Change, Path | None]], made: Sequence[Path]) -> None:
    for _, temporary in staged:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    for directory in reversed(made):
        with contextlib.suppress(OSError):
            directory.rmdir()


def _remove_empty(directory: Path, keep: Path) -> None:
    while directory != keep and keep in directory.parents:
        try:
            directory.rmdir()
        except OSError:
            return
        directory = directory.parent
