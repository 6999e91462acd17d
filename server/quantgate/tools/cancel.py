"""Ending a run."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from ..gates.cancel import cancelling
from ..gates.cancel.cancellation import Cancellation
from .next_call import call
from .spec import ToolResult


class CancelledTask(BaseModel):
    """A task that was ended."""

    task: str
    job_ids: list[str]


class FinishedTask(BaseModel):
    """A task that had ended by itself."""

    task: str
    state: str


class CancelResult(ToolResult):
    """What was ended, and what was found afterwards."""

    invocation_id: str
    cancelled: list[CancelledTask]
    still_running: list[str] = Field(description="Processes, containers, jobs.")
    finished: list[FinishedTask] = Field(description="Had ended before.")


def cancel(
    invocation_id: Annotated[str, Field(description="Invocation id, run directory or host:/path.")],
    tasks: Annotated[list[str], Field(description="Only these tasks, as status names them; empty: all.")] = [],  # noqa: B006
) -> CancelResult:
    """End a canary or run, or some of its tasks: all processes, containers and jobs that it started, looked at afterwards. Answers
    and logs stay.

    Use it when the user asked for it; else ask them first. Not for one that only waits or is slow: that is status. resume takes
    it up again.
    Example: cancel(invocation_id="4f0c9d1e7b2d4860")
    """
    done = cancelling.cancel(invocation_id, tasks)
    return CancelResult(
        next_step=_next_step(done),
        warnings=_warnings(done),
        invocation_id=done.run.invocation_id,
        cancelled=[CancelledTask(task=t, job_ids=_job_ids(done, t)) for t in done.cancelled],
        still_running=list(done.still_running),
        finished=[FinishedTask(task=task, state=state) for task, state in done.finished],
    )


def _job_ids(done: Cancellation, task: str) -> list[str]:
    """Slurm's ids on a cluster, else NEL's own."""
    if done.jobs:
        return list(done.jobs.get(task, ()))
    index = task.rpartition(".")[2]
    return [f"{done.run.invocation_id}.{index}"] if index.isdecimal() else []


def _warnings(done: Cancellation) -> list[str]:
    left = ["Not everything is ended, as far as was seen; what is listed may still run."] if done.still_running else []
    left += [f"The container {name} had outlived its task and was ended." for name in done.leftovers[:10]]
    return left + list(done.notes)


def _next_step(done: Cancellation) -> str:
    run = done.run
    named = run.invocation_id if run.attempt or not run.remote else run.remote.address
    stands = call("status", invocation_ids=[named])
    if done.still_running:
        return f"{call('cancel', invocation_id=named)} once more; if the same still runs, tell the user what it is."
    if done.cancelled and run.attempt is None:
        return "Tell the user that it is ended; it was not launched by quantgate, so they take it up again themselves."
    if done.cancelled:
        return (
            f"Tell the user that it is ended; {call('resume', invocation_id=named)} takes it up again where it stopped."
        )
    if any(state in ("unknown", "unreachable") for _, state in done.finished):
        return f"Nothing of it was found to end. {stands} says what is not known of it, and why."
    return f"Nothing of it was running. {stands} shows how it ended."
