"""What the validation of a run says: its verdict, and the scores that may be used."""

from __future__ import annotations

from dataclasses import dataclass

from .checks.check import Check, Verdict
from .metrics_file import ResponseStats
from .results_yml import ReportedScore
from .sample_table import SampleTable


@dataclass(frozen=True)
class Score:
    """A validated score.

    Attributes:
        metric: Its name in results.yml.
        value: On the metric's own scale.
        stderr: Standard error of `value`, clustered by question; None when it cannot be known.
        minimum: The scale's lower end.
        maximum: The scale's upper end.
        has_scale: Whether the scale is known and has ends.
    """

    metric: str
    value: float
    stderr: float | None
    minimum: float
    maximum: float
    has_scale: bool = True


@dataclass(frozen=True)
class Subset:
    """How many questions a limited run asked, of how many; `of` is None when the full set's size is not known."""

    samples: int
    of: int | None


@dataclass(frozen=True)
class TaskVerification:
    """The validation of one task.

    Attributes:
        task: Its directory name.
        verdict: "valid" when no check fails; a check that only warns does not count.
        samples_expected: Questions times repeats; None when not known.
        samples_scored: None when the per-sample files cannot be read, and results.yml does not count them either.
        checks: In a fixed order.
        score: Only of a valid task.
        stats: How the endpoint answered; None when it was not recorded.
        table: The samples that were read; None without any.
        reported: The metric's value in results.yml, also of a task that is not valid; None without one.
        served: Which checkpoints its servers loaded, by their logs and the mounts of their containers; empty when not shown.
        log_fix: What to do about the first fatal sign in its logs; empty without one.
    """

    task: str
    verdict: Verdict
    samples_expected: int | None
    samples_scored: int | None
    checks: tuple[Check, ...]
    score: Score | None
    stats: ResponseStats | None = None
    table: SampleTable | None = None
    reported: ReportedScore | None = None
    served: tuple[str, ...] = ()
    log_fix: str = ""


@dataclass(frozen=True)
class Verification:
    """The validation of a run: its worst task decides."""

    verdict: Verdict
    subset: Subset | None
    tasks: tuple[TaskVerification, ...]
