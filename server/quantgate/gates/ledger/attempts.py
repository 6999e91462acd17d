"""Launches: each written down before it is made and after it was."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import rows
from .store import connection

LAUNCHING = "launching"
ALL = -1


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
        created: Seconds since the epoch; for people, no decision rests on it while the machine is the same.
        host: The machine that launched it; empty in rows of the first schema.
        skip_reason: Why the gates were skipped; empty when they were not.
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
    outcome: str = LAUNCHING
    error: str = ""
    endpoint: str = ""
    created: float = field(default_factory=time.time)
    host: str = field(default_factory=socket.gethostname)
    skip_reason: str = ""


_COLUMNS = tuple(Attempt.__dataclass_fields__)
_INSERT = f"INSERT INTO attempts ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - our own names


def add_attempt(attempt: Attempt) -> None:
    """Write down a launch before it is made.

    Raises:
        StorageError: It could not be written; the launch must not be made.
    """
    values = {**vars(attempt), "tasks": json.dumps(attempt.tasks)}
    with connection() as opened:
        opened.execute(_INSERT, [values[name] for name in _COLUMNS])


def settle_attempt(invocation_id: str, outcome: str, run_dir: str, error: str) -> None:
    """Write down how a launch went, unless somebody has done so."""
    with connection() as opened:
        opened.execute(
            "UPDATE attempts SET outcome=?, run_dir=?, error=? WHERE invocation_id=? AND outcome='launching'",
            (outcome, run_dir, error, invocation_id),
        )


def _attempt(row: sqlite3.Row) -> Attempt:
    return rows.read(dict(row), Attempt, "tasks")


def attempts(*, fingerprint: str = "", kind: str = "", begins: str = "", limit: int = ALL) -> list[Attempt]:
    """Launches, the last written first; of one fingerprint, kind or beginning of the id when given, and at most `limit` of them.

    The order is that of the writing, not of the clock, which may be set back.
    """
    with connection() as opened:
        # Only what is asked for stands in the statement: `?='' OR column=?` would read every row instead of an index.
        asked = {
            "fingerprint=?": fingerprint,
            "kind=?": kind,
            "invocation_id>=?": begins,
            "invocation_id<?": begins and f"{begins}g",
        }
        where = " AND ".join(["TRUE", *(condition for condition, value in asked.items() if value)])
        values = [value for value in asked.values() if value]
        found = opened.execute(
            f"SELECT * FROM attempts WHERE {where} ORDER BY rowid DESC LIMIT ?",  # noqa: S608 - our own words
            [*values, limit],
        ).fetchall()
    return [_attempt(row) for row in found]


def open_attempts() -> list[Attempt]:
    """Launches of which nobody has written how they went, oldest first."""
    with connection() as opened:
        found = opened.execute("SELECT * FROM attempts WHERE outcome='launching' ORDER BY rowid").fetchall()
    return [_attempt(row) for row in found]


def attempt(invocation_id: str) -> Attempt | None:
    """The launch with this id, or with an id that begins so when there is only one such."""
    with connection() as opened:
        # A range, which the index answers: "g" stands behind every hexadecimal digit.
        found = opened.execute(
            "SELECT * FROM attempts WHERE invocation_id >= ? AND invocation_id < ? LIMIT 2",
            (invocation_id, invocation_id + "g"),
        ).fetchall()
    return _attempt(found[0]) if len(found) == 1 else None


def count(begins: str = "") -> int:
    """How many launches are written down; those whose id begins so when that is given."""
    with connection() as opened:
        if not begins:
            return int(opened.execute("SELECT count(*) FROM attempts").fetchone()[0])
        found = opened.execute(
            "SELECT count(*) FROM attempts WHERE invocation_id>=? AND invocation_id<?", (begins, f"{begins}g")
        )
        return int(found.fetchone()[0])


def among(invocation_ids: Sequence[str]) -> set[str]:
    """Those of these full ids that are launches of ours."""
    with connection() as opened:
        found = opened.execute(
            "SELECT invocation_id FROM attempts WHERE invocation_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(invocation_ids)),),
        ).fetchall()
    return {str(row[0]) for row in found}
