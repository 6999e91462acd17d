"""Watching runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from ..gates import judging, ledger, waiting
from ..runs.invocation import LIVE
from .gate_rows import CanaryGate, gate_row, gate_warnings
from .spec import ToolResult, ToolSpec

NEWEST = 10


class TaskRow(BaseModel):
    """One task; -1 stands for not known."""

    task: str
    state: str
    reason: str
    scheduler_state: str = ""
    samples_done: int = -1
    samples_expected: int = -1
    eta_seconds: int = -1
    job_ids: list[str]


class RunRow(BaseModel):
    """One run."""

    invocation_id: str
    kind: str
    executor: str
    state: str
    run_dir: str
    gate: CanaryGate
    tasks: list[TaskRow]


class StatusResult(ToolResult):
    """The runs that were asked for, or the newest ones."""

    runs: list[RunRow]
    omitted: int = 0


def status(
    invocation_ids: Annotated[list[str], Field(description="Ids or run directories; empty: the newest runs.")] = [],  # noqa: B006
    wait_seconds: Annotated[int, Field(description="Wait this long for a change of state, at most 45.")] = 0,
) -> StatusResult:
    """Tell the state of runs: per task the state with its reason, samples done and expected, and the time left; a finished
    canary is judged. -1 means not known; failed is said only when it is known. Works after a restart of the server.
    Example: status(invocation_ids=["4f0c9d…"], wait_seconds=30)."""
    known = [a.invocation_id for a in ledger.attempts(limit=1000)] if not invocation_ids else []
    wanted = invocation_ids or known[:NEWEST]
    views = waiting.until_change(wanted, wait_seconds)
    return StatusResult(
        next_step=_next_step(views),
        warnings=[warning for view in views for warning in gate_warnings(view)],
        runs=[_row(v) for v in views],
        omitted=max(0, len(known) - NEWEST),
    )


def _row(view: judging.View) -> RunRow:
    run = view.run
    return RunRow(
        invocation_id=run.invocation_id,
        kind=run.kind,
        executor=run.executor,
        state=view.state,
        run_dir=str(run.directory.path) if run.directory else "",
        gate=gate_row(view),
        tasks=[
            TaskRow(
                task=t.task,
                state=t.state,
                reason=t.reason,
                samples_done=_or_unknown(t.samples_done),
                samples_expected=_or_unknown(t.samples_expected),
                eta_seconds=_or_unknown(t.eta_seconds),
                job_ids=[f"{run.invocation_id}.{t.task.rsplit('.', 1)[-1]}"],
            )
            for t in view.tasks
        ],
    )


def _or_unknown(value: int | None) -> int:
    return -1 if value is None else value


def _next_step(views: list[judging.View]) -> str:
    live = [v.run.invocation_id for v in views if v.state in LIVE]
    if live:
        return f"status(invocation_ids={live[:5]!r}, wait_seconds=30) until it ends; report changes only."
    if not views:
        return "No run is known here: canary(config=…) starts one, or give the directory of a run."
    view = views[0]
    invocation = view.run.invocation_id
    if view.run.kind == "canary" and view.gate and view.gate.passed and view.run.attempt:
        return f"run(config={view.run.attempt.config!r}): the canary passed."
    if view.state == "succeeded" and view.run.kind != "canary":
        return f"verify_run(run='{invocation}') before any score is reported."
    return f"logs(invocation_id='{invocation}') shows why it {view.state}."


TOOL = ToolSpec(function=status, step="-", title="Status of runs", open_world=True)
