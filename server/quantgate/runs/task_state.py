"""The state of a task wherever it runs: on this machine, or where its files were copied from: a cluster, a tracking server."""

from __future__ import annotations

from dataclasses import replace

from .clusters import remote_status
from .clusters.origins import origin
from .exports import tracked
from .rundir import TaskDir
from .status import TaskStatus, task_status


def state_of(task: TaskDir, expected: int | None = None) -> TaskStatus:
    """The state of one task.

    A copy of a Slurm task's files says nothing of a job that is still in the queue: there the scheduler is asked.

    Args:
        task: From a `RunDir`.
        expected: Samples times repeats that it is to answer; None when not known.
    """
    exported = tracked.origin(task)
    if exported is not None and (copied := tracked.state_of_copy(task, exported, expected)) is not None:
        return copied
    there = origin(task)
    if there is None or task.launcher() != "slurm":
        return task_status(task, expected)
    seen = remote_status.see(replace(there, only=""), {} if expected is None else {task.directory: expected})
    found = next((row for row in seen.tasks if row.task == task.directory), None)
    state = seen.state or "unknown"
    return found or TaskStatus(task.directory, state, seen.reason, samples_expected=expected)
