"""Which record speaks for a task of a process run."""

from __future__ import annotations

from ..launcher.runner_record import RUNNER_FILE, RunnerRecord, alive, read_runner
from .rundir import TaskDir

__all__ = ["RunnerRecord", "alive", "runner_of"]


def runner_of(task: TaskDir) -> RunnerRecord | None:
    """The record that speaks for a task: its own, else the invocation's."""
    return read_runner(task.logs / RUNNER_FILE) or read_runner(task.path.parent / RUNNER_FILE)
