"""Ending a run."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from ..gates import cancelling
from .spec import ToolResult, ToolSpec


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
    still_running: list[str] = Field(description="What still runs, by process or container; empty when all is gone.")
    finished: list[FinishedTask] = Field(description="Had ended before: nothing was done to them.")


def cancel(
    invocation_id: Annotated[str, Field(description="The run's id or directory.")],
    tasks: Annotated[list[str], Field(description="Only these tasks; empty: all.")] = [],  # noqa: B006
) -> CancelResult:
    """End a canary or run, or some of its tasks: all that it started, looked at afterwards. Ask the user first unless they asked
    for it. Answers and logs stay; resume takes it up again. Example: cancel(invocation_id="4f0c9d…")."""
    done = cancelling.cancel(invocation_id, tasks)
    return CancelResult(
        next_step=_next_step(done),
        warnings=_warnings(done),
        invocation_id=done.run.invocation_id,
        cancelled=[CancelledTask(task=t, job_ids=_job_ids(done.run.invocation_id, t)) for t in done.cancelled],
        still_running=list(done.still_running),
        finished=[FinishedTask(task=task, state=state) for task, state in done.finished],
    )


def _job_ids(invocation_id: str, task: str) -> list[str]:
    index = task.rpartition(".")[2]
    return [f"{invocation_id}.{index}"] if index.isdigit() else []


def _warnings(done: cancelling.Cancellation) -> list[str]:
    left = ["Not everything is ended; what is listed still runs."] if done.still_running else []
    return left + [f"The container {name} had outlived its task and was ended." for name in done.leftovers[:10]]


def _next_step(done: cancelling.Cancellation) -> str:
    invocation = done.run.invocation_id
    if done.still_running:
        return f"cancel(invocation_id='{invocation}') once more; if the same still runs, tell the user what it is."
    if done.cancelled:
        return (
            f"Tell the user that it is ended; resume(invocation_id='{invocation}') takes it up again where it stopped."
        )
    return f"Nothing of it was running. status(invocation_ids=['{invocation}']) shows how it ended."


TOOL = ToolSpec(function=cancel, step="-", title="Cancel a run", read_only=False, destructive=True, open_world=True)
