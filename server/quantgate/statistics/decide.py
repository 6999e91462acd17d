"""The verdict on one task: which test fits the data, its bounds, and what follows from them.

- One yes-no answer per question: Tango's score interval, however many there are. The t interval comes to the same for many changed
  answers, but accepts a true drop of the margin in up to 10 % of runs if flips are few and lopsided (benchmarks/false_accept.py).
- Everything else: the paired t interval, clustered where questions belong together, and the same with its skewness removed: both.
- With few questions or few changed ones, the BCa bootstrap and the sign-flip test on top of it: all must pass.

On top of each stand the bounds of `unseen`, which assume nothing. All bounds are independent of the margin, and the verdict is read
off the bounds alone: a larger margin never makes a verdict worse.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from quantgate.statistics import bootstrap, clustering, paired, power, skewness, tango, unseen
from quantgate.statistics.clustering import TINY, FloatArray, Units
from quantgate.statistics.decision import HOW, Decision, Method, apart, in_words, nothing, points, verdict
from quantgate.statistics.standard_error import sandwich

FEW_QUESTIONS = 100
"""Below this the t interval does not stand alone; questions that weigh little count little."""
FEW_CHANGED = 10
"""Below so many changed units likewise."""


def decide(
    differences: FloatArray,
    margin: float,
    alpha: float = 0.05,
    *,
    binary: bool,
    groups: Sequence[Hashable] | None = None,
    weights: FloatArray | None = None,
    resamples: int = 9999,
) -> Decision:
    """Judge one task; data never raise, what cannot be judged is INCONCLUSIVE and says why.

    Args:
        differences: Candidate - baseline per question, means over repeats, on -1 to 1, (N,).
        margin: The largest drop to be tolerated, above 0 and below 1.
        alpha: One-sided error rate, below 0.5.
        binary: One answer per question on both sides, each scored 0 or 1.
        groups: A label per question for questions that belong together, (N,); None and "" stand alone.
        weights: What each question counts, (N,).
        resamples: Of the bootstrap and of the sign-flip test.

    Raises:
        ValueError: The margin or alpha is out of range.
    """
    if not (0.0 < margin < 1.0 and 0.0 < alpha < 0.5):
        raise ValueError("the margin is not between 0 and 1, or alpha not between 0 and 0.5")
    d = np.asarray(differences, dtype=np.float64)
    if not d.size:
        return nothing("there is no question to compare")
    if not np.isfinite(d).all() or np.abs(d).max() > 1.0 + 1e-9:
        return nothing("a difference is not a number between -1 and 1", d.size)
    try:
        found = clustering.units(d, groups, weights)
    except ValueError as error:
        return nothing(str(error), d.size)
    if found.count == 1:
        return _of_one(found)
    method = _method(found, d, binary)
    bounds = _bounds(found, margin, alpha, method, resamples)
    judged = _judged(found, margin, alpha, method, bounds)
    return _explained(judged, found, margin, bounds.missed)


def _method(found: Units, d: FloatArray, binary: bool) -> Method:
    if binary and found.plain and np.abs(d - np.round(d)).max() <= TINY:
        return "tango"
    return "paired" if found.effective >= FEW_QUESTIONS and found.changed >= FEW_CHANGED else "bootstrap"


@dataclass(frozen=True)
class _Bounds:
    low: float
    high: float
    p_noninferior: float
    p_drop: float
    p_regression: float
    missed: bool = False


def _bounds(found: Units, margin: float, alpha: float, method: Method, resamples: int) -> _Bounds:
    """The test's own bounds, but never better than those of what was not seen."""
    match method:
        case "tango":
            seen = _tango(found, margin, alpha)
        case "bootstrap":
            seen = _bootstrap(found, margin, alpha, resamples)
        case _:
            seen = _paired(found, margin, alpha)
    low, high = unseen.interval(found.mean, found.effective, alpha)
    return _Bounds(
        max(-1.0, min(seen.low, low)),
        min(1.0, max(seen.high, high)),
        max(seen.p_noninferior, unseen.p_at_most(-margin, found.mean, found.effective)),
        max(seen.p_drop, unseen.p_at_least(0.0, found.mean, found.effective)),
        max(seen.p_regression, unseen.p_at_least(-margin, found.mean, found.effective)),
        missed=low < seen.low,
    )


def _tango(found: Units, margin: float, alpha: float) -> _Bounds:
    gained, lost = int((found.sums > TINY).sum()), int((found.sums < -TINY).sum())
    low, high = tango.interval(gained, lost, found.count, alpha)
    p_noninferior = tango.p_value(gained, lost, found.count, margin)
    p_drop, p_regression = (tango.p_value(lost, gained, found.count, least) for least in (0.0, -margin))
    return _Bounds(low, high, p_noninferior, p_drop, p_regression)


def _paired(found: Units, margin: float, alpha: float) -> _Bounds:
    """The t interval with and without its skewness: a bound holds where both say so."""
    test = paired.of_units(found, margin, alpha)
    if test.degenerate:
        # One value shows no spread: `unseen` alone says how far that goes.
        return _Bounds(test.low, test.high, test.p_noninferior, test.p_drop, 0.0)
    skewed = skewness.of_residuals(test.delta, test.standard_error, found.residuals)
    return _Bounds(
        min(test.low, skewed.bound(alpha)),
        max(test.high, skewed.bound(1.0 - alpha)),
        max(test.p_noninferior, skewed.p_at_most(-margin)),
        max(test.p_drop, 1.0 - skewed.p_at_most(0.0)),
        max(test.p_at_least(-margin), 1.0 - skewed.p_at_most(-margin)),
    )


def _bootstrap(found: Units, margin: float, alpha: float, resamples: int) -> _Bounds:
    """BCa, the sign-flip test and the t interval as in `_paired`: a bound holds where all say so.

    The first two alone accept too often where differences are few and lopsided (8 % instead of 5 % in a case of thirty
    questions, tests/statistics/test_decide.py): a bootstrap knows only the tail that the sample happens to have.
    """
    seen = _paired(found, margin, alpha)
    resampled, flipped = bootstrap.resample(found, resamples, 0), bootstrap.flips(found, resamples, 0)
    low, high = flipped.bounds(alpha)
    return _Bounds(
        min(seen.low, low, resampled.bound(alpha)),
        max(seen.high, high, resampled.bound(1.0 - alpha)),
        max(seen.p_noninferior, resampled.p_at_most(-margin), flipped.p_at_most(-margin)),
        max(seen.p_drop, 1.0 - resampled.p_at_most(0.0), flipped.p_at_least(0.0)),
        max(seen.p_regression, 1.0 - resampled.p_at_most(-margin), flipped.p_at_least(-margin)),
    )


def _judged(found: Units, margin: float, alpha: float, method: Method, bounds: _Bounds) -> Decision:
    error = sandwich(found.residuals) or 0.0
    variance = error * error * found.questions
    smallest = power.smallest_margin(variance, found.questions, alpha=alpha)
    alone = found.questions / found.effective
    needed = power.questions_needed(margin, variance, alpha=alpha)
    return Decision(
        method,
        verdict(bounds.low, bounds.high, margin),
        found.mean,
        error,
        bounds.low,
        bounds.high,
        bounds.p_noninferior,
        bounds.p_drop,
        drop_detected=bounds.high < 0.0,
        smallest_margin=max(smallest, unseen.share(found.effective, alpha)),
        questions_needed=max(needed, math.ceil(unseen.questions(margin, alpha) * alone - 1e-9)),
        questions=found.questions,
        p_regression=bounds.p_regression,
    )


def _explained(decision: Decision, found: Units, margin: float, missed: bool) -> Decision:
    low, high, smallest = decision.low or 0.0, decision.high or 0.0, decision.smallest_margin or 0.0
    reasons = [in_words(low, high, margin)]
    if decision.drop_detected and decision.verdict != "REGRESSION":
        reasons.append(f"a drop was detected: the upper bound {points(high)} is below 0")
    if decision.verdict == "INCONCLUSIVE" and smallest > margin:
        certified, asked = (p.removeprefix("+") for p in apart(smallest, margin))
        reasons.append(
            f"{found.questions} questions like these certify a margin of {certified} with 80 % power if there is no drop; "
            f"{asked} needs about {decision.questions_needed}"
        )
    return replace(decision, reasons=(*reasons, _how(decision.method, found, missed)))


def _how(method: Method, found: Units, missed: bool) -> str:
    unit = "questions" if found.count == found.questions else "clusters"
    counts = f"{found.changed} of {found.count} {unit} changed"
    if found.constant:
        return f"{counts}, all alike: the bounds are those of what {found.count} {unit} may have missed"
    how = HOW[method].format(unit=unit)
    return f"{how}; {counts}" + (
        f"; the lower bound is that of what {found.count} {unit} may have missed" if missed else ""
    )


def _of_one(found: Units) -> Decision:
    reason = "one question" if found.questions == 1 else "one cluster of questions"
    return Decision(
        "none",
        "INCONCLUSIVE",
        found.mean,
        low=-1.0,
        high=1.0,
        p_noninferior=1.0,
        p_drop=1.0,
        p_regression=1.0,
        questions=found.questions,
        reasons=(f"{reason} shows no spread: any true difference is possible",),
    )
