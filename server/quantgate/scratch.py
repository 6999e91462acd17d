"""Private directories for what must not stay: NEL's dry run leaves plaintext secrets in its output directory.

They lie under the state directory, readable by the user only. They are removed when the work is done or the server ends. What a
killed server left is swept by the next one with its first call, and before each new directory.

A lock beside each tells whether its server lives: process ids mean nothing in a container that shares this host's name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

from . import workspace
from .errors import StorageError
from .system import files, locks
from .system.machine import boot_id

_LOCK = ".lock"
_mine: set[Path] = set()
_lock = threading.RLock()
"""Re-entrant: a signal may find the main thread removing."""


@contextlib.contextmanager
def private_directory() -> Iterator[Path]:
    """A fresh directory with mode 0700 that is gone after the block."""
    try:
        root = _root()
        _sweep(root)
        path = root / f"{_digest(socket.gethostname())}-{_digest(boot_id())}-{os.getpid()}-{uuid.uuid4().hex[:12]}"
        held = _held(path)
        path.mkdir(mode=0o700)
    except OSError as error:
        raise StorageError(
            f"Cannot make a private directory: {error.strerror}",
            where=str(workspace.state_dir()),
            fix="free disk space or set QUANTGATE_HOME to a writable directory",
        ) from None
    with _lock:
        _mine.add(path)
    try:
        yield path
    finally:
        os.close(held)
        _remove(path)
        with _lock:
            _mine.discard(path)


def sweep() -> None:
    """Remove what a killed server of this machine left, if that can be done."""
    with contextlib.suppress(OSError, StorageError):
        _sweep(_root())


def remove_all() -> None:
    """Remove every directory of this process; called once, when the server goes."""
    with _lock:
        for path in list(_mine):
            _remove(path)


def _root() -> Path:
    root = workspace.state_dir() / "scratch"
    root.mkdir(mode=0o700, exist_ok=True)
    if not files.is_private(root.lstat(), root.parent.stat()):
        raise StorageError(
            "The directory of what must not stay is not private to this user",
            where=str(root),
            fix="remove it: it is made anew",
        )
    return root


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _sweep(root: Path) -> None:
    for left in root.glob(f"{_digest(socket.gethostname())}-*-*-*"):
        if left.suffix != _LOCK and _is_left(left):
            _remove(left)


def _lock_of(directory: Path) -> Path:
    return directory.with_name(directory.name + _LOCK)


def _held(directory: Path) -> int:
    """The descriptor of its lock, which is held where the file system has locks."""
    descriptor = files.open_to_lock(_lock_of(directory), make=True)
    with contextlib.suppress(OSError):
        locks.try_exclusive(descriptor)
    return descriptor


def _remove(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    with contextlib.suppress(OSError):
        _lock_of(directory).unlink()


def _is_left(directory: Path) -> bool:
    """Whether the server that made it has gone.

    After a reboot nothing of before runs any more. Without a lock its process id tells; one in use again only delays the removal.
    """
    import psutil

    boot, pid = directory.name.split("-")[1:3]
    if boot != _digest(boot_id()):
        return True
    try:
        descriptor = files.open_to_lock(_lock_of(directory))
    except OSError:
        return pid.isdecimal() and not psutil.pid_exists(int(pid))
    try:
        return locks.try_exclusive(descriptor)
    except OSError:
        return pid.isdecimal() and not psutil.pid_exists(int(pid))
    finally:
        os.close(descriptor)
