"""What nemo-evaluator's adapter stores while it runs (0.2.8): the cache of responses and the statistics of every answer.

Both are diskcache databases (SQLite). They are written by the adapter for every harness alike.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .opening import open_file

RESPONSE_CACHE = Path("cache/responses/cache.db")
STATS_CACHE = Path("response_stats_cache/cache.db")

_LOCK_SECONDS = 0.5
_QUERY_SECONDS = 2.0
_MAX_STATE_BYTES = 1 << 20
_MAX_CONFIG_BYTES = 1 << 20
_STATE = "SELECT CAST(value AS TEXT) FROM Cache WHERE key = 'interceptor_state' AND length(value) < ?"
_SUCCESSES = (
    "SELECT count(*) FROM Cache WHERE key != 'interceptor_state'"
    " AND instr(CAST(value AS TEXT), '\"status_code\": 200') > 0"
)
_OF_RUN = f"{_SUCCESSES} AND instr(CAST(value AS TEXT), ?) > 0"
_LATEST = 4_102_444_800
"""2100-01-01 in seconds since the epoch: no start is recorded later, and NaN is not before it."""
_REUSE = re.compile(rb"(?m)^[ \t-]*reuse_cached_responses:[ \t]*(true|false)[ \t]*\r?$")


@dataclass(frozen=True)
class Answers:
    """Successful answers in the statistics, of all starts of a task and of the latest one.

    Attributes:
        total: Of all starts.
        latest: Of the latest start; None when the statistics do not tell the starts apart.
        starts: How often the adapter was started in this directory.
        began: When the latest adapter started, in seconds since the epoch; None when it is not recorded.
    """

    total: int
    latest: int | None
    starts: int
    began: float | None


def read_answers(artifacts: Path) -> Answers | None:
    """The statistics of a task; None when there are none, or they cannot be read now."""
    with _open(artifacts / STATS_CACHE) as connection:
        if connection is None:
            return None
        try:
            row = connection.execute(_STATE, (_MAX_STATE_BYTES,)).fetchone()
            state = _State.of(row[0]) if row else _State(0, 0, None, None)
            total = int(connection.execute(_SUCCESSES).fetchone()[0])
            latest: int | None = total
            if state.starts > 1:
                latest = int(connection.execute(_OF_RUN, (f'"run_id": {state.run},',)).fetchone()[0])
        except (sqlite3.Error, TypeError):
            return None
    if total == 0 and state.successes:
        # `save_individuals: false` keeps the sum only.
        total, latest = state.successes, state.successes if state.starts <= 1 else None
    return Answers(total, latest, max(1, state.starts), state.began)


def cached_responses(artifacts: Path) -> int | None:
    """How many distinct requests have a stored response; None when that is not known."""
    with _open(artifacts / RESPONSE_CACHE) as connection:
        if connection is None:
            return None
        try:
            return int(connection.execute("SELECT count(*) FROM Cache").fetchone()[0])
        except (sqlite3.Error, TypeError):
            return None


def reuses_responses(artifacts: Path) -> bool:
    """Whether a task that is started again takes its earlier answers from the cache, by its run_config.yml."""
    try:
        with open_file(artifacts / "run_config.yml") as file:
            found = _REUSE.findall(file.read(_MAX_CONFIG_BYTES))
    except OSError:
        return False
    return bool(found) and all(value == b"true" for value in found)


@dataclass(frozen=True)
class _State:
    """What the adapter keeps about its own starts."""

    run: int
    starts: int
    began: float | None
    successes: int | None

    @classmethod
    def of(cls, text: str) -> _State:
        try:
            data = json.loads(text)
            latest = data["run_ids"][-1]
            run = int(latest["run_id"])
            summed = data.get("aggregated_stats") or {}
            successes = summed.get("successful_count")
            return cls(
                run,
                len(data["run_ids"]),
                _start(latest, summed.get("inference_run_times"), run),
                successes if isinstance(successes, int) else None,
            )
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError):
            return cls(0, 0, None, None)


def _start(latest: dict[str, Any], times: Any, run: int) -> float | None:
    # The statistics hold seconds since the epoch, the list of starts only the container's local time without an offset.
    recorded = times.get(str(run), {}).get("run_start") if isinstance(times, dict) else None
    if isinstance(recorded, int | float):
        return float(recorded) if 0 < recorded < _LATEST else None
    return datetime.fromisoformat(latest["start"]).timestamp()


@contextmanager
def _open(database: Path) -> Iterator[sqlite3.Connection | None]:
    """A diskcache database, read-only and without creating files beside it; None when it cannot be read now."""
    if not database.is_file():
        yield None
        return
    # Reading a database in WAL mode creates its -wal and -shm files unless it is opened as immutable, which is right
    # only while no writer has them open.
    live = database.with_name(database.name + "-wal").exists()
    uri = f"{database.absolute().as_uri()}?mode=ro" + ("" if live else "&immutable=1")
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=_LOCK_SECONDS)
    except sqlite3.Error:
        yield None
        return
    with closing(connection):
        deadline = time.monotonic() + _QUERY_SECONDS
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        yield connection
