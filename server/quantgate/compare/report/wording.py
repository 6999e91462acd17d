"""What the report calls things: each verdict has a sign, a word and a tone, so that colour is never the only sign."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ...statistics.decision import HOW
from ..outcome import Comparison, TaskComparison
from .figures import count, known, percent

Tone = Literal["good", "bad", "open", "broken", "apart"]


@dataclass(frozen=True)
class Words:
    """How a verdict is shown.

    Attributes:
        sign: One character that is told apart without its colour.
        word: The verdict in a word or two.
        tone: The colour, by the name that the style sheet has for it.
    """

    sign: str
    word: str
    tone: Tone


_WORDS: dict[str, Words] = {
    "ACCEPT": Words("✓", "Accept", "good"),
    "PASS": Words("✓", "Pass", "good"),
    "REGRESSION": Words("▼", "Regression", "bad"),
    "INCONCLUSIVE": Words("?", "Inconclusive", "open"),
    "ANOMALOUS": Words("!", "Anomalous", "broken"),
    "NOT_COMPARABLE": Words("≠", "Not comparable", "apart"),
    # Of a run's validation, an external check and a run's comparability.
    "valid": Words("✓", "valid", "good"),
    "incomplete": Words("?", "incomplete", "open"),
    "invalid": Words("!", "invalid", "broken"),
    "verified": Words("✓", "verified", "good"),
    "failed": Words("!", "failed", "broken"),
    "unverified": Words("?", "unverified", "open"),
    "comparable": Words("✓", "comparable", "good"),
    "comparable_with_warnings": Words("▲", "comparable, with warnings", "open"),
    "not_comparable": Words("≠", "not comparable", "apart"),
    "blocking": Words("≠", "blocking", "bad"),
    "warning": Words("▲", "warning", "open"),
    "expected": Words("·", "expected", "apart"),
}
_WORST_FIRST = ("REGRESSION", "ANOMALOUS", "NOT_COMPARABLE", "INCONCLUSIVE", "PASS")


def words(verdict: str) -> Words:
    """The sign, the word and the tone of a verdict, a status or a severity; of an unknown one its own name."""
    return _WORDS.get(verdict, Words("?", verdict, "open"))


_METHODS: dict[str, tuple[str, str]] = {
    "paired": ("paired", "of the mean difference per question over its repeats"),
    "tango": ("paired (Tango)", "for the same questions, each answered once and right or wrong on both sides"),
    "bootstrap": ("paired (bootstrap)", "for few questions, or few that changed"),
    "aggregate": (
        "aggregates only",
        "Two means with their standard errors, taken as independent because no answers can be paired: wider than a paired test.",
    ),
    "none": ("none", "Nothing could be computed."),
}
_PAIRED = "{how}: {what}. No bound is better than what so many questions may have missed allows."


def method(name: str) -> str:
    """The name of a method in a table."""
    return _METHODS.get(name, (name, ""))[0]


def methods_used(tasks: Iterable[TaskComparison]) -> list[tuple[str, str]]:
    """Name and explanation of each method that decided a task, in a fixed order."""
    used = {t.method for t in tasks}
    return [(shown, _explained(name, what)) for name, (shown, what) in _METHODS.items() if name in used]


def _explained(name: str, what: str) -> str:
    how = next((how for method, how in HOW.items() if method == name), "").format(unit="questions or their clusters")
    return _PAIRED.format(how=how[0].upper() + how[1:], what=what) if how else what


def confidence(comparison: Comparison) -> str:
    """Of one bound: "95 %"."""
    return percent(1 - comparison.alpha)


def width(comparison: Comparison) -> str:
    """Of the interval between two one-sided bounds: "90 %"."""
    return percent(1 - 2 * comparison.alpha)


def worst_first(tasks: Iterable[TaskComparison]) -> list[TaskComparison]:
    """Tasks in the order of a reader's need: what regressed, what is broken, what is open, what passed; worst delta first."""
    order = {verdict: place for place, verdict in enumerate(_WORST_FIRST)}

    def place(task: TaskComparison) -> tuple[int, float]:
        delta = task.delta if task.delta is not None and known(task.delta) else 0.0
        return order.get(task.verdict, len(order)), delta

    return sorted(tasks, key=place)


def pooled(comparison: Comparison) -> str:
    """Which tasks the pooled test is of: "All 3 tasks pooled", "2 of 8 tasks pooled"; empty without one."""
    if comparison.suite is None:
        return ""
    part, whole = comparison.suite.tasks, len(comparison.tasks)
    return f"All {count(part)} tasks pooled" if part == whole else f"{count(part)} of {count(whole)} tasks pooled"


def tally(tasks: Iterable[TaskComparison]) -> list[tuple[int, Words]]:
    """How many tasks have which verdict, the worst first, without those that none has."""
    verdicts = [t.verdict for t in tasks]
    return [(verdicts.count(v), words(v)) for v in _WORST_FIRST if v in verdicts]


def too_wide(task: TaskComparison) -> bool:
    """Whether the smallest margin that the task could certify is larger than the asked one."""
    smallest = task.smallest_margin
    return smallest is not None and known(smallest) and smallest > task.margin
