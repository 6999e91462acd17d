"""Copies of a run's files on this machine: fetched through SFTP, each once for each time that it changes.

A copy has the size and the time of its original, to the nanosecond: that is how it is known to be current. It appears whole, by
a rename. A file that changes while it is read is fetched again once; if it changes then too, what it held is kept, and it is
fetched again at the next look.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..errors import StorageError
from .connection import Connection
from .listing import Listing, RemoteFile

if TYPE_CHECKING:
    import paramiko

LANES = 4
"""Transfers at once, where there are many files: each file costs four round trips."""
FILES_PER_LANE = 4
PLACE_SECONDS = 600.0
"""How long a lane waits for its place: on a host with few of them the lanes go one after the other."""
_BLOCK = 1 << 20
_SPARE = 64 << 20
"""Bytes that stay free on the disk."""
_PARTIAL = ".partial-"


@dataclass(frozen=True)
class Fetched:
    """What a pass did.

    Attributes:
        count: Files that were fetched.
        size: Their bytes.
        moved: Files that changed while they were read, or that are gone since they were listed.
        closed: Files that may not be read.
    """

    count: int = 0
    size: int = 0
    moved: tuple[PurePosixPath, ...] = ()
    closed: tuple[PurePosixPath, ...] = ()


def stale(target: Path, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """The files whose copies are missing or of another size or time."""
    return [file for file in files if not _current(target / file.path, file)]


def _current(place: Path, file: RemoteFile) -> bool:
    try:
        found = place.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and (found.st_size, found.st_mtime_ns) == (file.size, file.mtime_ns)


def lay_out(listing: Listing, target: Path, within: PurePosixPath, files: Sequence[RemoteFile]) -> None:
    """Make the run's directories, and remove copies of what it has no more.

    Args:
        listing: Of the run.
        target: Where the copies are.
        within: The part that was listed: copies outside of it stay.
        files: The files that are wanted.

    Raises:
        StorageError: It cannot be written.
    """
    wanted = {target / file.path for file in files}
    kept = {target / path for path in listing.directories}
    kept |= {parent for path in [*wanted, *kept] for parent in path.parents}
    with _told(target):
        for path in sorted(kept):
            if path.is_relative_to(target):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder, folders, names in os.walk(target / within, topdown=False):
            here = Path(folder)
            for path in (here / name for name in names):
                if path not in wanted:
                    path.unlink(missing_ok=True)
            for path in (here / name for name in folders):
                if path not in kept:
                    shutil.rmtree(path, ignore_errors=True)


def fetch(connection: Connection, root: str, files: Sequence[RemoteFile], target: Path, *, settle: bool) -> Fetched:
    """Fetch files into their places.

    Args:
        connection: To the cluster's login node.
        root: The run's directory there, resolved.
        files: From a listing.
        target: Where the copies go.
        settle: Keep what a changing file held, rather than leave it to another pass.

    Raises:
        Unreachable: The cluster does not answer, or the link broke; whole copies stay.
        StorageError: The disk is full or cannot be written.
    """
    if not files:
        return Fetched()
    with _told(target):
        free = shutil.disk_usage(target).free
    need = sum(file.size for file in files)
    if free < need + _SPARE:
        raise StorageError(
            f"Not enough disk space for the files of this run: {need >> 20} MB are needed, {free >> 20} MB are free",
            where=str(target),
            fix="free disk space, or set QUANTGATE_CACHE to a larger disk",
        )
    lanes = min(LANES, -(-len(files) // FILES_PER_LANE))
    # The largest first, dealt out in turn: no lane gets all of the heavy ones.
    ordered = sorted(files, key=lambda f: -f.size)
    shares = [ordered[lane::lanes] for lane in range(lanes)]
    with ThreadPoolExecutor(lanes) as pool:
        done = list(pool.map(lambda share: _lane(connection, root, share, target, settle), shares))
    return Fetched(
        count=sum(d.count for d in done),
        size=sum(d.size for d in done),
        moved=tuple(path for d in done for path in d.moved),
        closed=tuple(path for d in done for path in d.closed),
    )


def _lane(connection: Connection, root: str, files: Iterable[RemoteFile], target: Path, settle: bool) -> Fetched:
    count, size = 0, 0
    moved: list[PurePosixPath] = []
    closed: list[PurePosixPath] = []
    with connection.sftp(PLACE_SECONDS) as transfer:
        for file in files:
            try:
                whole = _one(transfer, root, file, target / file.path, settle)
            except FileNotFoundError:
                whole = False
            except PermissionError:
                closed.append(file.path)
                continue
            if not whole:
                moved.append(file.path)
            count, size = count + 1, size + file.size
    return Fetched(count, size, tuple(moved), tuple(closed))


def _one(transfer: paramiko.SFTPClient, root: str, file: RemoteFile, place: Path, settle: bool) -> bool:
    """Copy one file; whether it is still the one that was listed."""
    source = f"{root}/{file.path}"
    with transfer.open(source, "rb") as remote:
        before = remote.stat()
        size = before.st_size or 0
        same = (size, before.st_mtime) == (file.size, file.mtime_ns // 10**9 & 0xFFFFFFFF)
        if not same and (not settle or size > file.size + _SPARE or not _inside(transfer, source, root)):
            return False
        if size:
            # Without a limit of its own: paramiko's (5.1) waits in steps of 10 ms and is thirty times slower. The connection's
            # window bounds what lies in memory.
            remote.prefetch(size)
        with _written(place) as copy:
            left = size
            while left > 0 and (block := remote.read(min(_BLOCK, left))):
                copy.write(block)
                left -= len(block)
            after = remote.stat()
            whole = same and left == 0 and (after.st_size, after.st_mtime) == (before.st_size, before.st_mtime)
            if whole or settle:
                # One nanosecond beside the original is another time: it is fetched again.
                copy.keep(file.mtime_ns if whole else file.mtime_ns - 1)
        return whole


def _inside(transfer: paramiko.SFTPClient, source: str, root: str) -> bool:
    """Whether a file that is another one by now still lies in the run, and nobody put a link there since."""
    return (transfer.normalize(source) or "").startswith(f"{root}/")


class _Copy:
    """A file that is being written, under a name of its own."""

    def __init__(self, place: Path) -> None:
        handle, name = tempfile.mkstemp(prefix=_PARTIAL, dir=place.parent)  # 0600 from the start
        self._file = os.fdopen(handle, "wb")
        self._name = Path(name)
        self._place = place

    def write(self, block: bytes) -> None:
        try:
            self._file.write(block)
        except OSError as error:
            raise _unwritten(self._place, error) from None

    def keep(self, mtime_ns: int) -> None:
        """Give it its name."""
        try:
            self._file.close()
            os.utime(self._name, ns=(mtime_ns, mtime_ns))
            self._name.replace(self._place)
        except OSError as error:
            raise _unwritten(self._place, error) from None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        self._name.unlink(missing_ok=True)


@contextlib.contextmanager
def _written(place: Path) -> Iterator[_Copy]:
    with _told(place):
        copy = _Copy(place)
    try:
        yield copy
    finally:
        copy.close()


@contextlib.contextmanager
def _told(place: Path) -> Iterator[None]:
    """Errors of this machine's disk, told as such."""
    try:
        yield
    except OSError as error:
        raise _unwritten(place, error) from None


def _unwritten(place: Path, error: OSError) -> StorageError:
    return StorageError(
        f"A copy of a run's file cannot be written: {error.strerror}",
        where=str(place),
        fix="free disk space, or set QUANTGATE_CACHE to a directory that can be written",
    )
