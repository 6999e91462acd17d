"""Private directories for what must not stay: NEL's dry run leaves plaintext secrets in its output directory.

They lie under the state directory, readable by the user only. They are removed when the work is done or the server ends, and
swept by the next one if a server was killed.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import uuid
from collections.abc import Iterator
from os import getpid
from pathlib import Path

from . import workspace

_mine: set[Path] = set()
_lock = threading.Lock()


@contextlib.contextmanager
def private_directory() -> Iterator[Path]:
    """A fresh directory with mode 0700 that is gone after the block."""
    root = _root()
    _sweep(root)
    path = root / f"{getpid()}-{uuid.uuid4().hex[:12]}"
    path.mkdir(mode=0o700)
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
        for path in _mine:
            shutil.rmtree(path, ignore_errors=True)


def _root() -> Path:
    root = workspace.state_dir() / "scratch"
    root.mkdir(mode=0o700, exist_ok=True)
    return root


def _sweep(root: Path) -> None:
    """Remove what a killed server left; a process id in use again only delays that."""
    import psutil

    for left in root.iterdir():
        owner = left.name.split("-")[0]
        if not owner.isdigit() or not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
