"""The tables of the ledger, and the way from each version of them to the next."""

from __future__ import annotations

import sqlite3

from ...errors import StorageError

SCHEMA_VERSION = 2

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

STEPS = (_VERSION_1, _VERSION_2)
"""What leads to version 1, 2, …; a step that has been released is never changed, a new one is added."""


def version_of(connection: sqlite3.Connection) -> int:
    """The version of an open ledger; 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def require_known(version: int, where: str) -> None:
    """Refuse a ledger that a newer quantgate has written.

    Raises:
        StorageError: The version is above `SCHEMA_VERSION`.
    """
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"The ledger was written by a newer quantgate (schema {version}, this one knows {SCHEMA_VERSION})",
            where=where,
            fix="upgrade quantgate, or set QUANTGATE_HOME to a directory of its own",
        )


def migrate(connection: sqlite3.Connection, where: str) -> None:
    """Bring an open ledger to `SCHEMA_VERSION`, wholly or not at all.

    Another server may do the same: the version is read again once the write lock is held.

    Raises:
        StorageError: It was written by a newer quantgate.
        sqlite3.Error: It cannot be written; nothing was changed.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = version_of(connection)
        require_known(version, where)
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
