"""The tables of the ledger, and the way from each version of them to the next."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ...errors import StorageError
from . import before

SCHEMA_VERSION = 3

_VERSION_1 = (
    """
    CREATE TABLE attempts (
        invocation_id TEXT PRIMARY KEY, kind TEXT NOT NULL, fingerprint TEXT NOT NULL, config TEXT NOT NULL,
        executor TEXT NOT NULL, output_dir TEXT NOT NULL, run_dir TEXT NOT NULL, tasks TEXT NOT NULL,
        sample_limit INTEGER NOT NULL, outcome TEXT NOT NULL, error TEXT NOT NULL, endpoint TEXT NOT NULL,
        created REAL NOT NULL
    )
    """,
    "CREATE INDEX attempts_by_fingerprint ON attempts (fingerprint, kind, created)",
    """
    CREATE TABLE gates (
        fingerprint TEXT NOT NULL, gate TEXT NOT NULL, passed INTEGER NOT NULL, reasons TEXT NOT NULL,
        detail TEXT NOT NULL, invocation_id TEXT NOT NULL, judged REAL NOT NULL,
        PRIMARY KEY (fingerprint, gate, invocation_id)
    )
    """,
)

_VERSION_2 = (
    "ALTER TABLE attempts ADD COLUMN host TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE attempts ADD COLUMN skip_reason TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX attempts_open ON attempts (outcome) WHERE outcome = 'launching'",
    """
    CREATE TABLE contents (
        number INTEGER PRIMARY KEY AUTOINCREMENT, fingerprint TEXT NOT NULL, config TEXT NOT NULL,
        content TEXT NOT NULL, written REAL NOT NULL, UNIQUE (config, fingerprint)
    )
    """,
    """
    CREATE TABLE resumes (
        invocation_id TEXT NOT NULL, number INTEGER NOT NULL, tasks TEXT NOT NULL, outcome TEXT NOT NULL,
        error TEXT NOT NULL, created REAL NOT NULL, PRIMARY KEY (invocation_id, number)
    )
    """,
)

_VERSION_3 = (
    # The first ledgers keyed gates by fingerprint and gate alone, under the same version 1: a second canary replaced the first.
    """
    CREATE TABLE gates_by_invocation (
        fingerprint TEXT NOT NULL, gate TEXT NOT NULL, passed INTEGER NOT NULL, reasons TEXT NOT NULL,
        detail TEXT NOT NULL, invocation_id TEXT NOT NULL, judged REAL NOT NULL,
        PRIMARY KEY (fingerprint, gate, invocation_id)
    )
    """,
    """
    INSERT INTO gates_by_invocation
        SELECT fingerprint, gate, passed, reasons, detail, invocation_id, judged FROM gates ORDER BY rowid
    """,
    "DROP TABLE gates",
    "ALTER TABLE gates_by_invocation RENAME TO gates",
)

STEPS = (_VERSION_1, _VERSION_2, _VERSION_3)
"""What leads to version 1, 2, …; a step that has been released is never changed, a new one is added."""


def version_of(connection: sqlite3.Connection) -> int:
    """The version of an open ledger; 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def require_known(version: int, file: Path) -> None:
    """Refuse a ledger that a newer quantgate has written.

    Raises:
        StorageError: The version is above `SCHEMA_VERSION`.
    """
    if version > SCHEMA_VERSION:
        copy = before.path_of(file, SCHEMA_VERSION)
        known = f"; {copy} is what it was before that" if copy.exists() else ""
        raise StorageError(
            f"The ledger was written by a newer quantgate (schema {version}, this one knows {SCHEMA_VERSION})",
            where=str(file),
            fix=f"upgrade quantgate, or set QUANTGATE_HOME to a directory of its own{known}",
        )


def migrate(connection: sqlite3.Connection, file: Path) -> None:
    """Bring an open ledger to `SCHEMA_VERSION`, wholly or not at all, with a copy of what it was (`before`).

    Another server may do the same: the version is read again once the write lock is held.

    Raises:
        StorageError: It was written by a newer quantgate.
        sqlite3.Error, OSError: It cannot be written, or there is no room for the copy; nothing was changed.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = version_of(connection)
        require_known(version, file)
        if 0 < version < SCHEMA_VERSION:
            before.keep(file, version)
        for number, statements in enumerate(STEPS, start=1):
            if number > version:
                for statement in statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={number}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
