"""A canary's verdict as the tools show it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from ..gates import judging


class Estimate(BaseModel):
    """What the canary predicts for the full run."""

    requests: float = 0
    hours: float = 0
    gpu_hours: float = 0
    truncated_share: float = 0
    tokens_per_sample: float = 0


class CanaryGate(BaseModel):
    """The canary's verdict; `judged` is false while it runs."""

    passed: bool
    judged: bool
    reasons: list[str]
    estimate: Estimate


def gate_row(view: judging.View) -> CanaryGate:
    """The gate of a view as the tools show it."""
    detail: dict[str, Any] = view.gate.detail if view.gate else {}
    return CanaryGate(
        passed=bool(view.gate and view.gate.passed),
        judged=view.gate is not None,
        reasons=list(view.gate.reasons) if view.gate else [],
        estimate=Estimate(**detail.get("estimate", {})),
    )


def gate_warnings(view: judging.View) -> list[str]:
    """What a passed canary still asks for before the full run."""
    share = view.gate.detail.get("estimate", {}).get("truncated_share", 0.0) if view.gate else 0.0
    if share <= judging.MOST_TRUNCATED:
        return []
    return [
        f"{share:.0%} of the canary's answers were cut off at max_new_tokens: raise it before the full run; if the user fixed it, "
        "ask, and report the share with the score."
    ]
