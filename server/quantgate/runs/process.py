"""Which record speaks for a task of a process run."""

from __future__ import annotations

from ..launcher.runner_record import RUNNER_FILE, RunnerRecord, alive, read_runner, session
from ..machine import boot_id
from .rundir import TaskDir

__all__ = ["RunnerRecord", "alive", "orphaned", "runner_of"]


def runner_of(task: TaskDir) -> RunnerRecord | None:
    """The record that speaks for a task: its own, else the invocation's."""
    return read_runner(task.logs / RUNNER_FILE) or read_runner(task.path.parent / RUNNER_FILE)


def orphaned(record: RunnerRecord) -> bool:
    """Whether the runner is gone and its harness goes on without it."""
    return record.boot_id == boot_id() and bool(session(record))
