"""How many questions a verdict needs, and what a given number of them can certify.

Normal approximations for a paired comparison. With one yes-no answer per question the variance of the differences is about the flip
rate, (gained + lost) / n; with clusters it is n times the square of the clustered standard error.
"""

from __future__ import annotations

import math

from quantgate.statistics import normal


def questions_needed(
    margin: float, variance_of_d: float, delta: float = 0.0, alpha: float = 0.05, power: float = 0.8
) -> int:
    """Questions with which a one-sided non-inferiority test passes with this power.

    n = (z(1 - alpha) + z(power))^2 variance / (margin - delta)^2.

    Args:
        margin: The largest drop to be tolerated, on the scale 0 to 1.
        variance_of_d: Of the differences per question.
        delta: The true drop (below 0 for a gain).

    Raises:
        ValueError: The drop reaches the margin, so that no number would do, or an argument is out of range.
    """
    _check(variance_of_d, alpha, power)
    if not delta < margin:
        raise ValueError("the true drop reaches the margin: no number of questions certifies it")
    return _whole(_reach(alpha, power) ** 2 * variance_of_d / (margin - delta) ** 2)


def smallest_margin(variance_of_d: float, n: int, delta: float = 0.0, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest margin that `n` questions certify with this power: `questions_needed`, solved for the margin.

    Raises:
        ValueError: n is below 1, or an argument is out of range.
    """
    _check(variance_of_d, alpha, power)
    if n < 1:
        raise ValueError("no question certifies nothing")
    return delta + _reach(alpha, power) * math.sqrt(variance_of_d / n)


def _reach(alpha: float, power: float) -> float:
    return normal.quantile(1.0 - alpha) + normal.quantile(power)


def _whole(questions: float) -> int:
    return max(1, math.ceil(questions - 1e-9))


def _check(variance_of_d: float, alpha: float, power: float) -> None:
    if not (variance_of_d >= 0.0 and 0.0 < alpha < 0.5 and 0.5 <= power < 1.0):
        raise ValueError("the variance is below 0, or alpha or the power is out of range")
