"""A canary's verdict as the tools show it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from ..gates.judgement import judging, verdict
from .standing import standing_warnings

MOST_NOTES = 20


class Estimate(BaseModel):
    """What the canary predicts for the full run (`requests` to `gpu_hours`; -1: not known), and what it measured.

    `hours` is at the canary's own pace, `hours_at_best` with all of `parallelism` in use and requests as fast.
    """

    requests: float = 0
    judge_requests: int = 0
    hours: float = 0
    hours_at_best: float = 0
    gpu_hours: float = 0
    truncated_share: float = 0
    cached_share: float = 0
    tokens_per_sample: float = 0
    prompt_tokens: float = 0
    longest_answer: int = 0
    latency_seconds: float = 0
    errors: int = 0


class CanaryGate(BaseModel):
    """The canary's verdict; `judged` is false while it runs. `notes` say whether max_new_tokens and parallelism fit."""

    passed: bool
    judged: bool
    reasons: list[str]
    estimate: Estimate = Field(description="Of the full run; -1: not known.")
    notes: list[str]
    evidence: dict[str, str]


def gate_row(view: judging.View) -> CanaryGate:
    """The gate of a view as the tools show it."""
    detail: dict[str, Any] = view.gate.detail if view.gate else {}
    return CanaryGate(
        passed=bool(view.gate and view.gate.passed),
        judged=view.gate is not None,
        reasons=list(view.gate.reasons) if view.gate else [],
        estimate=Estimate(**detail.get("estimate", {})),
        notes=detail.get("notes", [])[:MOST_NOTES],
        evidence=detail.get("evidence", {}),
    )


def gate_warnings(view: judging.View) -> list[str]:
    """What must be said of a run wherever it is shown, and what a passed canary still asks for before the full run."""
    standing = [*standing_warnings(view.run), *_found(view)]
    share = view.gate.detail.get("estimate", {}).get("truncated_share", 0.0) if view.gate else 0.0
    if share <= judging.MOST_TRUNCATED:
        return standing
    return [
        *standing,
        f"{share:.0%} of the canary's answers were cut off at max_new_tokens: raise it before the full run; if the user fixed it, "
        "ask, and report the share with the score.",
    ]


def _found(view: judging.View) -> list[str]:
    """What the canary found that does not keep it from passing, and what could not be verified."""
    detail: dict[str, Any] = view.gate.detail if view.gate else {}
    weaker = [f"{task}: {text}" for task, text in detail.get("evidence", {}).items() if text != verdict.SAMPLES]
    return [*detail.get("warnings", []), *weaker]
