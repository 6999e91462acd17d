"""One table of samples for every harness: who answered what, how it was scored, and what could not be read."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class SampleRow:
    """One answer to one question.

    Attributes:
        question_id: The same for the same question in every run.
        repeat: 0 for the first answer to the question.
        score: In the metric's own scale; None when it was not scored.
        weight: What it counts in the metric's mean (1 but for metrics over parts of a question).
        error: Why there is no score; empty otherwise.
        empty: Whether the answer holds nothing but white space.
        answer: A digest of the answer, to tell equal ones; empty for an empty one.
    """

    question_id: str
    repeat: int
    score: float | None
    weight: float
    error: str
    empty: bool
    answer: str


@dataclass(frozen=True)
class SampleTable:
    """The samples of one task under one metric.

    Attributes:
        harness: Whose files they are.
        metric: What `score` is, by the name in results.yml.
        rows: In the order of the questions.
        files: The files that were read.
        problems: What could not be read, bounded.
        one_request_each: Whether each sample is exactly one successful request, so that errors before it cost nothing.
    """

    harness: str
    metric: str
    rows: tuple[SampleRow, ...]
    files: tuple[str, ...]
    problems: tuple[str, ...]
    one_request_each: bool

    @property
    def scored(self) -> tuple[SampleRow, ...]:
        """The rows with a score."""
        return tuple(r for r in self.rows if r.score is not None)

    @property
    def questions(self) -> int:
        """Distinct questions with a score."""
        return len({r.question_id for r in self.scored})

    def mean(self) -> float | None:
        """The metric over the rows with a score: the weighted mean; None without any."""
        weights = math.fsum(r.weight for r in self.rows if r.score is not None)
        if weights <= 0:
            return None
        return math.fsum(r.score * r.weight for r in self.rows if r.score is not None) / weights
