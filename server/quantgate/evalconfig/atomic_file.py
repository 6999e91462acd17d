"""Replaces a file in one step: whoever reads it, or finds it after a crash, has the old content or the new one."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .. import workspace
from ..errors import StorageError
from ..system import files, locks

_SUFFIX = ".quantgate-edit"
_LEFT_BEHIND_SECONDS = 600
"""Age at which a temporary file cannot be one that is being written."""
_LOCK_SECONDS = 5.0


def replace(path: Path, content: bytes, *, expected: bytes | None, what: str = "config") -> None:
    """Write a file in one step; a link stays a link, and mode and owner stay as they are.

    Args:
        path: The file, or a link to it.
        content: All of its new content.
        expected: What the file must still hold; None when it need not exist.
        what: What the file is, for the message of a refusal.

    Raises:
        StorageError: It cannot be written, it is read-only, or it holds something else by now.
    """
    target = path.resolve()
    _refuse_read_only(target, what)
    with _locked(target, what):
        if expected is not None and not _holds(target, expected):
            raise StorageError(
                f"The {what} changed on disk after it was read, so it was not overwritten",
                where=str(path),
                fix="repeat it on the file as it is now",
            )
        _write(target, content, what)


def _refuse_read_only(target: Path, what: str) -> None:
    """A rename would replace a file that its owner protected: the mode of a file does not stop it."""
    try:
        mode = stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(
            f"Cannot write the {what}: {error.strerror}; it was not changed", where=str(target), fix="check the modes"
        ) from None
    if not mode & 0o222 or not os.access(target, os.W_OK):
        raise StorageError(
            f"The {what} is read-only, so it was not changed",
            where=str(target),
            fix=f"chmod u+w {target}, or edit a copy",
        )


def _holds(target: Path, expected: bytes) -> bool:
    try:
        with target.open("rb") as file:
            return file.read(len(expected) + 1) == expected
    except OSError:
        return False


@contextlib.contextmanager
def _locked(target: Path, what: str) -> Iterator[None]:
    """Hold the file's lock, so that of two edits at once the second sees what the first wrote.

    Where there are no locks (some network file systems) the comparison alone must do.
    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(_to_lock(target))
        except OSError:
            yield
            return
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                if locks.try_exclusive(file.fileno()):
                    break
            except OSError:
                break
            if time.monotonic() > deadline:
                raise StorageError(
                    f"Another edit holds the {what}", where=str(target), fix="repeat the edit in a moment"
                )
            time.sleep(0.02)
        yield


def _to_lock(target: Path) -> BinaryIO:
    """The file itself; where an open file cannot be replaced (Windows), a file for its name among quantgate's own."""
    if locks.REPLACED_WHILE_OPEN:
        return target.open("rb")
    folder = workspace.state_dir() / "edits"
    folder.mkdir(mode=0o700, exist_ok=True)
    # Windows takes two spellings of a name for one file.
    name = hashlib.sha256(os.path.normcase(target).encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return (folder / f"{name}.lock").open("ab")


def _write(target: Path, content: bytes, what: str) -> None:
    temporary = ""
    try:
        _sweep(target)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.", suffix=_SUFFIX)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            _take_over(target, Path(temporary), file.fileno())
            os.fsync(file.fileno())
        os.replace(temporary, target)  # noqa: PTH105
        temporary = ""
        _sync_directory(target.parent)
    except OSError as error:
        raise StorageError(
            f"Cannot write the {what}: {error.strerror or type(error).__name__}; the file is as it was",
            where=str(target),
            fix="check the free space and the directory's mode",
        ) from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    """Make the rename last through a loss of power, where the file system can; the file is the new one already."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _take_over(target: Path, temporary: Path, handle: int) -> None:
    """Give the new file the old one's mode and, where that is allowed, its owner."""
    if not target.exists():
        umask = os.umask(
            0o077
        )  # it can only be read by setting it; a file made in between by another thread is private
        os.umask(umask)
        files.set_mode(handle, temporary, 0o666 & ~umask)
    else:
        files.take_over(handle, temporary, target.stat())


def _sweep(target: Path) -> None:
    """Remove what an edit that was killed left beside the file."""
    now = time.time()
    for left in target.parent.glob(f".{glob.escape(target.name[:100])}.*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            if now - left.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                left.unlink()
