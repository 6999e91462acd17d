"""The logs of an attempt before a resume: kept, shown after those of the newest attempt, and no cause against it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quantgate.launcher import process_runner
from quantgate.runs.logs import log_files
from quantgate.runs.reason import failure_reason
from quantgate.runs.rundir import TaskDir
from quantgate.runs.scanner import files
from quantgate.runs.scanning.scan import scan
from quantgate.runs.telling import telling_lines

from .building import empty_task

KILLED = "command.sh: line 88:    33 Killed                  $cmd run_eval --run_config config_ef.yaml\n"


@pytest.fixture
def task(tmp_path: Path) -> TaskDir:
    """A task that was killed once and resumed to its end."""
    made = empty_task(tmp_path)
    for name, text in (("client_stdout.log", KILLED), ("stdout.log", "task ended with exit code 137\n")):
        (made.logs / name).write_text(text, "utf-8")
    process_runner._put_aside(made.logs)
    for name in ("client_stdout.log", "stdout.log"):
        (made.logs / name).write_text("fine\n", "utf-8")
    return made


def test_what_broke_the_attempt_before_a_resume_does_not_fail_the_run_that_was_resumed(task: TaskDir) -> None:
    report = scan([task])
    (found,) = [c for c in report.classes if c.name == "host_oom"]
    assert (report.verdict, found.earlier_job, found.severity) == ("suspicious", True, "suspect")
    assert found.meaning.startswith("Before the run was taken up again: ")
    (task.logs / "client_stdout.log").write_text(KILLED, "utf-8")
    again = scan([task])
    assert [(c.name, c.earlier_job) for c in again.classes if not c.earlier_job] == [("host_oom", False)]
    assert again.verdict == "failed"


def test_each_attempt_has_logs_of_its_own_and_the_newest_come_first(task: TaskDir) -> None:
    process_runner._put_aside(task.logs)
    (task.logs / "client_stdout.log").write_text("third\n", "utf-8")
    # Whatever the times of the files say.
    os.utime(task.logs / "client_stdout.log", (1, 1))
    listed = [(log.path.name, log.role) for log in log_files(task)]
    assert listed == [
        ("client_stdout.log", "client"),
        ("client_stdout.attempt-2.log", "client"),
        ("stdout.attempt-2.log", "runner"),
        ("client_stdout.attempt-1.log", "client"),
        ("stdout.attempt-1.log", "runner"),
    ]
    assert (task.logs / "client_stdout.attempt-1.log").read_text("utf-8") == KILLED


def test_a_slurm_log_is_no_attempt_and_a_name_that_only_looks_like_one_is_none() -> None:
    assert files.job_of("client-77.log") == "77"
    assert files.job_of("client_stdout.attempt-3.log") == "attempt-3"
    assert files.job_of("client_stdout.attempt-x.log") == ""
    assert files.job_of("client_stdout.attempt-1.txt") == ""


def test_a_task_that_was_resumed_and_failed_anew_is_told_by_its_own_logs(task: TaskDir) -> None:
    (task.logs / "client_stdout.attempt-1.log").write_text("torch.OutOfMemoryError: CUDA out of memory\n", "utf-8")
    raised = "Traceback (most recent call last):\n  File \"/h/run.py\", line 1, in main\nKeyError: 'choices'\n"
    (task.logs / "client_stdout.log").write_text(raised, "utf-8")
    assert failure_reason(task) == "client_stdout.log: KeyError: 'choices' (run.py:1 in main)"
    assert [told.file for told in telling_lines(task)] == ["client_stdout.log"]
    for log in ("client_stdout.log", "stdout.log"):
        (task.logs / log).unlink()
    assert "CUDA out of memory" in failure_reason(task), "nothing else is left to tell"
