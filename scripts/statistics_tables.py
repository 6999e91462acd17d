"""The tables of docs/statistics.md that the code itself makes: published values beside ours, and three rules on the same runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantgate.statistics import holm, mcnemar, paired, tango, unseen
from quantgate.statistics.clustering import units
from quantgate.statistics.decide import decide
from quantgate.statistics.standard_error import sandwich

Array = NDArray[np.float64]

SLEEP = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]) - np.array(
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
)
"""R's data set `sleep`: hours gained with the first drug less hours gained with the second, for ten people."""

CLUSTERED = (np.array([1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1.0]), list("000111222333"))
FAGERLAND = "Fagerland et al. 2013"
AGRESTI = "Agresti, Categorical Data Analysis"
EXAMPLE = "worked example"


@dataclass(frozen=True)
class Oracle:
    """A value that somebody else published, and ours.

    Attributes:
        published: As it was printed: its digits say how closely ours must agree.
    """

    case: str
    quantity: str
    published: str
    source: str
    ours: float

    @property
    def agrees(self) -> bool:
        """Whether ours rounds to what was printed, give or take one in the last digit."""
        digits = len(self.published.partition("e")[0].partition(".")[2])
        exponent = int(self.published.partition("e")[2] or 0)
        return math.isclose(self.ours, float(self.published), rel_tol=0.0, abs_tol=1.01 * 10.0 ** (exponent - digits))


def _discordant(gained: int, lost: int, questions: int) -> Array:
    return np.repeat([1.0, -1.0, 0.0], [gained, lost, questions - gained - lost])


def _fagerland() -> Iterator[Oracle]:
    for gained, lost, n, published in (
        (1, 7, 21, ("0.0703", "0.0391")),
        (6, 16, 161, ("0.0525", "0.0347")),
    ):
        ours = (mcnemar.exact(gained, lost), mcnemar.mid_p(gained, lost))
        for name, printed, value in zip(("exact", "mid-p"), published, ours, strict=True):
            yield Oracle(f"{gained} gained, {lost} lost of {n}", f"McNemar, {name}", printed, FAGERLAND, value)
    low, high = tango.interval(1, 7, 21, 0.025)
    yield Oracle("1 gained, 7 lost of 21", "Tango, lower 95 %", "-0.5172", FAGERLAND, low)
    yield Oracle("1 gained, 7 lost of 21", "Tango, upper 95 %", "-0.0260", FAGERLAND, high)


def _mcnemar() -> Iterator[Oracle]:
    yield Oracle("12 against 2", "McNemar, exact", "0.0129", EXAMPLE, mcnemar.exact(12, 2))
    case = "86 gained, 150 lost of 1,600"
    yield Oracle(case, "McNemar, exact", "3.716e-5", AGRESTI, mcnemar.exact(86, 150))
    test = paired.of_units(units(_discordant(86, 150, 1600)), 0.01, 0.025)
    yield Oracle(case, "paired, lower 95 %", "-0.0587", AGRESTI, test.low)
    yield Oracle(case, "paired, upper 95 %", "-0.0213", AGRESTI, test.high)


def _means() -> Iterator[Oracle]:
    test = paired.of_units(units(SLEEP), 0.01, 0.025)
    case, source = "sleep, 10 pairs", "R, t.test(paired = TRUE)"
    yield Oracle(case, "paired t", "-4.0621", source, test.delta / test.standard_error)
    yield Oracle(case, "p, two-sided", "0.0028329", source, 2 * test.p_drop)
    yield Oracle(case, "lower 95 %", "-2.45989", source, test.low)
    yield Oracle(case, "upper 95 %", "-0.70011", source, test.high)
    scores, groups = CLUSTERED
    naive, clustered = (sandwich(units(scores, labels).residuals) or 0.0 for labels in (None, groups))
    case = "12 scores in 4 clusters"
    yield Oracle(case, "standard error, naive", "0.1421338", "statsmodels", naive)
    yield Oracle(case, "standard error, clustered", "0.1360828", "inspect_ai, statsmodels", clustered)


def _others() -> Iterator[Oracle]:
    for index, (printed, value) in enumerate(
        zip(("0.03", "0.06", "0.06", "0.02"), holm.adjust((0.01, 0.04, 0.03, 0.005)), strict=True)
    ):
        yield Oracle("p = .01 .04 .03 .005", f"Holm, value {index + 1}", printed, EXAMPLE, value)
    yield Oracle("no question changed", "questions for 1 point", "299", "0.99^n < 0.05", unseen.questions(0.01, 0.05))


def oracles() -> tuple[Oracle, ...]:
    """All published values."""
    return (*_fagerland(), *_mcnemar(), *_means(), *_others())


def oracles_markdown() -> str:
    """Published values, and ours with one digit more."""
    rows = ["| case | quantity | published | quantgate | data from |", "| --- | --- | --- | --- | --- |"]
    rows += [f"| {o.case} | {o.quantity} | {o.published} | {_digits(o)} | {o.source} |" for o in oracles()]
    return "\n".join(rows)


def _digits(oracle: Oracle) -> str:
    _, _, fraction = oracle.published.partition("e")[0].partition(".")
    if "e" in oracle.published:
        return f"{oracle.ours:.{len(fraction) + 1}e}".replace("e-0", "e-")
    return f"{oracle.ours:.{len(fraction) + 1}f}" if fraction else f"{oracle.ours:.0f}"


@dataclass(frozen=True)
class Runs:
    """A pair of runs with one right-or-wrong answer per question, by how many changed; the margin is one point."""

    questions: int
    right: int
    lost: int
    gained: int
    truth: str

    @property
    def sides(self) -> tuple[Array, Array]:
        """Scores of baseline and candidate, (N,) each."""
        both = self.right - self.lost
        neither = self.questions - self.right - self.gained
        counts = [both, self.lost, self.gained, neither]
        return np.repeat([1.0, 1.0, 0.0, 0.0], counts), np.repeat([1.0, 0.0, 1.0, 0.0], counts)


RUNS = (
    Runs(198, 119, 10, 9, "a GPQA-sized set, half a point lost"),
    Runs(198, 119, 20, 8, "the same set, 6 points lost"),
    Runs(30, 18, 3, 0, "an AIME-sized set, 10 points lost"),
    Runs(1000, 600, 55, 41, "1.4 points lost"),
    Runs(12_000, 8400, 300, 300, "nothing lost"),
    Runs(12_000, 8400, 420, 250, "1.4 points lost"),
    Runs(12_000, 8400, 330, 260, "half a point lost"),
)
MARGIN = 0.01
_Z = 1.959964


def point_rule(baseline: Array, candidate: Array) -> bool:
    """Accept when the measured drop is smaller than the margin."""
    return bool((candidate - baseline).mean() > -MARGIN)


def z_test(baseline: Array, candidate: Array) -> bool:
    """Accept unless the two scores differ significantly, each with its own standard error."""
    error = math.sqrt((baseline.var(ddof=1) + candidate.var(ddof=1)) / baseline.size)
    return bool((candidate - baseline).mean() > -_Z * error)


RULES: tuple[Callable[[Array, Array], bool], ...] = (point_rule, z_test)


def side_by_side_markdown() -> str:
    """The same runs judged by the three rules."""
    rows = [
        "| runs | lost / gained | point rule | unpaired z-test | quantgate | between | could certify |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for runs in RUNS:
        baseline, candidate = runs.sides
        others = ["accepts" if rule(baseline, candidate) else "rejects" for rule in RULES]
        found = decide(candidate - baseline, MARGIN, binary=True)
        low, high, smallest = ((100 * (value or 0.0)) for value in (found.low, found.high, found.smallest_margin))
        rows.append(
            f"| {runs.questions:,} questions: {runs.truth} | {runs.lost} / {runs.gained} | {' | '.join(others)} "
            f"| {found.verdict} | {low:+.1f} and {high:+.1f} | {smallest:.1f} |"
        )
    return "\n".join(rows)
