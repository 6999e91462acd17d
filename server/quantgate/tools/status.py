"""Watching runs."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from ..errors import BadInput
from ..gates.judgement import judging
from ..gates.traces import remote_views
from ..gates.views import overview, waiting
from ..runs.exports import records
from ..runs.invocation import LIVE
from ..runs.status import State, TaskStatus
from .gate_rows import CanaryGate, gate_row, gate_warnings
from .next_call import call
from .spec import ToolResult

NEWEST = 10
MOST = 50
"""Runs in one answer, when they are asked for by name."""
MOST_JOBS = 20
"""Slurm jobs of one task in an answer: the newest of the chain."""
MOST_TASKS = 120
"""In one answer: a sweep has a thousand, and clients take answers of some ten thousand tokens."""
MOST_CUT = 5
_FIRST: tuple[State, ...] = (
    "failed",
    "interrupted",
    "unknown",
    "unreachable",
    "cancelled",
    "resuming",
    "running",
    "pending",
    "succeeded",
)
"""Which of too many tasks are shown: those of which something may have to be done."""


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
    """One run; its `reason` is empty where the tasks' reasons tell."""

    invocation_id: str
    kind: str
    executor: str
    state: str
    reason: str
    run_dir: str
    gate: CanaryGate
    tasks: list[TaskRow]
    exported: list[str] = Field(default_factory=list, description="As mlflow:RUN_ID.")


class StatusResult(ToolResult):
    """The runs that were asked for, or the newest ones."""

    runs: list[RunRow]
    omitted: int = 0


def status(
    invocation_ids: Annotated[
        list[str], Field(description="Ids, run directories, host:/path or mlflow:RUN_ID; empty: the newest runs.")
    ] = [],  # noqa: B006
    wait_seconds: Annotated[int, Field(description="Seconds to wait for a change of state, at most 45.")] = 0,
) -> StatusResult:
    """Tell the state of runs and canaries: per task its reason, samples done and expected, seconds left (-1: not known). A finished
    canary is judged. Works after a restart of the server.

    Use it after canary, run or resume until they end, and to find earlier runs. Not for why something failed: that is logs. Not
    for scores: that is verify_run.
    Example: status(invocation_ids=["4f0c9d1e7b2d4860"], wait_seconds=30)
    """
    warnings = _wait_warnings(wait_seconds)
    if invocation_ids:
        asked = overview.named(invocation_ids)
        warnings += asked.problems
        remote_views.require_one(asked.runs)
        views = waiting.until_change(asked.names[:MOST], wait_seconds, asked.runs[:MOST])
        omitted = max(0, len(asked.names) - MOST)
    else:
        newest = overview.newest(NEWEST)
        views, omitted = overview.views(newest.runs), newest.omitted
        live = [v for v in views if v.state in LIVE]
        if live and wait_seconds > 0:
            # One that is deleted meanwhile ends the wait, not the call.
            with contextlib.suppress(BadInput):
                waiting.until_change([overview.name_of(v) for v in live], wait_seconds)
            views = overview.views(newest.runs)
    most = _tasks_of_each([len(v.tasks) for v in views])
    return StatusResult(
        next_step=_next_step(views),
        warnings=[*warnings, *_left_out(views, most), *(warning for view in views for warning in gate_warnings(view))],
        runs=[_row(v, most) for v in views],
        omitted=omitted,
    )


def _wait_warnings(seconds: int) -> list[str]:
    if 0 <= seconds <= waiting.LONGEST_WAIT:
        return []
    taken = waiting.LONGEST_WAIT if seconds > 0 else 0
    return [
        f"wait_seconds={seconds} was taken as {taken}: 0 to {waiting.LONGEST_WAIT} are possible; call again to wait on."
    ]


def _tasks_of_each(counts: Sequence[int]) -> int:
    """How many tasks of a run are shown at most, so that all runs together stay below `MOST_TASKS`; one at least."""
    return next((n for n in range(MOST_TASKS, 1, -1) if sum(min(n, count) for count in counts) <= MOST_TASKS), 1)


def _chosen(tasks: Sequence[TaskStatus], most: int) -> list[TaskStatus]:
    """The tasks that are shown, in their own order."""
    if len(tasks) <= most:
        return list(tasks)
    first = sorted(range(len(tasks)), key=lambda i: _FIRST.index(tasks[i].state))[:most]
    return [tasks[i] for i in sorted(first)]


def _left_out(views: Sequence[judging.View], most: int) -> list[str]:
    cut = [view for view in views if len(view.tasks) > most]
    told = []
    for view in cut[:MOST_CUT]:
        counts = Counter(task.state for task in view.tasks)
        states = ", ".join(f"{counts[state]} {state}" for state in _FIRST if counts[state])
        told.append(
            f"{overview.name_of(view)} has {len(view.tasks)} tasks, of which {most} are shown: {states} in all."
        )
    more = len(cut) - MOST_CUT
    return [*told, f"{more} more runs have more tasks than are shown."] if more > 0 else told


def _row(view: judging.View, most: int) -> RunRow:
    run = view.run
    return RunRow(
        invocation_id=run.invocation_id,
        kind=run.kind,
        executor=run.executor,
        state=view.state,
        reason=overview.reason(view),
        run_dir=run.place,
        gate=gate_row(view),
        exported=records.addresses(run.directory)[:MOST_JOBS] if run.directory and run.exported is None else [],
        tasks=[
            TaskRow(
                task=t.task,
                state=t.state,
                reason=t.reason,
                scheduler_state=t.scheduler_state,
                samples_done=_or_unknown(t.samples_done),
                samples_expected=_or_unknown(t.samples_expected),
                eta_seconds=_or_unknown(t.eta_seconds),
                job_ids=list(t.job_ids[-MOST_JOBS:]) if run.remote else _job_ids(run.invocation_id, t.task),
            )
            for t in _chosen(view.tasks, most)
        ],
    )


def _job_ids(invocation_id: str, task: str) -> list[str]:
    index = task.rsplit(".", 1)[-1]
    return [f"{invocation_id}.{index}"] if invocation_id and index.isdecimal() else []


def _or_unknown(value: int | None) -> int:
    return -1 if value is None else value


def _next_step(views: list[judging.View]) -> str:
    live = [overview.name_of(v) for v in views if v.state in LIVE]
    if live:
        again = call("status", invocation_ids=live[:5], wait_seconds=30)
        return f"{again} until {'it ends' if len(live) == 1 else 'they end'}; report changes only."
    if not views:
        new = call("canary", config="<path of the config>")
        return f"No run is known here: ask the user for its directory, or {new} starts one."
    return _after_the_end(views[0])


def _after_the_end(view: judging.View) -> str:
    run, name = view.run, overview.name_of(view)
    config = run.attempt.config if run.attempt else ""
    read = call("logs", invocation_id=name)
    if run.kind == "canary" and view.gate is not None:
        if view.gate.passed:
            return f"{call('run', config=config or '<its config>')}: the canary passed; ask the user unless they asked for the run."
        return (
            f"{read} shows why the canary did not pass; mend it, {call('dry_run', config=config or '<its config>')}, "
            f"then {call('canary', config=config or '<its config>', again=True)}."
        )
    if view.state == "succeeded":
        return f"{call('verify_run', run=name)} before any score is reported."
    if view.state == "unreachable":
        why = overview.reason(view) or next((t.reason for t in view.tasks), "it does not answer.")
        # With a wait: an agent that does not pause by itself would ask hundreds of times in a second.
        return (
            f"{call('status', invocation_ids=[name], wait_seconds=30)} until it answers again: {why} It is not failed."
        )
    if run.directory is None and run.remote is None:
        new = (
            f"{call('canary', config=config)} or {call('run', config=config)} starts a new one"
            if config
            else "tell the user"
        )
        return f"Nothing of this run can be read ({overview.reason(view)}); {new}."
    if view.state in {"failed", "interrupted", "cancelled"}:
        why = f"{read} shows why it {_ended_how(view.state)}"
        if run.attempt is None:
            return f"{why}; it was not launched here, so it is not resumed here: tell the user."
        resume = f"{call('resume', invocation_id=name)} takes up what did not finish"
        if view.left_queued:
            look = call("status", invocation_ids=[name], wait_seconds=30)
            return (
                f"{why}. Job {view.left_queued} of it has not left the queue, which resume waits for: {look} until it has, or "
                f"{call('cancel', invocation_id=name)} removes it; once the cause is mended, {resume}."
            )
        return f"{why}; once the cause is mended, {resume}."
    return f"{read} shows what it last did; its state is {view.state}, which is not failed."


def _ended_how(state: str) -> str:
    return "failed" if state == "failed" else f"was {state}"
