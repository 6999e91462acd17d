"""What a run of the campaign leaves to judge it by, and what is said of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .job import Journal
from .truth import Truth
from .world import World


@dataclass(frozen=True)
class Violation:
    """Something that must not be.

    Attributes:
        invariant: Its name in the record.
        what: What was found.
    """

    invariant: str
    what: str


@dataclass(frozen=True)
class Evidence:
    """All that is known of a run of the campaign.

    Attributes:
        faults: The log of the faults, with their times.
        final: The answer of `status` of a new server, after everything.
    """

    world: World
    journal: Journal
    truth: Truth
    faults: Sequence[dict[str, Any]]
    final: dict[str, dict[str, Any]]


def rows(path: Path, query: str) -> list[dict[str, Any]]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as opened:
        opened.row_factory = sqlite3.Row
        rows = [dict(row) for row in opened.execute(query)]
    opened.close()
    return rows


def attempts(world: World) -> dict[str, dict[str, Any]]:
    """The ledger's launches, oldest first."""
    file = world.state / "ledger.sqlite"
    return (
        {row["invocation_id"]: row for row in rows(file, "SELECT * FROM attempts ORDER BY rowid")}
        if file.exists()
        else {}
    )
