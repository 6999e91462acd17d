from __future__ import annotations

import json
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quantgate.runs.progress import Progress, read_progress
from quantgate.runs.rundir import TaskDir
from quantgate.runs.stages import Stages

from .building import real_copy

STARTED = datetime(2026, 11, 21, 9, 54, 54, tzinfo=UTC)
RUNNING = Stages(True, True, STARTED, None, False)
STATE = "SELECT CAST(value AS TEXT) FROM Cache WHERE key = 'interceptor_state'"
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


def _started_again(task: TaskDir, answered_now: int, reuse: bool = True) -> None:
    """Make the record one of two starts, as the adapter writes it: the last answers belong to the second."""
    database = task.artifacts / "response_stats_cache" / "cache.db"
    with sqlite3.connect(database) as connection:
        state = json.loads(connection.execute(STATE).fetchone()[0])
        first = {**state["run_ids"][0], "start": "2026-11-21T08:54:54"}
        state["run_ids"] = [first, {**state["run_ids"][0], "run_id": 1}]
        times = state["aggregated_stats"]["inference_run_times"]
        state["aggregated_stats"]["inference_run_times"] = {"0": {**times["0"], "run_start": 1.0}, "1": times["0"]}
        connection.execute("UPDATE Cache SET value = ? WHERE key = 'interceptor_state'", (json.dumps(state),))
        connection.execute(
            "UPDATE Cache SET value = replace(value, '\"run_id\": 0', '\"run_id\": 1') WHERE rowid > ?",
            (21 - answered_now,),
        )
    connection.close()
    config = task.artifacts / "run_config.yml"
    text = config.read_text()
    assert "reuse_cached_responses: true" in text
    if not reuse:
        config.write_text(text.replace("reuse_cached_responses: true", "reuse_cached_responses: false"))


def test_answers_of_an_earlier_interrupted_run_do_not_speed_up_this_one(task: TaskDir) -> None:
    _started_again(task, answered_now=10)
    progress = read_progress(task, RUNNING, 100, STARTED + timedelta(seconds=40.233))
    assert progress.done == 20
    assert progress.eta_seconds in (320, 321, 322)


def test_a_resumed_run_that_asks_everything_again_counts_only_what_it_asked_itself(task: TaskDir) -> None:
    _started_again(task, answered_now=3, reuse=False)
    assert read_progress(task, RUNNING, 100, STARTED).done == 3


def test_the_start_is_read_as_a_point_in_time_whatever_the_time_zone_of_the_container(
    task: TaskDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The list of starts holds local time without an offset: here the container's zone is UTC, this machine's is not.
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        progress = read_progress(task, RUNNING, 100, STARTED + timedelta(seconds=40.233))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert progress.eta_seconds in (160, 161)


def test_statistics_without_single_answers_still_give_their_sum(task: TaskDir) -> None:
    with sqlite3.connect(task.artifacts / "response_stats_cache/cache.db") as connection:
        connection.execute("DELETE FROM Cache WHERE key != 'interceptor_state'")
    connection.close()
    (task.artifacts / "cache/responses/cache.db").unlink()
    assert read_progress(task, RUNNING, 100, STARTED).done == 20


def test_identical_repeats_that_the_response_cache_holds_once_are_counted_by_the_statistics(task: TaskDir) -> None:
    with sqlite3.connect(task.artifacts / "cache/responses/cache.db") as connection:
        connection.execute("DELETE FROM Cache WHERE rowid > 5")
    connection.close()
    assert read_progress(task, RUNNING, 100, STARTED).done == 20


def test_failed_answers_are_not_done(task: TaskDir) -> None:
    with sqlite3.connect(task.artifacts / "response_stats_cache/cache.db") as connection:
        connection.execute(
            "UPDATE Cache SET value = replace(value, '\"status_code\": 200', '\"status_code\": 500') WHERE rowid > 12"
        )
    connection.close()
    (task.artifacts / "cache/responses/cache.db").unlink()
    assert read_progress(task, RUNNING, 100, STARTED).done == 11


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


@pytest.mark.parametrize(("written", "done"), [("13", 20), ("26", 26)])
def test_a_progress_file_that_lags_behind_does_not_hide_answers(task: TaskDir, written: str, done: int) -> None:
    (task.artifacts / "progress").write_text(written)
    assert read_progress(task, RUNNING, None, STARTED).done == done


@pytest.mark.parametrize("text", ["", "x", "1\n2"])
def test_a_half_written_progress_file_is_passed_over(task: TaskDir, text: str) -> None:
    (task.artifacts / "progress").write_text(text)
    assert read_progress(task, RUNNING, None, STARTED).done == 20


def test_a_finished_task_counts_its_scored_samples(task: TaskDir) -> None:
    scored = task.artifacts / "eval_results_loose.jsonl"
    scored.write_text("".join(scored.read_text().splitlines(keepends=True)[:15]))
    assert read_progress(task, DONE, 20, STARTED).done == 15
    scored.write_text(scored.read_text().rstrip("\n"))
    assert read_progress(task, DONE, 20, STARTED).done == 15
    assert read_progress(task, DONE, 9, STARTED).done == 9


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


@pytest.mark.parametrize("start", ["NaN", "-1e308", "1e999", "9" * 400, "-5"])
def test_a_start_that_can_be_none_is_not_taken_for_one(task: TaskDir, start: str) -> None:
    database = task.artifacts / "response_stats_cache" / "cache.db"
    with sqlite3.connect(database) as connection:
        state = json.loads(connection.execute(STATE).fetchone()[0])
        state["aggregated_stats"]["inference_run_times"]["0"]["run_start"] = "START"
        text = json.dumps(state).replace('"START"', start)
        connection.execute("UPDATE Cache SET value = ? WHERE key = 'interceptor_state'", (text,))
    connection.close()
    # The stage file's start is taken instead.
    assert read_progress(task, RUNNING, 100, STARTED + timedelta(seconds=40)) == Progress(20, 160)
