"""Taking a run up again."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from ..gates.resume import relaunch, resuming
from .next_call import call
from .spec import ToolResult


class RefusedTask(BaseModel):
    """A task that is not taken up again."""

    task: str
    reason: str


class ResumedJob(BaseModel):
    """A task's new job on a cluster."""

    task: str
    job_id: str


class ResumeResult(ToolResult):
    """What was taken up again."""

    invocation_id: str
    resumed: list[str]
    refused: list[RefusedTask]
    jobs: list[ResumedJob]
    answers_kept: int = Field(description="Not asked for again; -1: not counted.")


def resume(
    invocation_id: Annotated[str, Field(description="Invocation id, run directory or host:/path.")],
    tasks: Annotated[
        list[str], Field(description="Only these tasks, as status names them; empty: all that did not succeed.")
    ] = [],  # noqa: B006
) -> ResumeResult:
    """Take up what a run did not finish (failed, cancelled or interrupted tasks), in the same directory: answered requests are not
    repeated. Never starts a task that runs or succeeded.

    Use it once the cause is mended; the config must be as it was at the launch. Not after a change of the config: that is dry_run
    and canary again. Not for finding the cause: that is logs.
    Example: resume(invocation_id="4f0c9d1e7b2d4860")
    """
    done = resuming.resume(invocation_id, tasks)
    return ResumeResult(
        next_step=_next_step(done),
        warnings=list(done.warnings),
        invocation_id=done.run.invocation_id,
        resumed=list(done.resumed),
        refused=[RefusedTask(task=r.task, reason=r.reason) for r in done.refused],
        jobs=[ResumedJob(task=task, job_id=job) for task, job in done.jobs.items()],
        answers_kept=done.answers_kept,
    )


def _next_step(done: relaunch.Resumption) -> str:
    invocation = done.run.invocation_id
    watch = call("status", invocation_ids=[invocation], wait_seconds=30)
    if done.resumed:
        return f"{watch} until it ends."
    if any("sbatch" in r.reason for r in done.refused):
        return f"Tell the user what sbatch said; once its cause is mended, {call('resume', invocation_id=invocation)} again."
    if any("goes on" in r.reason or r.reason.startswith("it is ") for r in done.refused):
        return f"{watch}: it still goes on."
    return (
        f"{call('verify_run', run=invocation)} tells what it is worth; {call('status', invocation_ids=[invocation])} and "
        f"{call('logs', invocation_id=invocation)} tell what is not known of it."
    )
