"""Step 9: did the candidate lose anything against the baseline?"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from ..compare import cautions, comparing
from ..compare.outcome import Comparison, TaskComparison
from ..compare.report.saving import save
from ..compare.verdict import main_reason
from .next_call import call
from .spec import ToolResult

MOST_ROWS = 40
MOST_TASKS = 60
MOST_REASONS = 8
DIGITS = 6


class Difference(BaseModel):
    """A field in which the two runs differ."""

    field: str
    baseline: str
    candidate: str
    severity: str


class Comparability(BaseModel):
    """Whether both runs measure the same thing."""

    verdict: str
    differences: list[Difference]
    omitted: int = 0


class Flips(BaseModel):
    """How single questions changed; advisory."""

    lost: int
    gained: int
    share: float
    changed_while_wrong: int


class TaskRow(BaseModel):
    """One task; delta, low, high and margins are shares of the scale, higher is better. Flags: p values of a drop, and of one above
    the margin, after Holm's adjustment."""

    task: str
    metric: str
    baseline: float | None
    candidate: float | None
    delta: float | None
    low: float | None
    high: float | None
    margin: float
    verdict: str
    questions: int
    repeats: int
    method: str
    smallest_certifiable_margin: float | None
    questions_needed: int
    drop_detected: bool
    flag: float | None
    regression_flag: float | None
    flips: Flips | None
    reason: str


class Suite(BaseModel):
    """All tasks pooled, each with the same weight."""

    delta: float
    low: float
    high: float
    verdict: str
    tasks: int


class External(BaseModel):
    """The baseline beside a published score."""

    task: str
    status: str
    difference_pp: float | None
    source: str


class CompareRunsResult(ToolResult):
    """The combined verdict and what it rests on."""

    verdict: str
    reasons: list[str]
    comparability: Comparability
    tasks: list[TaskRow]
    omitted: int = 0
    suite: Suite | None
    external: list[External]
    report_path: str


def compare_runs(
    baseline: Annotated[str, Field(description="Invocation id, run directory, host:/path or mlflow:RUN_ID.")],
    candidate: Annotated[str, Field(description="The quantized or changed one, likewise.")],
    margin: Annotated[
        float,
        Field(description="Largest drop to tolerate, a share of the scale: 0.01 is 1 point of 100. Ask the user."),
    ] = 0.01,
    published: Annotated[
        list[str],
        Field(description="The baseline's scores, each task=score;scale=100;source=…;note=…. Never from memory."),
    ] = [],  # noqa: B006 - plain defaults are the contract, and nobody changes it
    report: Annotated[str, Field(description="An .html file or a directory; empty: none.")] = "",
) -> CompareRunsResult:
    """Judge a candidate against a baseline: are they comparable, then per task a non-inferiority test over paired questions. Only
    ACCEPT shows that no more than the margin was lost; INCONCLUSIVE is no pass.

    Use it when verify_run calls both valid. Not for one run: that is verify_run. Not for canaries: that is run first.
    Example: compare_runs(baseline="4f0c9d1e7b2d4860", candidate="77ab01c2d3e4f506", margin=0.01)
    """
    comparison = comparing.compare(baseline, candidate, margin, published)
    path = _saved(comparison, report) if report.strip() else ""
    found = comparison.comparability
    return CompareRunsResult(
        next_step=_next_step(comparison, path, {"baseline": baseline, "candidate": candidate, "margin": margin}),
        warnings=cautions.cautions(comparison),
        verdict=comparison.verdict,
        reasons=list(comparison.reasons[:MOST_REASONS]),
        comparability=Comparability(
            verdict=found.verdict,
            differences=[
                Difference(field=d.field, baseline=d.baseline, candidate=d.candidate, severity=d.severity)
                for d in found.differences[:MOST_ROWS]
            ],
            omitted=max(0, len(found.differences) - MOST_ROWS),
        ),
        tasks=[_row(task, comparison.alpha) for task in comparison.tasks[:MOST_TASKS]],
        omitted=max(0, len(comparison.tasks) - MOST_TASKS),
        suite=_suite(comparison),
        external=[
            External(task=e.task, status=e.status, difference_pp=_rounded(e.difference_pp), source=e.source)
            for e in comparison.external
        ],
        report_path=path,
    )


def _saved(comparison: Comparison, path: str) -> str:
    return str(save(comparison, path.strip()))


def _row(task: TaskComparison, alpha: float) -> TaskRow:
    flips = task.flips
    return TaskRow(
        task=task.task,
        metric=task.metric,
        baseline=_rounded(task.baseline),
        candidate=_rounded(task.candidate),
        delta=_rounded(task.delta),
        low=_rounded(task.low),
        high=_rounded(task.high),
        margin=task.margin,
        verdict=task.verdict,
        questions=task.questions,
        repeats=task.repeats,
        method=task.method,
        smallest_certifiable_margin=_rounded(task.smallest_margin),
        questions_needed=task.questions_needed,
        drop_detected=task.drop_detected,
        flag=_rounded(task.flag),
        regression_flag=_rounded(task.regression_flag),
        flips=None
        if flips is None
        else Flips(
            lost=flips.lost,
            gained=flips.gained,
            share=round(flips.share, DIGITS),
            changed_while_wrong=flips.changed_while_wrong,
        ),
        reason=main_reason(task, alpha),
    )


def _suite(comparison: Comparison) -> Suite | None:
    found = comparison.suite
    if found is None:
        return None
    return Suite(
        delta=round(found.delta, DIGITS),
        low=round(found.low, DIGITS),
        high=round(found.high, DIGITS),
        verdict=found.verdict,
        tasks=found.tasks,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _lost(comparison: Comparison) -> list[str]:
    """Tasks on which a loss was shown, at one error rate for all of them, and the margin is open."""
    open_ones = (t for t in comparison.tasks if t.drop_detected and t.verdict in ("INCONCLUSIVE", "REGRESSION"))
    return [t.task for t in open_ones if t.flag is None or t.flag < comparison.alpha]


def _next_step(comparison: Comparison, report: str, asked: dict[str, Any]) -> str:
    """What the verdict allows to be said, and what to do about it."""
    first = comparison.reasons[0] if comparison.reasons else ""
    beside = ", ".join(_beside(comparison))
    checked = f"{call('verify_run', run=asked['baseline'])}, {call('verify_run', run=asked['candidate'])}"
    match comparison.verdict:
        case "ACCEPT":
            said = f"Say that no loss above the margin was found, never that there is no difference; with it {beside}."
        case "REGRESSION":
            touched = call("detect_quantization", model="<the candidate's checkpoint>")
            said = (
                f"Say which tasks lost more than the margin, with {beside}; then look at the flipped answers (in both runs' "
                f"per-sample files) and at what quantization touched ({touched}), before a rerun."
            )
        case "INCONCLUSIVE":
            lost = _lost(comparison)
            shown = (
                f"that a loss was shown on {', '.join(lost[:MOST_REASONS])}, and that it is open whether it exceeds the margin"
                if lost
                else "that neither a loss nor its absence was shown"
            )
            said = (
                f"Say {shown}: {first}. Finish or rerun what is missing ({checked}), or ask the user for a larger margin or more "
                f"questions ({call('run', config='<its config>')} without max_samples); never call it a pass."
            )
        case "ANOMALOUS":
            said = f"Report no comparison: {first}. Find the cause first ({checked}), then run it again."
        case _:
            same = call("edit_config", config="<config of one side>", set=["<path>=<the other side's value>"])
            said = f"Report no comparison: {first}. Run one side again with the other's settings: {same}, then its gates again."
    if report:
        return f"{said} The report is {report}."
    return f"{said} {call('compare_runs', **asked, report='<path>.html')} also writes a page for people."


def _beside(comparison: Comparison) -> list[str]:
    """What must be said with the verdict."""
    sides = (comparison.baseline, comparison.candidate)
    subset = ["that it rests on a subset"] if any(s.subset for s in sides) else []
    skipped = ["that gates were skipped"] if any(s.skip_reason for s in sides) else []
    return ["the margin", "the number of questions", *subset, *skipped]
