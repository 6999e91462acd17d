"""Standard errors of a mean."""

from __future__ import annotations

import math

from quantgate.statistics.clustering import FloatArray


def sandwich(residuals: FloatArray) -> float | None:
    """The standard error of a mean over clusters: sqrt(G / (G - 1) * sum of squares); None for fewer than two.

    The sandwich estimator with the usual correction for the number of clusters, Liang and Zeger (1986), Biometrika 73; for
    evaluations Miller (2024), arXiv:2411.00640. With one score in each cluster it is sd(ddof=1) / sqrt(N).

    Args:
        residuals: Of each cluster, the sum of w (score - mean) over the sum of all w, (G,): `clustering.Units.residuals`.
    """
    count = residuals.size
    if count < 2:
        return None
    return math.sqrt(count / (count - 1) * float((residuals * residuals).sum()))
