"""Private copies of runs that lie elsewhere: one copier of a run at a time, over all servers of this user, and old copies go.

A lock's file is never removed: whoever waits for it and whoever comes later must mean the same one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import workspace
from ..errors import StorageError
from ..system import locks

MOST_BYTES = 8 << 30
"""Of all copies of one kind together; the ones that were not used for longest go first."""
MOST_DAYS = 30
SETTLED_SECONDS = 600
"""A copy that was used so recently is not removed: somebody may read it now."""
WAIT_SECONDS = 120.0
_PAUSE = 0.05


@dataclass(frozen=True)
class Copy:
    """A copy that may be removed.

    Attributes:
        place: Its directory.
        owner: The place that is locked while it is made.
        used: When it was last used, in seconds since the epoch.
        passing: Whether no other call will ask for it.
    """

    place: Path
    owner: Path
    used: float
    passing: bool = False


def folder(kind: str) -> Path:
    """The directory of all copies of a kind.

    Raises:
        StorageError: It cannot be made.
    """
    made = workspace.cache_dir() / kind
    try:
        made.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise unwritable(error, made) from None
    return made


def unwritable(error: OSError, place: Path) -> StorageError:
    """What is told of an error of this machine's disk."""
    return StorageError(
        f"The cache cannot be written: {error.strerror}",
        where=str(place),
        fix="set QUANTGATE_CACHE to a directory that can be written",
    )


def lock_of(place: Path) -> Path:
    """The file whose lock a copier holds; its time says when the place was last used."""
    return place.with_suffix(".lock")


@contextlib.contextmanager
def locked(place: Path, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Make a place, and hold it alone.

    Raises:
        StorageError: It cannot be made, or another call has held it for `wait` seconds.
    """
    deadline = time.monotonic() + wait
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        lock = lock_of(place).open("ab")
    except OSError as error:
        raise unwritable(error, place) from None
    with lock:
        while not _taken(lock.fileno()):
            if time.monotonic() > deadline:
                raise StorageError(
                    f"Another call has been copying this run for {wait:.0f} seconds",
                    where=str(place),
                    fix="call this again",
                )
            time.sleep(_PAUSE)
        with contextlib.suppress(OSError):
            os.utime(lock_of(place))
        with contextlib.suppress(OSError):
            # A pruner may have removed it between its making and the lock.
            place.mkdir(mode=0o700, exist_ok=True)
        yield


def _taken(descriptor: int) -> bool:
    with contextlib.suppress(OSError):
        return locks.try_exclusive(descriptor)
    return False


def prune(found: Iterable[Copy], current: Path, held: Path) -> None:
    """Remove copies that were not used for long or that nobody will ask for, and the oldest when all are too large.

    Args:
        found: All copies of a kind.
        current: The one that was just made.
        held: The place that the caller holds.
    """
    sized = [(copy, _size(copy.place)) for copy in sorted(found, key=lambda c: c.used)]
    total, now = sum(size for _, size in sized), time.time()
    for copy, size in sized:
        unused = now - copy.used
        old = copy.passing or unused > MOST_DAYS * 86_400 or total > MOST_BYTES
        if copy.place != current and old and unused > SETTLED_SECONDS and _removed(copy, held):
            total -= size


def _removed(copy: Copy, held: Path) -> bool:
    """Whether it is removed; not while another call holds its place."""
    with contextlib.suppress(OSError), lock_of(copy.owner).open("ab") as lock:
        if copy.owner == held or locks.try_exclusive(lock.fileno()):
            shutil.rmtree(copy.place, ignore_errors=True)
            if copy.owner != copy.place:
                with contextlib.suppress(OSError):
                    copy.owner.rmdir()
            return True
    return False


def _size(place: Path) -> int:
    found = 0
    for directory, _, names in os.walk(place):
        for name in names:
            with contextlib.suppress(OSError):
                found += (Path(directory) / name).lstat().st_size
    return found
