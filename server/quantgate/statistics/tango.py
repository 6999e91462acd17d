"""Tango's score test and interval for the difference of two paired proportions.

With `gained` questions that only the candidate answered right, `lost` that only the baseline did, out of `n`, the statistic for a
true difference t is (gained - lost - n t) / sqrt(n (2 q + t - t^2)), where q is the likeliest probability of a loss if the
difference is t. Unlike the t interval it stays right with few discordant pairs. Tango (1998), "Equivalence test and confidence
interval for the difference in proportions for the paired-sample design", Statistics in Medicine 17, 891-908.
"""

from __future__ import annotations

import math

from quantgate.statistics import normal

_HALVINGS = 60


def interval(gained: int, lost: int, n: int, alpha: float = 0.05) -> tuple[float, float]:
    """Bounds on the difference candidate - baseline, each at one-sided `alpha`.

    Args:
        gained: Questions right on the candidate's side only.
        lost: Questions right on the baseline's side only.
        n: All questions.

    Raises:
        ValueError: The counts are not those of `n` questions, or alpha is not below one half.
    """
    _counts(gained, lost, n)
    if not 0.0 < alpha < 0.5:
        raise ValueError("alpha is not between 0 and 0.5")
    critical = normal.quantile(1.0 - alpha)
    return _lowest(gained, lost, n, critical), -_lowest(lost, gained, n, critical)


def p_value(gained: int, lost: int, n: int, margin: float) -> float:
    """One-sided p of the hypothesis that the drop is `margin` or more (difference <= -margin): small means non-inferior.

    Args:
        margin: On the scale 0 to 1; 0 tests for an improvement, and below 0 for one of at least that size.

    Raises:
        ValueError: As for `interval`, or the margin is not between -1 and 1.
    """
    _counts(gained, lost, n)
    if not -1.0 < margin < 1.0:
        raise ValueError("the margin is not between -1 and 1")
    return normal.upper_tail(statistic(gained, lost, n, -margin))


def statistic(gained: int, lost: int, n: int, difference: float) -> float:
    """Tango's statistic for a true difference strictly between -1 and 1; standard normal for large n if it is true."""
    b = (2 * n - gained + lost) * difference - (gained + lost)
    c = -lost * difference * (1.0 - difference)
    loss = (math.sqrt(max(0.0, b * b - 8.0 * n * c)) - b) / (4.0 * n)
    variance = n * (2.0 * loss + difference * (1.0 - difference))
    above = gained - lost - n * difference
    if variance <= 0.0:
        return 0.0 if above == 0.0 else math.copysign(math.inf, above)
    return above / math.sqrt(variance)


def _lowest(gained: int, lost: int, n: int, critical: float) -> float:
    """The smallest difference that the score test does not reject; its statistic falls as the difference grows."""
    rejected, kept = -1.0, (gained - lost) / n
    for _ in range(_HALVINGS):
        middle = 0.5 * (rejected + kept)
        if middle <= rejected or middle >= kept:
            break
        if statistic(gained, lost, n, middle) > critical:
            rejected = middle
        else:
            kept = middle
    return rejected


def _counts(gained: int, lost: int, n: int) -> None:
    if n < 1 or min(gained, lost) < 0 or gained + lost > n:
        raise ValueError("the counts are not those of a paired table")
