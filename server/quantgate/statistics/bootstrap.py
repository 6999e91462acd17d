"""Bounds for small sets without a formula for their distribution: the BCa bootstrap and the sign-flip test.

Equal questions are drawn together by their number, so that a resample costs as much as there are different values, and resamples
are made in blocks, so that memory stays bounded. The random numbers depend on the seed and on the values only, not on their order;
with the sides swapped the bounds are mirrored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantgate.statistics import normal
from quantgate.statistics.clustering import TINY, FloatArray, Units

EXACT_UP_TO = 13
"""Up to so many units all sign vectors are tried (8,192)."""
_BLOCK = 2_000_000
_DIGITS = 12


@dataclass(frozen=True)
class Resampled:
    """A bootstrap distribution of the mean, with what BCa corrects for.

    Attributes:
        means: Of the resamples, sorted, (B,).
        bias: z0, the normal quantile of the share of resamples below the observed mean (ties count by half).
        acceleration: a, from the jackknife: how the standard error changes with the mean.
    """

    means: FloatArray
    bias: float
    acceleration: float

    def bound(self, probability: float) -> float:
        """The BCa quantile: with `alpha` the lower bound, with 1 - alpha the upper one."""
        moved = self.bias + normal.quantile(probability)
        scale = 1.0 - self.acceleration * moved
        if scale <= 0.0:
            return float(self.means[-1 if moved > 0 else 0])
        return float(np.quantile(self.means, normal.lower_tail(self.bias + moved / scale)))

    def p_at_most(self, bound: float) -> float:
        """The alpha at which `bound` becomes the lower bound: the p value of the hypothesis mean <= bound."""
        below = np.searchsorted(self.means, bound - TINY) + np.searchsorted(self.means, bound + TINY, "right")
        share = (below / 2.0 + 0.5) / (self.means.size + 1)
        apart = normal.quantile(float(share)) - self.bias
        scale = 1.0 + self.acceleration * apart
        return normal.lower_tail(apart / scale - self.bias) if scale > 0 else float(apart > 0)

    def mirrored(self) -> Resampled:
        """The distribution with the sides swapped."""
        return Resampled(-self.means[::-1], -self.bias, -self.acceleration)


@dataclass(frozen=True)
class Flipped:
    """The sign-flip test for every threshold at once.

    Flipping signs of d - t raises the mean exactly when the mean of the flipped d is below t. So the test of "mean <= t" counts the
    subsets whose mean is at most t, and its bounds are order statistics of subset means (Hartigan 1969, "Using subsample values as
    typical values", JASA 64). It assumes that differences lie symmetrically about their mean.

    Attributes:
        means: Of the flipped subsets that are not empty, sorted.
        empty: Subsets with nothing flipped, the observation among them: they count on every side.
    """

    means: FloatArray
    empty: int

    def p_at_most(self, threshold: float) -> float:
        """P value of the hypothesis mean <= threshold."""
        return float(self.empty + np.searchsorted(self.means, threshold + TINY, "right")) / (
            self.empty + self.means.size
        )

    def p_at_least(self, threshold: float) -> float:
        """P value of the hypothesis mean >= threshold."""
        above = self.means.size - np.searchsorted(self.means, threshold - TINY)
        return float(self.empty + above) / (self.empty + self.means.size)

    def bounds(self, alpha: float) -> tuple[float, float]:
        """The thresholds between which neither test rejects; the ends of the scale where so few units can reject nothing."""
        allowed = math.floor(alpha * (self.empty + self.means.size) + 1e-9) - self.empty
        if allowed < 0:
            return -1.0, 1.0
        return float(self.means[allowed]), float(self.means[-1 - allowed])

    def mirrored(self) -> Flipped:
        """The distribution with the sides swapped."""
        return Flipped(-self.means[::-1], self.empty)


def resample(found: Units, resamples: int, seed: int) -> Resampled:
    """Draw whole units with replacement, as many as there are, and take the weighted mean of each draw.

    The bounds are those of the bias-corrected and accelerated bootstrap: Efron (1987), "Better bootstrap confidence intervals",
    JASA 82. Of equal differences it can say nothing: both are their value.
    """
    distinct = _distinct(found)
    random = np.random.default_rng((seed, 1))
    shares = distinct.counts / found.count
    means = np.concatenate(
        [
            (drawn @ distinct.sums) / (drawn @ distinct.weights)
            for size in _blocks(resamples, shares.size)
            for drawn in (random.multinomial(found.count, shares, size=size),)
        ]
    )
    means.sort()
    observed = -found.mean if distinct.mirrored else found.mean
    below = (np.searchsorted(means, observed - TINY) + np.searchsorted(means, observed + TINY, "right")) / 2.0
    share = min(max(float(below) / resamples, 0.5 / resamples), 1.0 - 0.5 / resamples)
    acceleration = -_acceleration(found) if distinct.mirrored else _acceleration(found)
    resampled = Resampled(means, normal.quantile(share), acceleration)
    return resampled.mirrored() if distinct.mirrored else resampled


def flips(found: Units, permutations: int, seed: int) -> Flipped:
    """Flip the signs of units: in every way for up to 13, and at random for more.

    The p value is then (1 + as extreme) / (1 + permutations), so that it is never 0: Phipson and Smyth (2010), "Permutation
    p-values should never be zero".
    """
    if found.count <= EXACT_UP_TO:
        chosen = (np.arange(2**found.count)[:, None] >> np.arange(found.count)) & 1
        return _flipped(chosen @ found.sums, chosen @ found.weights, 0)
    distinct = _distinct(found)
    random = np.random.default_rng((seed, 2))
    parts = [
        (drawn @ distinct.sums, drawn @ distinct.weights)
        for size in _blocks(permutations, distinct.counts.size)
        for drawn in (random.binomial(distinct.counts, 0.5, size=(size, distinct.counts.size)),)
    ]
    flipped = _flipped(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), 1)
    return flipped.mirrored() if distinct.mirrored else flipped


def _flipped(sums: FloatArray, weights: FloatArray, observed: int) -> Flipped:
    some = weights > 0
    means = np.sort(sums[some] / weights[some])
    return Flipped(means, int((~some).sum()) + observed)


def _acceleration(found: Units) -> float:
    """Skewness of the jackknife: sum(c^3) / (6 sum(c^2)^1.5), where c is the mean of the leave-one-out means less each of them."""
    if found.count < 2:
        return 0.0
    left = (found.sums.sum() - found.sums) / (found.weights.sum() - found.weights)
    centred = left.mean() - left
    spread = float(np.square(centred).sum())
    return float((centred**3).sum()) / (6.0 * spread**1.5) if spread > TINY**2 else 0.0


@dataclass(frozen=True)
class _Distinct:
    """Units that are alike, counted: either as they are or, if that comes first, with the sides swapped.

    So a set of differences and its mirror image meet the same random numbers.
    """

    sums: FloatArray
    weights: FloatArray
    counts: NDArray[np.intp]
    mirrored: bool


def _distinct(found: Units) -> _Distinct:
    rounded = np.round(found.sums, _DIGITS) + 0.0
    if np.ptp(found.weights) <= TINY:
        sums, counts = np.unique(rounded, return_counts=True)
        weights = np.full(sums.size, found.weights[0])
    else:
        pairs = np.column_stack([rounded, np.round(found.weights, _DIGITS)])
        rows, counts = np.unique(pairs, axis=0, return_counts=True)
        sums, weights = rows[:, 0], rows[:, 1]
    order = np.lexsort((weights, -sums))
    as_is = [sums.tolist(), weights.tolist(), counts.tolist()]
    swapped = [(0.0 - sums[order]).tolist(), weights[order].tolist(), counts[order].tolist()]
    if swapped < as_is:
        return _Distinct(0.0 - sums[order], weights[order], counts[order], mirrored=True)
    return _Distinct(sums, weights, counts, mirrored=False)


def _blocks(total: int, width: int) -> Iterator[int]:
    size = max(1, _BLOCK // max(1, width))
    for start in range(0, total, size):
        yield min(size, total - start)
