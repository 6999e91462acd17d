"""The ledger: every gate that was judged and every launch, written down before and after it happens."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .. import workspace
from ..errors import StorageError

SCHEMA_VERSION = 1
BUSY_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE attempts (
    invocation_id TEXT PRIMARY KEY, kind TEXT NOT NULL, fingerprint TEXT NOT NULL, config TEXT NOT NULL,
    executor TEXT NOT NULL, output_dir TEXT NOT NULL, run_dir TEXT NOT NULL, tasks TEXT NOT NULL,
    sample_limit INTEGER NOT NULL, outcome TEXT NOT NULL, error TEXT NOT NULL, endpoint TEXT NOT NULL, created REAL NOT NULL
);
CREATE INDEX attempts_by_fingerprint ON attempts (fingerprint, kind, created);
CREATE TABLE gates (
    fingerprint TEXT NOT NULL, gate TEXT NOT NULL, passed INTEGER NOT NULL, reasons TEXT NOT NULL, detail TEXT NOT NULL,
    invocation_id TEXT NOT NULL, judged REAL NOT NULL, PRIMARY KEY (fingerprint, gate, invocation_id)
);
"""


@dataclass(frozen=True)
class Attempt:
    """One launch, from the moment it was decided.

    Attributes:
        kind: "canary", "full" or "subset".
        run_dir: The invocation's directory; empty until the launch returned.
        tasks: Task filters; empty for all tasks of the config.
        sample_limit: Samples per task; 0 for all.
        outcome: "launching", "launched" or "failed" (the launch, not the run).
        endpoint: What the endpoint said it serves, as JSON; empty when it was not asked.
        created: Seconds since the epoch.
    """

    invocation_id: str
    kind: str
    fingerprint: str
    config: str
    executor: str
    output_dir: str
    run_dir: str = ""
    tasks: tuple[str, ...] = ()
    sample_limit: int = 0
    outcome: str = "launching"
    error: str = ""
    endpoint: str = ""
    created: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Gate:
    """What was found at a gate for one fingerprint; `detail` is what the gate wants to remember."""

    fingerprint: str
    gate: str
    passed: bool
    reasons: tuple[str, ...] = ()
    detail: dict[str, Any] = field(default_factory=dict)
    invocation_id: str = ""
    judged: float = field(default_factory=time.time)


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
        with FileLock(path().with_suffix(".lock"), timeout=BUSY_SECONDS):
            yield
    except Timeout:
        raise StorageError(
            "Another server holds the ledger", where=str(path()), fix="try again; if it stays so, end that server"
        ) from None


@contextlib.contextmanager
def _connection() -> Iterator[sqlite3.Connection]:
    file = path()
    try:
        connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            _prepare(connection)
            yield connection
        finally:
            connection.close()
    except (sqlite3.Error, OSError, Timeout) as error:
        raise StorageError(
            f"The ledger cannot be used: {error}",
            where=str(file),
            fix="free disk space or set QUANTGATE_HOME to a writable directory",
        ) from None


def _prepare(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"The ledger was written by a newer quantgate (schema {version})",
            where=str(path()),
            fix="upgrade quantgate",
        )
    # SQLite does not wait for a lock when it changes the journal mode, so servers that start at once take turns here.
    with FileLock(path().with_suffix(".creating"), timeout=BUSY_SECONDS):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")


def add_attempt(attempt: Attempt) -> None:
    """Write down a launch before it is made."""
    with _connection() as connection:
        connection.execute(
            "INSERT INTO attempts VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                attempt.invocation_id,
                attempt.kind,
                attempt.fingerprint,
                attempt.config,
                attempt.executor,
                attempt.output_dir,
                attempt.run_dir,
                json.dumps(attempt.tasks),
                attempt.sample_limit,
                attempt.outcome,
                attempt.error,
                attempt.endpoint,
                attempt.created,
            ),
        )


def finish_attempt(invocation_id: str, *, outcome: str, run_dir: str = "", error: str = "") -> None:
    """Write down how a launch went."""
    with _connection() as connection:
        connection.execute(
            "UPDATE attempts SET outcome=?, run_dir=?, error=? WHERE invocation_id=?",
            (outcome, run_dir, error, invocation_id),
        )


def _attempt(row: sqlite3.Row) -> Attempt:
    values = dict(row)
    values["tasks"] = tuple(json.loads(values["tasks"]))
    return Attempt(**values)


def attempts(*, fingerprint: str = "", kind: str = "", limit: int = 50) -> list[Attempt]:
    """Launches, newest first; of one fingerprint or kind when given."""
    with _connection() as connection:
        rows = connection.execute(
            "SELECT * FROM attempts WHERE (?='' OR fingerprint=?) AND (?='' OR kind=?) ORDER BY created DESC, rowid DESC LIMIT ?",
            (fingerprint, fingerprint, kind, kind, limit),
        ).fetchall()
    return [_attempt(row) for row in rows]


def attempt(invocation_id: str) -> Attempt | None:
    """The launch with this id, or with an id that begins so when there is only one such."""
    with _connection() as connection:
        rows = connection.execute(
            "SELECT * FROM attempts WHERE substr(invocation_id, 1, ?)=? LIMIT 2", (len(invocation_id), invocation_id)
        ).fetchall()
    return _attempt(rows[0]) if len(rows) == 1 else None


def put_gate(gate: Gate) -> None:
    """Write down what a gate found; it replaces what was found before for the same fingerprint and invocation."""
    with _connection() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO gates VALUES (?,?,?,?,?,?,?)",
            (
                gate.fingerprint,
                gate.gate,
                int(gate.passed),
                json.dumps(gate.reasons),
                json.dumps(gate.detail),
                gate.invocation_id,
                gate.judged,
            ),
        )


def gate(fingerprint: str, name: str, invocation_id: str = "") -> Gate | None:
    """What a gate last found for a fingerprint; a canary's verdict belongs to its invocation."""
    with _connection() as connection:
        row = connection.execute(
            "SELECT * FROM gates WHERE fingerprint=? AND gate=? AND invocation_id=?", (fingerprint, name, invocation_id)
        ).fetchone()
    if row is None:
        return None
    return Gate(
        fingerprint=row["fingerprint"],
        gate=row["gate"],
        passed=bool(row["passed"]),
        reasons=tuple(json.loads(row["reasons"])),
        detail=json.loads(row["detail"]),
        invocation_id=row["invocation_id"],
        judged=row["judged"],
    )
