from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quantgate.runs.progress import Progress, read_progress
from quantgate.runs.rundir import TaskDir
from quantgate.runs.stages import Stages

from .building import real_copy

STARTED = datetime(2026, 11, 21, 9, 54, 54, tzinfo=UTC)
RUNNING = Stages(True, True, STARTED, None, False)
DONE = Stages(True, True, STARTED, 0, False)


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskDir:
    monkeypatch.setenv("TZ", "UTC")
    return real_copy(tmp_path).tasks[0]


def _databases(task: TaskDir) -> list[str]:
    return sorted(p.name for p in task.artifacts.rglob("cache.db*"))


def test_a_running_task_counts_the_answers_in_its_caches(task: TaskDir) -> None:
    assert read_progress(task, RUNNING, None, STARTED) == Progress(20, None)


def test_reading_leaves_no_file_beside_the_databases(task: TaskDir) -> None:
    before = _databases(task)
    read_progress(task, RUNNING, 100, STARTED)
    assert _databases(task) == before


def test_the_eta_follows_from_the_rate_of_this_run(task: TaskDir) -> None:
    # 20 answers in the 40 s since the adapter started: 80 more need 160 s.
    progress = read_progress(task, RUNNING, 100, STARTED + timedelta(seconds=40.233))
    assert progress.done == 20
    assert progress.eta_seconds in (160, 161)


def test_answers_of_an_earlier_interrupted_run_do_not_speed_up_this_one(task: TaskDir) -> None:
    database = task.artifacts / "response_stats_cache" / "cache.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE Cache SET store_time = store_time - 3600 WHERE rowid <= 11 AND rowid > 1")
    connection.close()
    progress = read_progress(task, RUNNING, 100, STARTED + timedelta(seconds=40.233))
    assert progress.eta_seconds in (320, 321, 322)


def test_there_is_no_eta_before_two_answers(task: TaskDir) -> None:
    database = task.artifacts / "response_stats_cache" / "cache.db"
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM Cache WHERE rowid > 2")
    connection.close()
    (task.artifacts / "cache/responses/cache.db").unlink()
    progress = read_progress(task, RUNNING, 100, STARTED + timedelta(seconds=40))
    assert progress == Progress(1, None)


@pytest.mark.parametrize("expected", [20, 7])
def test_an_eta_is_never_negative_and_more_than_all_is_never_done(task: TaskDir, expected: int) -> None:
    assert read_progress(task, RUNNING, expected, STARTED - timedelta(seconds=9)) == Progress(expected, 0)


def test_a_clock_before_the_start_gives_no_eta(task: TaskDir) -> None:
    assert read_progress(task, RUNNING, 100, STARTED - timedelta(hours=9)).eta_seconds is None


def test_the_progress_file_comes_first(task: TaskDir) -> None:
    (task.artifacts / "progress").write_text("13")
    assert read_progress(task, RUNNING, None, STARTED).done == 13


@pytest.mark.parametrize("text", ["", "x", "1\n2"])
def test_a_half_written_progress_file_is_passed_over(task: TaskDir, text: str) -> None:
    (task.artifacts / "progress").write_text(text)
    assert read_progress(task, RUNNING, None, STARTED).done == 20


def test_a_finished_task_counts_its_scored_samples(task: TaskDir) -> None:
    scored = task.artifacts / "eval_results_loose.jsonl"
    scored.write_text("".join(scored.read_text().splitlines(keepends=True)[:15]))
    assert read_progress(task, DONE, 20, STARTED).done == 15


def test_a_locked_database_is_not_waited_for_long(task: TaskDir) -> None:
    (task.artifacts / "response_stats_cache/cache.db").unlink()
    holder = sqlite3.connect(task.artifacts / "cache/responses/cache.db", isolation_level=None)
    holder.execute("PRAGMA journal_mode=DELETE")
    holder.execute("BEGIN EXCLUSIVE")
    started = datetime.now(UTC)
    try:
        read_progress(task, RUNNING, 100, STARTED)
    finally:
        holder.close()
    assert (datetime.now(UTC) - started).total_seconds() < 3


def test_a_database_that_a_writer_has_open_is_read_with_what_it_wrote(task: TaskDir) -> None:
    (task.artifacts / "response_stats_cache/cache.db").unlink()
    writer = sqlite3.connect(task.artifacts / "cache/responses/cache.db", isolation_level=None)
    try:
        writer.execute("INSERT INTO Cache (key, raw, size) VALUES ('new', 1, 0)")
        assert (task.artifacts / "cache/responses/cache.db-wal").exists()
        assert read_progress(task, RUNNING, None, STARTED).done == 21
    finally:
        writer.close()


def test_a_broken_database_tells_nothing(task: TaskDir) -> None:
    for path in task.artifacts.rglob("cache.db"):
        path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)
    assert read_progress(task, RUNNING, 100, STARTED) == Progress(None, None)
