"""Private directories for what must not stay: NEL's dry run leaves plaintext secrets in its output directory.

They lie under the state directory, readable by the user only. They are removed when the work is done or the server ends, and
swept by the next one if a server was killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import socket
import threading
import uuid
from collections.abc import Iterator
from os import getpid
from pathlib import Path

from . import workspace
from .errors import StorageError
from .system import files
from .system.machine import boot_id

_mine: set[Path] = set()
_lock = threading.RLock()
"""Re-entrant: a signal may find the main thread removing."""


@contextlib.contextmanager
def private_directory() -> Iterator[Path]:
    """A fresh directory with mode 0700 that is gone after the block."""
    try:
        root = _root()
        _sweep(root)
        path = root / f"{_digest(socket.gethostname())}-{_digest(boot_id())}-{getpid()}-{uuid.uuid4().hex[:12]}"
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
        shutil.rmtree(path, ignore_errors=True)
        with _lock:
            _mine.discard(path)


def remove_all() -> None:
    """Remove every directory of this process; called once, when the server goes."""
    with _lock:
        for path in list(_mine):
            shutil.rmtree(path, ignore_errors=True)


def _root() -> Path:
    root = workspace.state_dir() / "scratch"
    root.mkdir(mode=0o700, exist_ok=True)
    if not files.is_private(root.lstat()):
        raise StorageError(
            "The directory of what must not stay is not private to this user",
            where=str(root),
            fix="remove it: it is made anew",
        )
    return root


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _sweep(root: Path) -> None:
    """Remove what a killed server of this machine left; another machine's process ids mean nothing here.

    After a reboot nothing of before runs any more. A process id in use again only delays the removal.
    """
    import psutil

    for left in root.glob(f"{_digest(socket.gethostname())}-*-*-*"):
        boot, pid = left.name.split("-")[1:3]
        gone = boot != _digest(boot_id()) or (pid.isdigit() and not psutil.pid_exists(int(pid)))
        if gone:
            shutil.rmtree(left, ignore_errors=True)
