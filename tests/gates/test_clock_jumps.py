"""A clock that jumps, in the process that looks: it decides neither that a run failed nor that a launch is over."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from quantgate.gates import ledger
from quantgate.gates.judgement import judging
from quantgate.gates.traces import lookup
from quantgate.launcher import launch_lock
from quantgate.runs import status
from quantgate.runs.rundir import RunDir

from ..runs.building import TASK, age, empty_task, real_copy, runner, stage

JUMPS = [-400 * 86400, -86400, -120, 120, 86400, 400 * 86400]
NOBODY = 4_194_303
"""The largest process id that Linux gives; no process here has it."""

pytestmark = pytest.mark.parametrize("jump", JUMPS)


@pytest.fixture(autouse=True)
def clock(jump: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of this process, as the code reads it; the machine's own is not touched."""
    now = time.time

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=jump)

    monkeypatch.setattr(time, "time", lambda: now() + jump)
    monkeypatch.setattr(status, "datetime", Shifted)


def _row(task_folder: Path) -> status.TaskStatus:
    return status.task_status(RunDir.find(task_folder.parent).tasks[0], 20)


def test_a_task_whose_process_lives_is_running(jump: int, tmp_path: Path) -> None:
    task = empty_task(tmp_path)
    stage(task, "pre-start")
    stage(task, "running", datetime.now(UTC).isoformat())
    runner(task.logs)
    row = _row(task.path)
    assert row.state == "running"
    assert row.eta_seconds is None or row.eta_seconds >= 0


def test_a_task_whose_process_is_gone_is_interrupted_not_failed(jump: int, tmp_path: Path) -> None:
    task = empty_task(tmp_path)
    stage(task, "pre-start")
    stage(task, "running", datetime.now(UTC).isoformat())
    runner(task.logs, pid=NOBODY)
    assert _row(task.path).state == "interrupted"


def test_a_task_without_any_record_is_never_called_failed_or_succeeded(jump: int, tmp_path: Path) -> None:
    task = empty_task(tmp_path)
    stage(task, "pre-start")
    stage(task, "running", datetime.now(UTC).isoformat())
    assert _row(task.path).state in {"running", "unknown"}


def test_a_finished_task_stays_what_it_was_whatever_the_times_of_its_files(jump: int, tmp_path: Path) -> None:
    run = real_copy(tmp_path)
    for folder in (run.path / TASK, run.path / TASK / "logs", run.path / TASK / "artifacts"):
        age(folder, jump * 3)
    row = status.task_status(run.tasks[0], 20)
    assert (row.state, row.samples_done) == ("succeeded", 20)


def _attempt(tmp_path: Path) -> ledger.Attempt:
    """A canary whose directory is made and whose runner has not begun."""
    identifier = "0123456789abcdef"
    attempt = ledger.Attempt(identifier, "canary", "f" * 64, str(tmp_path / "eval.yaml"), "process", str(tmp_path))
    folder = tmp_path / f"20260102_030405-{identifier}" / TASK
    for part in ("logs", "artifacts"):
        (folder / part).mkdir(parents=True)
    (folder / "command.sh").write_text("#!/bin/sh\n")
    moment = time.time()
    os.utime(folder, (moment - 3600, moment - 3600))
    return attempt


def test_a_launch_under_way_is_pending_and_its_canary_is_not_judged(jump: int, tmp_path: Path) -> None:
    attempt = _attempt(tmp_path)
    with launch_lock.taken(attempt.invocation_id):
        ledger.add_attempt(attempt)
        view = judging.view(lookup.find(attempt.invocation_id))
        assert view.state == "pending"
        assert view.gate is None
        assert judging.may_run(attempt)
    assert ledger.gate(attempt.fingerprint, "canary", attempt.invocation_id) is None
