"""Step 8.3: the full run."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..errors import QuantgateError
from ..gates.judgement import judging, spending
from ..gates.launches import launching
from ..runs.invocation import FINAL
from .next_call import call
from .spec import ToolResult


class RunResult(ToolResult):
    """A launched run."""

    invocation_id: str
    fingerprint: str
    state: str
    kind: str = Field(description="full or subset")
    planned_requests: int
    judge_requests: int = Field(description="-1: not known, as in the rest.")
    hours_estimated: float
    gpu_hours_estimated: float
    gpu_hours_at_most: float = Field(description="0: served by somebody else.")


def run(
    config: Annotated[str, Field(description="Path of the launcher config.")],
    tasks: Annotated[list[str], Field(description="Only these tasks of the config; empty: all.")] = [],  # noqa: B006
    max_samples: Annotated[
        int, Field(description="Samples per task; 0: all. Else it is called a subset everywhere.")
    ] = 0,
    skip_gates_reason: Annotated[
        str,
        Field(description="Only when the user wants to go past the gates: why. They are asked; it stays with the run."),
    ] = "",
) -> RunResult:
    """Launch the full evaluation of a config whose dry run and canary have passed; else refused, with the call that is missing.

    Use it once, when the user knows the canary's estimate and wants the run. Not for a quick look at a few samples: that is
    canary. Not for going on with a run that stopped: that is resume. Returns at once with an invocation id for status.
    Example: run(config="eval.yaml")
    """
    launch = launching.run(config, tasks=tasks, max_samples=max_samples, skip_gates_reason=skip_gates_reason)
    attempt = launch.attempt
    # The run is started: whatever cannot be told of it now, its invocation id must be.
    spends = spending.after_launch(launch.plan, tasks, max_samples)
    warnings = list(spends.notes)
    try:
        state = judging.look(attempt).state
    except QuantgateError as error:
        state = "unknown"
        warnings.append(f"The run was launched, but cannot be looked at now: {error}")
    if launch.found:
        ended = "had been started by a call whose answer was lost" if state in FINAL else "is already going on"
        warnings.append(f"This very run {ended}; nothing was started.")
    warnings.extend(launch.warnings)
    if skip_gates_reason and not attempt.skip_reason:
        warnings.append("skip_gates_reason was not needed, and is not written down: the gates are passed.")
    if attempt.skip_reason:
        warnings.insert(0, f"Started without its gates, which every result of it will say: {attempt.skip_reason}")
    return RunResult(
        next_step=f"{call('status', invocation_ids=[attempt.invocation_id], wait_seconds=30)} until it ends, "
        f"then {call('verify_run', run=attempt.invocation_id)} before any score is reported.",
        warnings=warnings,
        invocation_id=attempt.invocation_id,
        fingerprint=launch.plan.fingerprint,
        state=state,
        kind=attempt.kind,
        planned_requests=spends.requests,
        judge_requests=spends.judge_requests,
        hours_estimated=spends.hours,
        gpu_hours_estimated=spends.gpu_hours,
        gpu_hours_at_most=spends.gpu_hours_at_most,
    )
