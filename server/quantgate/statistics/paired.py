"""Paired non-inferiority by the t interval: is the drop smaller than the margin?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from quantgate.statistics import clustering, unseen
from quantgate.statistics.standard_error import sandwich


@dataclass(frozen=True)
class PairedTest:
    """Bounds and p values of a mean difference, candidate - baseline.

    Attributes:
        delta: The (weighted) mean difference.
        standard_error: Infinite when there is only one unit, 0 when all are equal.
        df: Degrees of freedom of the t distribution.
        low: Lower bound, one-sided at 1 - alpha.
        high: Upper bound, one-sided at 1 - alpha.
        p_noninferior: Of the hypothesis mean <= -margin; small means that the drop is smaller than the margin.
        p_drop: Of the hypothesis mean >= 0; small means that there is a drop.
        questions: Questions that counted.
        degenerate: The spread could not be estimated (one unit, or all equal): the bounds certify nothing by themselves.
    """

    delta: float
    standard_error: float
    df: float
    low: float
    high: float
    p_noninferior: float
    p_drop: float
    questions: int
    degenerate: bool = False

    def p_at_least(self, bound: float) -> float:
        """P value of the hypothesis mean >= `bound` by the t distribution; 1 where the spread is not known."""
        from scipy.special import stdtr

        if not 0.0 < self.standard_error < math.inf:
            return 1.0
        return float(stdtr(self.df, (self.delta - bound) / self.standard_error))


def of_units(units: clustering.Units, margin: float, alpha: float) -> PairedTest:
    """Test whether the mean difference is above -margin.

    The standard error is that of `standard_error.sandwich`, with one degree of freedom less than there are units: questions, or
    groups of them. Repeats are averaged per question before: that is the same as clustering them.

    One unit shows no spread: the bounds are then the ends of the scale, -1 and 1. All units equal show none either: low = high =
    delta, `degenerate` is set, and the p values are those of `unseen`, which assume nothing. Neither may be judged by the
    interval; `decide` uses the bounds of `unseen` as well.

    Args:
        units: Differences candidate - baseline on the scale -1 to 1.
        margin: The largest drop to be tolerated, 0 to 1.
        alpha: One-sided.

    Raises:
        ValueError: Alpha is not between 0 and 0.5.
    """
    delta, error, df = units.mean, sandwich(units.residuals), units.count - 1
    if error is None:
        return PairedTest(delta, math.inf, 0, -1.0, 1.0, 1.0, 1.0, units.questions, degenerate=True)
    if units.constant:
        p_noninferior = unseen.p_at_most(-margin, delta, units.effective)
        p_drop = unseen.p_at_least(0.0, delta, units.effective)
        return PairedTest(delta, 0.0, df, delta, delta, p_noninferior, p_drop, units.questions, degenerate=True)
    return t_test(delta, error, df, margin, alpha, units.questions)


def t_test(delta: float, standard_error: float, df: float, margin: float, alpha: float, questions: int) -> PairedTest:
    """The test from its parts: a difference, its standard error above 0, and the degrees of freedom (any real above 0)."""
    from scipy.special import stdtr, stdtrit

    if not 0.0 < alpha < 0.5:
        raise ValueError("alpha is not between 0 and 0.5")
    reach = float(stdtrit(df, 1.0 - alpha)) * standard_error
    return PairedTest(
        delta,
        standard_error,
        df,
        delta - reach,
        delta + reach,
        float(stdtr(df, -(delta + margin) / standard_error)),
        float(stdtr(df, delta / standard_error)),
        questions,
    )
