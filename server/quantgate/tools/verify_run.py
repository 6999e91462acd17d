"""Step 9: is the run valid, and what did it score."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from ..gates.judgement import validating
from ..gates.traces import lookup, remote_files
from ..results import verify
from ..runs.clusters.mirrored import Mirror
from ..runs.sanitise import one_line
from .next_call import call
from .spec import ToolResult
from .standing import gates_check, skip_reason, standing_warnings

MOST_FINDINGS = 12
"""Findings in the warnings; more are counted."""
MOST_TASKS_IN_FULL = 4
"""With more tasks, the checks that hold are counted and not listed."""


class Subset(BaseModel):
    """How much of the benchmark was scored; both 0 for the whole of it."""

    samples: int = 0
    of: int = Field(default=0, description="0: not known")


class Check(BaseModel):
    """One thing that was checked. False in a valid run: say it beside the score, or it is "not shown"."""

    name: str
    ok: bool
    detail: str


class Score(BaseModel):
    """The score; `metric` is empty when the run is not valid."""

    metric: str = ""
    value: float = 0
    stderr: float = Field(default=-1, description="-1: not known")
    minimum: float = 0
    maximum: float = Field(default=1, description="0 for both ends: not known")


class TaskRow(BaseModel):
    """One task."""

    task: str
    verdict: str
    samples_expected: int = Field(description="-1: not known")
    samples_scored: int
    checks: list[Check]
    score: Score
    omitted: int = Field(default=0, description="Checks that hold")


class VerifyRunResult(ToolResult):
    """The verdict on a run: valid, incomplete or invalid."""

    verdict: str
    subset: Subset
    tasks: list[TaskRow]


def verify_run(
    run: Annotated[str, Field(description="Invocation id, run directory, host:/path or mlflow:RUN_ID.")],
) -> VerifyRunResult:
    """Validate a finished run: every sample scored once, nothing interrupted, no failure in logs or answers, the score recomputed,
    model and parameters as launched. A score is given only for a valid run.

    Use it before any score is reported, and say the warnings and the subset with it. Not for a run that goes on: that is status.
    Not for two runs against each other: that is compare_runs.
    Example: verify_run(run="4f0c9d1e7b2d4860")
    """
    found, copy = lookup.find(run), None
    if found.remote is not None:
        found, copy = remote_files.copied(found)
    found.directory_of(run)
    verification = validating.validate(found)
    return VerifyRunResult(
        next_step=_next_step(verification, found),
        warnings=[*_warnings(verification, found), *_left_there(copy)],
        verdict=verification.verdict,
        subset=_subset(verification),
        tasks=[
            _task(t, found, copy, in_full=len(verification.tasks) <= MOST_TASKS_IN_FULL) for t in verification.tasks
        ],
    )


def _warnings(verification: verify.Verification, found: lookup.Run) -> list[str]:
    warnings = standing_warnings(found)
    if found.kind == "canary":
        warnings.append("This run is a canary: its score is not a result.")
    if verification.subset is not None:
        of = verification.subset
        warnings.append(f"Subset {of.samples} of {of.of or 'an unknown number of'} samples: say so beside the score.")
    return [*warnings, *_findings(verification)]


def _findings(verification: verify.Verification) -> list[str]:
    """What no verdict rests on and a reader of the score must know."""
    found: list[str] = []
    for task in verification.tasks:
        found += [f"{task.task}: {check.detail}; say so beside the score." for check in task.checks if check.warns]
        score = task.score
        if score is not None and score.has_scale and score.value in {score.minimum, score.maximum}:
            found.append(
                f"{task.task}: every sample got the same score, so a standard error of 0 is no certainty: read some answers first."
            )
    more = len(found) - MOST_FINDINGS
    return [*found[:MOST_FINDINGS], *([f"{more} more findings: see the checks that are not ok."] if more > 0 else [])]


def _left_there(copy: Mirror | None) -> list[str]:
    """What of a run on a cluster was not read: a check that fails may fail for this alone."""
    return [f"Not read from {copy.host}: {one_line(note, 300)}." for note in copy.notes] if copy is not None else []


def _subset(verification: verify.Verification) -> Subset:
    if verification.subset is None:
        return Subset()
    return Subset(samples=verification.subset.samples, of=verification.subset.of or 0)


def _task(task: verify.TaskVerification, found: lookup.Run, copy: Mirror | None, *, in_full: bool) -> TaskRow:
    passed, evidence = gates_check(found)
    checks = [
        *(Check(name=c.name, ok=c.ok, detail=found.placed(c.detail, copy)) for c in task.checks),
        # It says how the run came about, not whether its score is right: the verdict does not depend on it.
        Check(name="gates", ok=passed, detail=evidence),
    ]
    listed = [c for c in checks if in_full or not c.ok]
    return TaskRow(
        task=task.task,
        verdict=task.verdict,
        samples_expected=-1 if task.samples_expected is None else task.samples_expected,
        samples_scored=-1 if task.samples_scored is None else task.samples_scored,
        checks=listed,
        omitted=len(checks) - len(listed),
        score=_score(task.score),
    )


def _score(score: verify.Score | None) -> Score:
    if score is None:
        return Score()
    return Score(
        metric=score.metric,
        value=score.value,
        stderr=-1 if score.stderr is None else score.stderr,
        minimum=score.minimum,
        maximum=score.maximum,
    )


def _next_step(verification: verify.Verification, found: lookup.Run) -> str:
    named = found.place if found.exported else found.invocation_id or found.place
    if verification.verdict == "valid":
        return _after_a_valid_run(verification, found, named)
    read = call("logs", invocation_id=named)
    if verification.verdict == "incomplete":
        return (
            f"Do not report a score: say which checks failed; {call('status', invocation_ids=[named])} tells whether more is to "
            f"come, {read} why not."
        )
    return f"Do not report a score: say which checks failed; {read} for the cause."


def _after_a_valid_run(verification: verify.Verification, found: lookup.Run, named: str) -> str:
    if found.kind == "canary":
        config = found.attempt.config if found.attempt else "<its config>"
        return f"Do not report a score, for this is a canary: {call('run', config=config)} is the full run."
    of = verification.subset
    subset = f", and that it is a subset of {of.samples} of {of.of or 'an unknown number of'} samples" if of else ""
    skipped = f", and that its gates were skipped: {skip_reason(found)}" if found.skip_reason else ""
    told = ", and what the warnings say" if any(c.warns for t in verification.tasks for c in t.checks) else ""
    compared = call("compare_runs", baseline="<run of the unquantized model>", candidate=named)
    return (
        f"Report each score with its metric, scale, standard error and number of samples{subset}{skipped}{told}. What "
        f"quantization cost: {compared}, both valid."
    )
