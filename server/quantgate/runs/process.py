"""Which record speaks for a task that was started on this machine."""

from __future__ import annotations

from ..launcher.runner_record import RUNNER_FILE, SCRIPT_FILE, RunnerRecord, alive, read_runner, session
from ..system.machine import boot_id
from .rundir import TaskDir

__all__ = ["RunnerRecord", "alive", "orphaned", "runner_of", "successor_of"]


def runner_of(task: TaskDir) -> RunnerRecord | None:
    """The record that speaks for a task: its own, else the invocation's; of a runner, or of NEL's script for containers."""
    file = SCRIPT_FILE if task.launcher() == "docker" else RUNNER_FILE
    own = task.path if file == SCRIPT_FILE else task.logs
    return read_runner(own / file) or read_runner(task.path.parent / file)


def successor_of(task: TaskDir) -> RunnerRecord | None:
    """The record of the runner that resumed this invocation with this task on its list; None when there is none."""
    file = SCRIPT_FILE if task.launcher() == "docker" else RUNNER_FILE
    for folder in (task.path.parent, task.path):
        record = read_runner(folder / file)
        if record is not None and task.directory in record.tasks:
            return record
    return None


def orphaned(record: RunnerRecord) -> bool:
    """Whether the runner is gone and its harness goes on without it."""
    return record.boot_id == boot_id() and bool(session(record))
