"""What a ledger was before its schema changed: a copy beside it, with which an older quantgate can go on."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path


def path_of(file: Path, version: int) -> Path:
    """Where the copy of a ledger of this schema lies: `ledger.schema-2.sqlite` beside `ledger.sqlite`."""
    return file.with_name(f"{file.stem}.schema-{version}{file.suffix}")


def keep(file: Path, version: int) -> None:
    """Copy a ledger whole; a copy of the same schema from an earlier change is replaced.

    The caller holds the ledger's write lock, so that nothing is written between the copy and the change.

    Raises:
        OSError, sqlite3.Error: It could not be copied; the ledger must not be changed.
    """
    kept = path_of(file, version)
    part = kept.with_name(f"{kept.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        # A connection of its own: SQLite copies nothing for the one that holds the write lock.
        source, target = sqlite3.connect(file), sqlite3.connect(part)
        try:
            source.backup(target)
        finally:
            target.close()
            source.close()
        part.replace(kept)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
