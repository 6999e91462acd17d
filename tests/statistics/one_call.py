"""The tests of `decide`, each in one call on differences per question: as scipy and statsmodels have them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from quantgate.statistics import bootstrap, clustering, paired
from quantgate.statistics.clustering import FloatArray
from quantgate.statistics.paired import PairedTest


def t_test(
    differences: FloatArray,
    margin: float,
    alpha: float = 0.05,
    *,
    groups: Sequence[Hashable] | None = None,
    weights: FloatArray | None = None,
) -> PairedTest:
    """The paired t test, clustered by group."""
    return paired.of_units(clustering.units(differences, groups, weights), margin, alpha)


def bca(differences: FloatArray, alpha: float, resamples: int = 9999) -> tuple[float, float]:
    """Both bounds, each at one-sided alpha."""
    resampled = bootstrap.resample(clustering.units(differences), resamples, 0)
    return resampled.bound(alpha), resampled.bound(1.0 - alpha)


def sign_flip(differences: FloatArray, margin: float, permutations: int = 9999) -> float:
    """P value of the hypothesis mean <= -margin."""
    return bootstrap.flips(clustering.units(differences), permutations, 0).p_at_most(-margin)
