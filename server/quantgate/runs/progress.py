"""How many samples a task has answered, and when it will be done, from what nemo-evaluator writes while it runs."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .rundir import TaskDir
from .stages import Stages

RESPONSE_CACHE = Path("cache/responses/cache.db")
STATS_CACHE = Path("response_stats_cache/cache.db")
PER_SAMPLE_FILES = ("eval_results_loose.jsonl",)
"""Files with one line per scored sample, written at the end, by harness: ifbench."""

_LOCK_SECONDS = 0.5
_QUERY_SECONDS = 2.0
_MAX_STATE_BYTES = 1 << 20
_SUCCESSES = (
    "SELECT count(*) FROM Cache WHERE key != 'interceptor_state'"
    " AND instr(CAST(value AS TEXT), '\"status_code\": 200') > 0"
)


@dataclass(frozen=True)
class Progress:
    """A task's progress.

    Attributes:
        done: Answered samples (requests, for harnesses that ask more than once); None when nothing tells.
        eta_seconds: Until the last of the expected samples; None before two are answered or when none are expected.
    """

    done: int | None
    eta_seconds: int | None


def read_progress(task: TaskDir, stages: Stages, expected: int | None, now: datetime) -> Progress:
    """A task's progress; never waits long for a database that another process holds."""
    finished = _scored_lines(task.artifacts) if stages.exit_code is not None else None
    if finished is not None:
        return Progress(finished, None)
    done = _requests(task.artifacts)
    if done is None:
        done = _largest(
            _count_rows(task.artifacts / RESPONSE_CACHE, "SELECT count(*) FROM Cache"), _stats_rows(task.artifacts)
        )
    if done is not None and expected:
        # A retry or a second turn is a request too; more than all the samples cannot be done.
        done = min(done, expected)
    running = stages.running and stages.exit_code is None
    return Progress(done, _eta(task.artifacts, stages, done, expected, now) if running else None)


def _eta(artifacts: Path, stages: Stages, done: int | None, expected: int | None, now: datetime) -> int | None:
    if not expected or done is None:
        return None
    if done >= expected:
        return 0
    began = _adapter_start(artifacts) or (stages.running_since.timestamp() if stages.running_since else None)
    if began is None:
        return None
    # Answers that an earlier, interrupted run left in the cache say nothing about this run's rate.
    query = f"{_SUCCESSES} AND store_time >= ?"
    recent = _count_rows(artifacts / STATS_CACHE, query, (began,))
    answered = done if recent is None else min(recent, done)
    elapsed = now.timestamp() - began
    if answered < 2 or elapsed <= 0:
        return None
    return math.ceil((expected - done) * elapsed / answered)


def _adapter_start(artifacts: Path) -> float | None:
    """When the latest run's adapter started, seconds before its first request (nemo-evaluator 0.2.8)."""
    query = "SELECT CAST(value AS TEXT) FROM Cache WHERE key = 'interceptor_state' AND length(value) < ?"
    with _open(artifacts / STATS_CACHE) as connection:
        if connection is None:
            return None
        try:
            row = connection.execute(query, (_MAX_STATE_BYTES,)).fetchone()
            # The interceptor writes local time without an offset.
            return datetime.fromisoformat(json.loads(row[0])["run_ids"][-1]["start"]).timestamp() if row else None
        except (sqlite3.Error, ValueError, KeyError, IndexError, TypeError):
            return None


def _requests(artifacts: Path) -> int | None:
    """The count of the progress_tracking interceptor, when it is on."""
    try:
        with (artifacts / "progress").open("rb") as file:
            return max(0, int(file.read(32)))
    except (OSError, ValueError):
        return None


def _scored_lines(artifacts: Path) -> int | None:
    for name in PER_SAMPLE_FILES:
        try:
            with (artifacts / name).open("rb") as file:
                return sum(block.count(b"\n") for block in iter(lambda f=file: f.read(1 << 20), b""))  # type: ignore[misc]
        except OSError:
            continue
    return None


def _stats_rows(artifacts: Path) -> int | None:
    return _count_rows(artifacts / STATS_CACHE, _SUCCESSES)


def _largest(*counts: int | None) -> int | None:
    # The response cache collapses identical repeats; the statistics may be switched off: each can only miss some.
    return max((c for c in counts if c is not None), default=None)


def _count_rows(database: Path, query: str, arguments: tuple[float, ...] = ()) -> int | None:
    with _open(database) as connection:
        if connection is None:
            return None
        try:
            return int(connection.execute(query, arguments).fetchone()[0])
        except (sqlite3.Error, TypeError):
            return None


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
