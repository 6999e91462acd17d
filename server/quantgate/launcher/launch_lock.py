"""The lock of an invocation that is being started: held as long as any process may still start it, and no longer.

It is a `flock` on a file of the invocation's name. The server takes it before the attempt is written down; the open file goes on to
the child that talks to NEL, and from there to the process that runs the evaluation, which lets it go once its start is on disk.
All of them share one lock, and the kernel drops it when the last one has closed the file or died: no clock and no process id is
involved. Whoever finds it free and no trace of a start knows that nothing will start any more.

`flock` is per machine. On a local file system the locks lie in the state directory; where that is on a network, in a private
directory of this machine, and another machine's launches cannot be judged from here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from .. import workspace
from ..errors import BadInput, Refused, StorageError
from ..system import files, locks

VARIABLE = "QUANTGATE_LAUNCH_LOCK"
"""Names the descriptor of the inherited lock in the environment of a process that may start the invocation."""
TAKE_SECONDS = 2.0
"""How long a look of another server, which lasts no time at all, may stand in the way of taking a lock."""
_PAUSE = 0.01
_MOST_SWEPT = 200
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


def shared() -> bool:
    """Whether every process that can see the ledger sees the same locks; False when only this machine's do."""
    return not workspace.file_system(workspace.state_dir()).network


@contextlib.contextmanager
def taken(invocation_id: str) -> Iterator[int]:
    """Hold the lock of an invocation for the block, and longer if a process inherits it.

    Yields:
        The descriptor that a child process is to inherit (`door.Request.lock`).

    Raises:
        Refused: Somebody is starting this invocation.
        StorageError: The lock's file cannot be made.
    """
    path = _path(invocation_id)
    try:
        _sweep(path.parent)
        descriptor = _take(path)
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        _discard(path)


def held(invocation_id: str) -> bool:
    """Whether any process of this machine may still start this invocation.

    Raises:
        StorageError: The lock cannot be looked at.
    """
    path = _path(invocation_id)
    try:
        descriptor = files.open_to_read(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        return not locks.try_shared(descriptor)
    except OSError as error:
        raise _unusable(path, error) from None
    finally:
        os.close(descriptor)


def inherited() -> tuple[int, ...]:
    """The descriptor of the lock that this process inherited, for `pass_fds` of what it starts; empty without one."""
    text = os.environ.get(VARIABLE, "")
    try:
        descriptor = int(text)
        return (descriptor,) if descriptor > 2 and stat.S_ISREG(os.fstat(descriptor).st_mode) else ()
    except (ValueError, OSError):
        return ()


def let_go() -> None:
    """Close the inherited lock: what this process had to start is on disk."""
    for descriptor in inherited():
        os.close(descriptor)
    os.environ.pop(VARIABLE, None)


def _path(invocation_id: str) -> Path:
    if not _ID.fullmatch(invocation_id):
        raise BadInput(f"{invocation_id[:80]!r} is not an invocation id", fix="give 16 hexadecimal digits")
    return _directory() / f"{invocation_id}.lock"


def _directory() -> Path:
    state = workspace.state_dir()
    digest = hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]
    path = state / "locks" if shared() else files.machine_directory(digest)
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise _unusable(path, error) from None
    if not files.is_private(found):
        raise StorageError(
            "The directory of the launch locks is not private to this user",
            where=str(path),
            fix="remove it, or set QUANTGATE_HOME to a directory of your own on a local disk",
        )
    return path


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"The lock of a launch cannot be used: {error.strerror}",
        where=str(path),
        fix="free disk space or set QUANTGATE_HOME to a writable directory on a local disk",
    )


def _take(path: Path) -> int:
    deadline = time.monotonic() + TAKE_SECONDS
    while True:
        descriptor = files.open_to_lock(path, make=True)
        if locks.try_exclusive(descriptor) and _is_at(descriptor, path):
            return descriptor
        # A look holds it shared and is over at once; a launch holds it alone.
        free = locks.try_shared(descriptor)
        os.close(descriptor)
        if not free or time.monotonic() > deadline:
            raise Refused(
                "This invocation is being started by another call",
                where=f"invocation {path.stem}",
                fix=f"status(invocation_ids=[{path.stem!r}], wait_seconds=10), then try again",
            )
        time.sleep(_PAUSE)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one of that name: one that was removed in between locks nothing."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), found)


def _discard(path: Path) -> None:
    """Remove the file of a lock that nobody holds."""
    try:
        descriptor = files.open_to_lock(path)
    except OSError:
        return
    try:
        if locks.try_exclusive(descriptor) and _is_at(descriptor, path):
            path.unlink(missing_ok=True)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _sweep(directory: Path) -> None:
    """Remove what launches left whose process went on to hold the lock, or was killed."""
    for left in [p for p, _ in zip(directory.glob("*.lock"), range(_MOST_SWEPT), strict=False)]:
        _discard(left)
