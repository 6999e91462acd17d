"""Resumes: further launches of one invocation, for what it did not finish."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from . import rows
from .attempts import LAUNCHING
from .store import connection


@dataclass(frozen=True)
class Resume:
    """One resume of an invocation.

    Attributes:
        number: 1 for the first resume of the invocation.
        tasks: The tasks that were to be taken up again.
        outcome: "launching", "launched" or "failed" (the resume, not the run).
        created: Seconds since the epoch.
    """

    invocation_id: str
    number: int
    tasks: tuple[str, ...]
    outcome: str
    error: str
    created: float


def add_resume(invocation_id: str, tasks: Sequence[str]) -> int:
    """Write down a resume before it is made.

    Returns:
        Its number within the invocation.

    Raises:
        StorageError: It could not be written; the resume must not be made.
    """
    with connection() as opened:
        opened.execute("BEGIN IMMEDIATE")
        last = opened.execute(
            "SELECT COALESCE(MAX(number), 0) FROM resumes WHERE invocation_id=?", (invocation_id,)
        ).fetchone()[0]
        opened.execute(
            "INSERT INTO resumes (invocation_id, number, tasks, outcome, error, created) VALUES (?,?,?,?,?,?)",
            (invocation_id, last + 1, json.dumps(list(tasks)), LAUNCHING, "", time.time()),
        )
        opened.execute("COMMIT")
    return int(last) + 1


def finish_resume(invocation_id: str, number: int, outcome: str, error: str = "") -> None:
    """Write down how a resume went."""
    with connection() as opened:
        opened.execute(
            "UPDATE resumes SET outcome=?, error=? WHERE invocation_id=? AND number=?",
            (outcome, error, invocation_id, number),
        )


def resumes(invocation_id: str) -> list[Resume]:
    """The resumes of an invocation, the last first."""
    with connection() as opened:
        found = opened.execute(
            "SELECT * FROM resumes WHERE invocation_id=? ORDER BY number DESC", (invocation_id,)
        ).fetchall()
    return [rows.read(dict(row), Resume, "tasks") for row in found]
