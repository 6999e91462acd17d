"""Step 8.3: the full run."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..gates import judging, launching
from .spec import ToolResult, ToolSpec


class RunResult(ToolResult):
    """A launched run."""

    invocation_id: str
    fingerprint: str
    state: str
    kind: str = Field(description="full, or subset when max_samples or tasks limit it.")
    planned_requests: int = Field(description="Samples times repeats of the tasks whose size is known.")
    gpu_hours_at_most: float = Field(description="0: the model is served by somebody else. -1: not known.")


def run(
    config: Annotated[str, Field(description="Path of the launcher config.")],
    tasks: Annotated[list[str], Field(description="Only these tasks; empty: all.")] = [],  # noqa: B006
    max_samples: Annotated[
        int, Field(description="Samples per task; 0: all. Anything else is called a subset everywhere.")
    ] = 0,
    skip_gates_reason: Annotated[str, Field(description="Refused in this version.")] = "",
) -> RunResult:
    """Launch the full evaluation of a config whose dry run and canary have passed; anything else is refused with the call that
    is missing. Returns an invocation id at once; watch it with status. Example: run(config="eval.yaml")."""
    launch = launching.run(config, tasks=tasks, max_samples=max_samples, skip_gates_reason=skip_gates_reason)
    attempt = launch.attempt
    chosen = launch.plan.chosen(tasks)
    requests = [t.requests(max_samples) for t in chosen]
    warnings = [
        f"The number of samples of {t.name} is not known before it runs."
        for t in chosen
        if t.requests(max_samples) is None
    ]
    if launch.found:
        warnings.append("This very run is already going on; nothing was started.")
    return RunResult(
        next_step=f"status(invocation_ids=['{attempt.invocation_id}'], wait_seconds=30) until it ends, "
        f"then verify_run(run='{attempt.invocation_id}') before any score is reported.",
        warnings=warnings,
        invocation_id=attempt.invocation_id,
        fingerprint=launch.plan.fingerprint,
        state=judging.look(attempt).state,
        kind=attempt.kind,
        planned_requests=sum(r or 0 for r in requests),
        # Without a walltime nothing bounds a local run that holds GPUs.
        gpu_hours_at_most=0.0 if launch.plan.gpus() == 0 else -1.0,
    )


TOOL = ToolSpec(function=run, step="8.3", title="Full run", read_only=False, open_world=True)
