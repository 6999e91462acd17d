"""One table of samples for every harness: who answered what, how it was scored, and what could not be read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
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
        prompt: A digest of what was asked; empty where the harness does not write it down.
        finish: The finish reason, in the endpoint's word ("stop", "length"); empty where it is not written down.
        group: What questions share beyond themselves (one passage, one problem of many steps); empty for none.
        traits: What stands out in the answer: "reasoning" (an open or closed trace), "template" (tokens of a chat template),
            "placeholder" (text that no model wrote), "short" (few words).
        gist: A digest of the answer without its letter case, digits and white space, to tell nearly equal ones.
    """

    question_id: str
    repeat: int
    score: float | None
    weight: float
    error: str
    empty: bool
    answer: str
    prompt: str = ""
    finish: str = ""
    group: str = ""
    traits: frozenset[str] = frozenset()
    gist: str = ""


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
        is_mean: Whether the metric is the weighted mean of the rows; where not, it cannot be recomputed from them.
        judge_errors: Samples whose judge gave no answer at all, but that have a score all the same.
        skipped: Samples that the harness left out on its own.
        rounding: How far rounding inside the harness may have moved the metric away from the mean of the rows.
        marks_failures: Whether the harness itself marks a sample that failed for good: such a row has no score.
        limit_counts: What the run's limit of samples counts: questions, or the groups of questions that the rows name.
        judge_misses: Samples whose judge did answer, but in no form that the harness reads: it counts them as wrong.
        remarks: What the harness wrote down beside the scores and is to be said with them, as whole sentences.
    """

    harness: str
    metric: str
    rows: tuple[SampleRow, ...]
    files: tuple[str, ...]
    problems: tuple[str, ...]
    one_request_each: bool
    is_mean: bool = True
    judge_errors: int = 0
    skipped: int = 0
    rounding: float = 0.0
    limit_counts: Literal["questions", "groups"] = "questions"
    marks_failures: bool = False
    judge_misses: int = 0
    remarks: tuple[str, ...] = ()

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
