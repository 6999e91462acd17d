"""The ledger's file: how it is opened, and the lock that all servers of one state directory share."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from filelock import FileLock, Timeout

from ... import workspace
from ...errors import StorageError
from . import schema

BUSY_SECONDS = 10.0


class _Here(threading.local):
    kept: dict[Path, sqlite3.Connection] | None = None


_here = _Here()


def path() -> Path:
    """The ledger's file."""
    return workspace.state_dir() / "ledger.sqlite"


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Only one caller at a time, over all servers of this state directory: look and write without another in between.

    Raises:
        StorageError: Another server holds it for longer than a launch may take to be written down.
    """
    try:
        lock = FileLock(path().with_suffix(".lock"), timeout=BUSY_SECONDS)
        lock.acquire()
    except Timeout:
        raise StorageError(
            "Another server holds the ledger", where=str(path()), fix="try again; if it stays so, end that server"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise _unusable(str(error), path()) from None
    try:
        yield
    finally:
        lock.release()


def network_note() -> str:
    """What to know when the ledger lies on a network file system; empty when it does not."""
    found = workspace.file_system(path())
    if not found.network:
        return ""
    return (
        f"The ledger lies on a network file system ({found.kind} at {found.mount}): it uses a rollback journal instead of WAL, and "
        "launches of other machines are judged by their age. Set QUANTGATE_HOME to a local directory to avoid both."
    )


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """What this thread opens in the block stays open until its end: for many rows, opening is what takes the time."""
    if _here.kept is not None:
        yield
        return
    _here.kept = {}
    try:
        yield
    finally:
        held, _here.kept = _here.kept, None
        for opened in held.values():
            opened.close()


@contextlib.contextmanager
def connection() -> Iterator[sqlite3.Connection]:
    """An open ledger of the newest schema; closed after the block, or after that of `kept`.

    Raises:
        StorageError: It cannot be opened, read or written.
    """
    file = path()
    held = _here.kept if _here.kept is not None else {}
    try:
        opened = held.pop(file, None) or _opened(file)
        try:
            yield opened
            # Only one that did its work is kept: another may stand in the middle of a transaction.
            if held is _here.kept and file not in held:
                held[file] = opened
        finally:
            if held.get(file) is not opened:
                opened.close()
    except (sqlite3.Error, OSError, Timeout, NotImplementedError, UnicodeDecodeError) as error:
        # filelock says "not implemented" where a file system has no locks.
        raise _unusable(str(error), file) from None


def _opened(file: Path) -> sqlite3.Connection:
    opened = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        opened.row_factory = sqlite3.Row
        _prepare(opened, file)
    except BaseException:
        opened.close()
        raise
    return opened


def _unusable(why: str, file: Path) -> StorageError:
    return StorageError(
        f"The ledger cannot be used: {why}",
        where=str(file),
        fix="free disk space or set QUANTGATE_HOME to a writable directory",
    )


def _prepare(opened: sqlite3.Connection, file: Path) -> None:
    network = _on_network(workspace.MOUNTS, file.parent, file.parent.stat().st_dev)
    if network:
        _without_wal(opened, file)
    version = schema.version_of(opened)
    if version == schema.SCHEMA_VERSION:
        return
    schema.require_known(version, file)
    # SQLite does not wait for a lock when it changes the journal mode, so servers that start at once take turns here.
    with FileLock(file.with_suffix(".creating"), timeout=BUSY_SECONDS):
        if not network:
            opened.execute("PRAGMA journal_mode=WAL")
        schema.migrate(opened, file)


@lru_cache(maxsize=64)
def _on_network(mounts: Path, folder: Path, device: int) -> bool:
    """Remembered: reading the table of mounts takes as long as the rest of opening a ledger. Another mount is another device."""
    del mounts, device  # parts of the key
    return workspace.file_system(folder).network


def _without_wal(opened: sqlite3.Connection, file: Path) -> None:
    """Give up the write-ahead log: its index is shared memory, which machines do not share (sqlite.org/wal.html, section 2)."""
    # An exclusive connection keeps the index in its own memory, so that a ledger that has a log can be read at all.
    opened.execute("PRAGMA locking_mode=EXCLUSIVE")
    if opened.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        with FileLock(file.with_suffix(".creating"), timeout=BUSY_SECONDS):
            deadline = time.monotonic() + BUSY_SECONDS
            while not _left_wal(opened, last=time.monotonic() > deadline):
                time.sleep(0.05)
    opened.execute("PRAGMA locking_mode=NORMAL")
    # The lock is let go with the next read, not before.
    schema.version_of(opened)


def _left_wal(opened: sqlite3.Connection, *, last: bool) -> bool:
    try:
        return str(opened.execute("PRAGMA journal_mode=DELETE").fetchone()[0]) == "delete"
    except sqlite3.OperationalError:
        if last:
            raise
        return False
