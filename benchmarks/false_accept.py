"""How often three rules accept a candidate that truly lost as much as the margin, and how often one that lost nothing.

- point: the drop that was measured is smaller than the margin.
- z-test: no significant difference between two scores with their own standard errors (as lm-evaluation-harness compares models).
- quantgate: `statistics.decide`.

Three made models of what quantization does. Flips, for one yes-no answer per question: a question is lost with the probability
(flips + drop) / 2 and gained with (flips - drop) / 2, all others stay. Spread, for repeated answers: a question's probability p of
a right answer is drawn from a beta distribution with most of its mass at both ends; on the candidate's side 8 % of the questions
draw a new one, and all lose the same share; both sides answer R times independently. Collapse: instead, a few questions go to
p = 0 and all others keep theirs. That is the hardest to see in few questions, and shown where it goes above 5 %.

Prints Markdown and ends with 1 when quantgate accepts more than 5.5 % in one of the four cases that are claimed. Those are drawn
five times as often at the margin, so that chance decides less.

`python benchmarks/false_accept.py [REPETITIONS]`
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "server"))
from quantgate.statistics import clustering, holm, paired, suite
from quantgate.statistics.decide import decide

if TYPE_CHECKING:
    from benchmarks.measured import Effort, Result

Array = NDArray[np.float64]
ACCURACY = 0.6
CLAIMED = 0.055
SPREAD = (0.6, 0.4)
"""Beta distribution of the questions' probabilities, of mean 0.6."""
REDRAWN = 0.08


@dataclass(frozen=True)
class Case:
    """One size of benchmark under one model: "flips", "spread" or "collapse"."""

    questions: int
    repeats: int
    model: str
    margin: float = 0.01
    flips: float = 0.1
    claimed: bool = False

    @property
    def name(self) -> str:
        """As the table shows it."""
        detail = f"flips {self.flips:.0%}" if self.model == "flips" else self.model
        return f"{self.questions} x {self.repeats}, {detail}, margin {100 * self.margin:g} pp"


CASES = (
    Case(198, 1, "flips", claimed=True),
    Case(198, 16, "spread", claimed=True),
    Case(1000, 5, "spread", claimed=True),
    Case(12_000, 1, "flips", flips=0.05, claimed=True),
    Case(1000, 1, "flips", flips=0.02),
    Case(198, 1, "flips", margin=0.05),
    Case(198, 16, "collapse"),
    Case(1000, 5, "collapse"),
)
SMALL = (Case(30, 16, "spread", margin=0.1), Case(60, 4, "spread", margin=0.05), Case(60, 16, "collapse", margin=0.05))


def draw(case: Case, drop: float, random: np.random.Generator) -> tuple[Array, Array]:
    """Scores per question of baseline and candidate, (N,) each, with so large a true drop."""
    n, repeats = case.questions, case.repeats
    if case.model == "flips":
        flips = max(case.flips, drop)
        lost, gained = (flips + drop) / 2, (flips - drop) / 2
        counts = random.multinomial(n, [lost, gained, ACCURACY - lost, 1 - ACCURACY - gained])
        return np.repeat([1.0, 0.0, 1.0, 0.0], counts), np.repeat([0.0, 1.0, 1.0, 0.0], counts)
    p = random.beta(*SPREAD, n)
    if case.model == "spread":
        new = np.where(random.random(n) < REDRAWN, random.beta(*SPREAD, n), p) * (1 - drop / ACCURACY)
    else:
        new = np.where(random.random(n) < drop / ACCURACY, 0.0, p)
    return random.binomial(repeats, p) / repeats, random.binomial(repeats, new) / repeats


def point_rule(baseline: Array, candidate: Array, case: Case) -> bool:
    """Accept when the measured drop is smaller than the margin."""
    return bool((candidate - baseline).mean() > -case.margin)


def z_test(baseline: Array, candidate: Array, case: Case) -> bool:
    """Accept unless the candidate is significantly worse, two-sided at 5 %, as if its questions were other ones."""
    error = math.sqrt((baseline.var(ddof=1) + candidate.var(ddof=1)) / case.questions)
    return bool((candidate - baseline).mean() > -1.959964 * error)


def quantgate(baseline: Array, candidate: Array, case: Case, resamples: int = 9999) -> bool:
    """Accept when the verdict is PASS."""
    binary = case.repeats == 1
    return decide(candidate - baseline, case.margin, binary=binary, resamples=resamples).verdict == "PASS"


def accepted(
    case: Case,
    drop: float,
    repetitions: int,
    rules: Iterable[Callable[[Array, Array, Case], bool]],
    seed: int = 20261121,
) -> list[float]:
    """The share of simulated pairs of runs that each rule accepts; all rules judge the same pairs."""
    random = np.random.default_rng((seed, case.questions, case.repeats, round(1e6 * drop)))
    rules = list(rules)
    counts = [0] * len(rules)
    for _ in range(repetitions):
        pair = draw(case, drop, random)
        for index, rule in enumerate(rules):
            counts[index] += rule(*pair, case)
    return [count / repetitions for count in counts]


def suite_accepted(cases: Iterable[Case], drop: float, margin: float, repetitions: int, seed: int = 20261121) -> float:
    """The share of simulated suites, one task per case with the same drop in each, that the pooled test accepts."""
    random = np.random.default_rng((seed, round(1e6 * drop)))
    cases = list(cases)
    passed = 0
    for _ in range(repetitions):
        pairs = [draw(case, drop, random) for case in cases]
        passed += suite.pooled([candidate - baseline for baseline, candidate in pairs], margin).low > -margin
    return passed / repetitions


def enumerated(n: int, margin: float, flips: Iterable[float], alpha: float = 0.05) -> dict[str, float]:
    """The exact false-accept rate of one answer per question at the worst of the flip rates, for the t interval and for ours.

    Every table of gained and lost questions that matters is judged once and weighed with its probability; nothing is random.
    """
    most = max(flips)
    largest = min(n, math.ceil(n * most + 6 * math.sqrt(n * most) + 6))
    tables = [(g, lost) for g in range(largest + 1) for lost in range(largest + 1 - g)]
    passes: dict[str, list[tuple[int, int]]] = {"t interval": [], "quantgate": []}
    for gained, lost in tables:
        if gained - lost < -n * margin:
            continue
        d = np.repeat([1.0, -1.0, 0.0], [gained, lost, n - gained - lost])
        if decide(d, margin, alpha, binary=True).verdict == "PASS":
            passes["quantgate"].append((gained, lost))
        if gained + lost and paired.of_units(clustering.units(d), margin, alpha).low > -margin:
            passes["t interval"].append((gained, lost))
    return {
        name: max(sum(_probability(g, lost, n, rate, margin) for g, lost in cells) for rate in flips)
        for name, cells in passes.items()
    }


def _probability(gained: int, lost: int, n: int, flips: float, drop: float) -> float:
    kept = n - gained - lost
    logarithm = math.lgamma(n + 1) - math.lgamma(gained + 1) - math.lgamma(lost + 1) - math.lgamma(kept + 1)
    for count, share in ((gained, (flips - drop) / 2), (lost, (flips + drop) / 2), (kept, 1 - flips)):
        if share <= 1e-12:
            if count:
                return 0.0
        else:
            logarithm += count * math.log(share)
    return math.exp(logarithm)


def simulations(repetitions: int) -> bool:
    """Print the table of simulations; whether every claimed case holds."""
    print(
        "| questions x repeats | rule | drop = margin | no drop | drop = 3 margins |\n| --- | --- | --- | --- | --- |"
    )
    holds = True
    rules = (point_rule, z_test, quantgate)
    for case in CASES:
        often = repetitions * (5 if case.claimed else 1)
        columns = [accepted(case, case.margin, often, rules)]
        columns += [accepted(case, drop, repetitions, rules) for drop in (0.0, 3 * case.margin)]
        for index, name in enumerate(("point", "z-test", "**quantgate**")):
            shares = " | ".join(f"{column[index]:.1%}" for column in columns)
            print(f"| {case.name if index == 0 else ''} | {name} | {shares} |", flush=True)
        holds = holds and (not case.claimed or columns[0][2] <= CLAIMED)
    for case in SMALL:
        few = max(1, repetitions // 4)
        columns = [accepted(case, d, few, [lambda a, b, c: quantgate(a, b, c, 999)]) for d in (case.margin, 0.0)]
        shares = f"{columns[0][0]:.1%} | {columns[1][0]:.1%}"
        print(f"| {case.name} ({few} pairs) | **quantgate** | {shares} | |", flush=True)
    tasks = [*CASES[:3] * 2, CASES[6], CASES[7]]
    shares = " | ".join(f"{suite_accepted(tasks, drop, 0.01, repetitions):.1%}" for drop in (0.01, 0.0, 0.03))
    print(f"| suite of {len(tasks)} such tasks, pooled, margin 1 pp | **quantgate** | {shares} |", flush=True)
    return holds


def enumeration() -> None:
    """Print the exact worst cases of one yes-no answer per question."""
    print("\n| questions x 1 | margin | t interval | quantgate |\n| --- | --- | --- | --- |")
    for n, margin in ((60, 0.05), (198, 0.01), (198, 0.05), (541, 0.01), (1000, 0.01)):
        rates = [margin * factor for factor in (1, 1.1, 1.25, 1.5, 2, 3)]
        worst = enumerated(n, margin, [*rates, *(r for r in (0.05, 0.07, 0.1) if r > max(rates))])
        print(f"| {n} | {100 * margin:g} pp | {worst['t interval']:.2%} | {worst['quantgate']:.2%} |", flush=True)


def called_worse(
    tasks: int, questions: int, flips: float, repetitions: int, margin: float = 0.01
) -> tuple[float, float]:
    """How often two equal models are called worse on some task: by the tasks' own bounds, and after Holm's adjustment as well."""
    random = np.random.default_rng((tasks, questions))
    alone = together = 0
    for _ in range(repetitions):
        drawn = random.choice([-1.0, 0.0, 1.0], (tasks, questions), p=[flips / 2, 1 - flips, flips / 2])
        found = [decide(d, margin, binary=True) for d in drawn]
        adjusted = holm.adjust([f.p_regression if f.p_regression is not None else 1.0 for f in found])
        worse = [f.verdict == "REGRESSION" for f in found]
        alone += any(worse)
        together += any(w and p < 0.05 for w, p in zip(worse, adjusted, strict=True))
    return alone / repetitions, together / repetitions


def several_tasks(repetitions: int) -> None:
    """Print how often equal models are called worse when several tasks are looked at."""
    print("\n| tasks x questions, flips | single bounds | quantgate |\n| --- | --- | --- |")
    for tasks, questions, flips in ((5, 30, 0.3), (10, 198, 0.15), (20, 198, 0.2), (20, 1000, 0.1)):
        alone, together = called_worse(tasks, questions, flips, repetitions)
        print(f"| {tasks} x {questions}, {flips:.0%} | {alone:.1%} | {together:.1%} |", flush=True)


def measure(effort: Effort) -> Result:
    """Rows for `make bench`: the claimed cases at the margin, beside the z-test; each round is a simulation of its own."""
    from benchmarks.measured import Result, compared

    repetitions, rows = effort.size(6000, 100), []
    for case in (c for c in CASES if c.claimed):
        rounds = [
            accepted(case, case.margin, repetitions, (quantgate, z_test), seed=20261121 + number)
            for number in range(effort.rounds())
        ]
        figures = [(100 * ours, 100 * theirs) for ours, theirs in rounds]
        what = f"accepts a candidate that lost the margin ({case.name})"
        note = f"simulated: {repetitions} pairs a round"
        key = f"{case.questions}x{case.repeats}"
        rows.append(compared(key, what, "z-test of two scores", figures, unit="%", reads="value",
                             limit=100 * CLAIMED, note=note))  # fmt: skip
    return Result(tuple(rows))


def main() -> int:
    """Print all tables."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    started = time.perf_counter()
    print(
        f"Accepted, of {repetitions} simulated pairs of runs ({5 * repetitions} at the margin in the first four cases).\n"
    )
    holds = simulations(repetitions)
    print("\nOne yes-no answer per question, true drop = margin: accepted at the worst flip rate, by enumeration.")
    enumeration()
    print(f"\nTwo equal models called worse on some task, margin 1 pp, of {repetitions} comparisons each.")
    several_tasks(repetitions)
    print(f"\n{time.perf_counter() - started:.0f} s")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
