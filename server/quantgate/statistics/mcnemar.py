"""McNemar's test of paired yes-no answers: whether gains and losses are equally frequent.

It describes and does not decide: that no difference was found is no evidence that there is none. `gained` counts the questions
that only the candidate answered right, `lost` those that only the baseline did.
Each p is two-sided, and the same with the two swapped. Both are compared in
Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91.
"""

from __future__ import annotations

import math


def exact(gained: int, lost: int) -> float:
    """Two-sided p, conditional on the number of discordant pairs; 1 without any."""
    _counts(gained, lost)
    return min(1.0, 2.0 * _at_most(min(gained, lost), gained + lost))


def mid_p(gained: int, lost: int) -> float:
    """Two-sided p that counts what is just as extreme as the answer by half: less conservative than `exact`."""
    _counts(gained, lost)
    pairs = gained + lost
    if pairs == 0:
        return 1.0
    half = _exactly(min(gained, lost), pairs)
    return 1.0 - 0.5 * half if gained == lost else exact(gained, lost) - half


def _counts(*counts: int) -> None:
    if min(counts) < 0:
        raise ValueError("a number of pairs is below 0")


def _exactly(successes: int, trials: int) -> float:
    logarithm = math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)
    return math.exp(logarithm - trials * math.log(2.0))


def _at_most(successes: int, trials: int) -> float:
    from scipy.special import bdtr

    return float(bdtr(successes, trials, 0.5))
