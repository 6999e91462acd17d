"""What a test says of one task: the bounds, the verdict that follows from them, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["PASS", "REGRESSION", "INCONCLUSIVE"]
Method = Literal["paired", "tango", "bootstrap", "aggregate", "none"]


HOW: Mapping[Method, str] = {
    "paired": "paired t interval over {unit}, with and without its skewness, the wider bounds of both",
    "tango": "Tango's score interval",
    "bootstrap": "BCa bootstrap, sign-flip test and t interval over {unit}, the widest bounds of all",
}
"""What each method is, in words: for a decision's reason and for the reports."""


@dataclass(frozen=True)
class Decision:
    """The answer for one task. Differences are candidate - baseline on -1 to 1; None where nothing could be computed.

    Attributes:
        low: Lower bound of the difference, one-sided at 1 - alpha: PASS when it is above -margin, and only then.
        high: Upper bound, one-sided at 1 - alpha: REGRESSION when it is below -margin, and only then.
        p_noninferior: Of the hypothesis difference <= -margin; small means that the drop is smaller than the margin.
        p_drop: Of the hypothesis difference >= 0; small means that there is a drop.
        p_regression: Of the hypothesis difference >= -margin; small means that the drop is larger than the margin.
        drop_detected: Whether `high` is below 0; a detected drop may still be smaller than the margin.
        smallest_margin: What these questions could certify at no true drop with 80 % power.
        questions_needed: For the asked margin at no true drop with 80 % power; 0 when unknown.
        questions: How many were judged.
        reasons: The deciding one first.
    """

    method: Method
    verdict: Verdict
    delta: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    p_noninferior: float | None = None
    p_drop: float | None = None
    drop_detected: bool = False
    smallest_margin: float | None = None
    questions_needed: int = 0
    questions: int = 0
    reasons: tuple[str, ...] = ()
    p_regression: float | None = None


def verdict(low: float, high: float, margin: float) -> Verdict:
    """PASS when the whole interval lies above -margin, REGRESSION when it lies below, INCONCLUSIVE when it reaches across."""
    if low > -margin:
        return "PASS"
    return "REGRESSION" if high < -margin else "INCONCLUSIVE"


def in_words(low: float, high: float, margin: float) -> str:
    """The verdict's own reason, in points of a hundred."""
    match verdict(low, high, margin):
        case "PASS":
            bound, limit = apart(low, -margin)
            return f"the drop is smaller than the margin: the lower bound {bound} is above {limit}"
        case "REGRESSION":
            bound, limit = apart(high, -margin)
            return f"the drop is larger than the margin: the upper bound {bound} is below {limit}"
        case _:
            bound, limit = apart(low, -margin)
            return f"the interval from {bound} to {points(high)} reaches across the margin at {limit}"


def points(difference: float, digits: int = 2) -> str:
    """A difference in points of a hundred with its sign ("-0.42 pp")."""
    return f"{100.0 * difference + 0.0:+.{digits}f} pp"


def apart(one: float, other: float) -> tuple[str, str]:
    """Two differences in points of a hundred, with as many digits as show that they are not equal."""
    for digits in range(2, 7):
        if points(one, digits) != points(other, digits):
            break
    return points(one, digits), points(other, digits)


def nothing(reason: str, questions: int = 0) -> Decision:
    """A decision where nothing could be computed."""
    return Decision("none", "INCONCLUSIVE", questions=questions, reasons=(reason,))
