"""Step 8.2: the canary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from ..errors import QuantgateError
from ..gates.judgement import judging
from ..gates.launches import coverage, launching, submission
from ..gates.planning import limits
from ..gates.traces import lookup
from ..gates.views import waiting
from .gate_rows import CanaryGate, gate_row, gate_warnings
from .next_call import call
from .spec import ToolResult


class CanaryTask(BaseModel):
    """One task of the canary."""

    task: str
    state: str
    reason: str
    classes: list[str]


class Untried(BaseModel):
    """Tasks of one class that no canary of this config covers; `run` refuses them."""

    risk: str
    tasks: list[str]


class CanaryResult(ToolResult):
    """The canary as it stands."""

    invocation_id: str
    fingerprint: str
    state: str
    gate: CanaryGate
    tasks: list[CanaryTask]
    uncovered: list[Untried] = Field(description="run refuses these tasks.")


def canary(
    config: Annotated[str, Field(description="Path of the launcher config.")],
    samples: Annotated[int, Field(description="Samples per task, 1 to 1000.")] = 10,
    tasks: Annotated[list[str], Field(description="Only these tasks of the config; empty: all.")] = [],  # noqa: B006
    wait_seconds: Annotated[int, Field(description="Seconds to wait for the end, at most 45.")] = 0,
    again: Annotated[bool, Field(description="Start a new canary although this config has one.")] = False,
) -> CanaryResult:
    """Run a few real samples of every task and judge them: the second gate before a full run, with an estimate of its cost.

    Use it when dry_run of the same config has passed and the user wants to launch. Called again on an unchanged config it reports
    and judges the canary there is. Not for a result to report, however many samples: that is run. Returns at once with an
    invocation id.
    Example: canary(config="eval.yaml", samples=10, wait_seconds=30)
    """
    launch = launching.canary(config, samples=samples, tasks=tasks, again=again)
    view, unseen = _look(launch, wait_seconds)
    untried = coverage.uncovered(launch.plan, launch.plan.chosen(list(launch.attempt.tasks)))
    classes = {task.name: list(task.classes) for task in launch.plan.tasks}
    return CanaryResult(
        next_step=_next_step(launch, view, untried),
        warnings=[*_warnings(launch, view), *unseen],
        invocation_id=launch.attempt.invocation_id,
        fingerprint=launch.plan.fingerprint,
        state=view.state,
        gate=gate_row(view),
        tasks=[
            CanaryTask(task=t.task, state=t.state, reason=t.reason, classes=classes.get(t.task.rpartition(".")[0], []))
            for t in view.tasks
        ],
        uncovered=[Untried(risk=risk, tasks=names) for risk, names in untried.items()],
    )


def _look(launch: submission.Launch, wait_seconds: int) -> tuple[judging.View, list[str]]:
    """The canary as it stands; where that cannot be told, still its id: without it a caller would start another one."""
    attempt = launch.attempt
    try:
        return waiting.until_final([attempt.invocation_id], wait_seconds)[0], []
    except QuantgateError as error:
        run = lookup.Run(attempt.invocation_id, None, attempt, attempt.executor)
        return judging.View(run, "unknown", (), None), [f"It was launched, but cannot be looked at now: {error}"]


def _next_step(launch: submission.Launch, view: judging.View, untried: Mapping[str, Sequence[str]]) -> str:
    invocation, path = view.run.invocation_id, str(launch.plan.path)
    if view.gate is None:
        return f"{call('status', invocation_ids=[invocation], wait_seconds=30)} until the canary is judged."
    if view.gate.passed and untried:
        names = list(dict.fromkeys(name for tasks in untried.values() for name in tasks))
        return (
            f"{call('canary', config=path, tasks=names)}: no canary has covered them, and run refuses them without one."
        )
    if view.gate.passed:
        return f"{call('run', config=path)}: the full run; tell the user the estimate first, and ask unless they asked for the run."
    return (
        f"{call('logs', invocation_id=invocation)} for the cause; mend it (in the config: "
        f"{call('edit_config', config=path, set=['<path>=<value>'])}, then {call('dry_run', config=path)}), then "
        f"{call('canary', config=path, again=True)}."
    )


def _warnings(launch: submission.Launch, view: judging.View) -> list[str]:
    limit, chosen = launch.attempt.sample_limit, launch.plan.chosen(list(launch.attempt.tasks))
    found = f"This is the canary of {limit} samples that the unchanged config already had; again=true starts a new one."
    return [
        *launch.warnings,
        *([found] if launch.found else []),
        *limits.whole_sets(chosen, limit),
        *gate_warnings(view),
    ]
