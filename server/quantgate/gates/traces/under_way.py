"""A resume that is being launched: written down, not on disk yet. Until it is, the files still tell of the run before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...errors import StorageError
from ...launcher import launch_lock
from ...runs.invocation import LIVE
from ...runs.status import TaskStatus
from .. import ledger

LEFT = "its server ended before it could write down how it went"


def shown(attempt: ledger.Attempt, tasks: Sequence[TaskStatus]) -> tuple[TaskStatus, ...]:
    """The tasks of a launch, with those that are being taken up again right now as resuming.

    Args:
        attempt: The launch.
        tasks: As their files tell.
    """
    if any(task.state in LIVE for task in tasks):
        return tuple(tasks)
    last = next(iter(ledger.resumes(attempt.invocation_id)), None)
    if last is None or last.outcome != ledger.LAUNCHING or not launch_lock.held(attempt.invocation_id):
        return tuple(tasks)
    return tuple(
        replace(task, state="resuming", reason="it is being taken up again") if task.task in last.tasks else task
        for task in tasks
    )


def close(attempt: ledger.Attempt, number: int, outcome: str, error: str = "") -> bool:
    """Write down how a resume went, and whether that could be; a disk that is full by now changes nothing of how it went."""
    try:
        ledger.finish_resume(attempt.invocation_id, number, outcome, error)
    except StorageError:
        return False
    return True


def close_abandoned(attempt: ledger.Attempt) -> None:
    """Close resumes that a killed server left open; only for who holds the launch lock, and so knows that nobody starts them."""
    for resume in ledger.resumes(attempt.invocation_id):
        if resume.outcome == ledger.LAUNCHING:
            ledger.finish_resume(attempt.invocation_id, resume.number, "unknown", LEFT)
