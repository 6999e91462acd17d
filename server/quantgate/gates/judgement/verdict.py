"""What a finished canary shows, task by task: why it does not pass, and what could not be verified.

A canary passes when every task succeeded, the expected samples are scored, it ran as its config says (`record`), and the log
scan finds no failure. Of a harness whose per-sample files cannot be read, or a task whose metric is not known, that cannot be
checked sample by sample. Such a task stands on lesser evidence, which is then named: a clean end, clean logs, no response with
an error, at least as many answered requests as were expected, and a finite score in results.yml.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...errors import BadInput
from ...results import verify
from ...results.results_yml import read_results
from ...results.samples import has_reader
from ...runs.rundir import RunDir, TaskDir

SAMPLES = "samples"
"""The evidence of a task that was verified sample by sample."""
_BY_SAMPLES = frozenset(
    {
        "samples_readable",
        "samples_scored",
        "repeats_complete",
        "no_duplicates",
        "none_skipped",
        "judge_readable",
        "harness_remarks",
        "score_recomputed",
        "answers_not_empty",
        "answers_differ",
        "no_placeholders",
        "no_reasoning_left",
        "no_template_tokens",
        "repeats_differ",
    }
)
_SAID_ELSEWHERE = frozenset({"truncation"})
"""Findings that the canary's own figures tell already."""
_BY_METRIC = frozenset({"metric_reported", "score_recomputed"})
_FIX = {
    "finished": "read its logs",
    "not_interrupted": "start a new canary and let it end",
    "samples_scored": "read the logs for the samples that were given up; max_new_tokens, parallelism or the judge may be the cause",
    "no_api_errors": "lower parallelism when the errors come from the load, else mend the endpoint",
    "answers_not_empty": "check the chat template, the reasoning settings and max_new_tokens",
    "answers_differ": "check the chat template and the served weights",
    "no_placeholders": "read some answers; the harness writes such words where it lost one",
    "no_reasoning_left": "give the server a reasoning parser, or set process_reasoning_traces",
    "repeats_differ": "switch use_caching off, or leave out the seed",
    "truncation": "raise max_new_tokens, or switch thinking off if it is not wanted",
    "model": "serve the model that the config names, then start a new canary",
    "parameters": "look at the command that NEL ran (run_config.yml), and mend the config",
    "judge_answered": "check the judge's URL, key and rate limit",
}


@dataclass(frozen=True)
class TaskVerdict:
    """What the canary shows of one task.

    Attributes:
        task: The task's directory name.
        reasons: Why it does not pass, each with a fix where one is known; empty when it passes.
        evidence: "samples", or "not verifiable: …" with what the verdict stands on instead.
        warnings: What was found and does not keep it from passing.
    """

    task: str
    reasons: tuple[str, ...]
    evidence: str
    warnings: tuple[str, ...] = ()


def weigh(
    run: RunDir, verification: verify.Verification, expected: Mapping[str, verify.Expectation], launched: Sequence[str]
) -> tuple[TaskVerdict, ...]:
    """The verdict on each task of a canary.

    Args:
        run: The finished canary.
        verification: Of the same run.
        expected: What each task should have done, by directory name.
        launched: Names of the tasks that it was launched with, to find one that left no directory; empty when not known.
    """
    found = [_weigh_task(run, task, expected[task.task]) for task in verification.tasks if task.task in expected]
    absent = Counter(launched) - Counter(task.name for task in run.tasks)
    reason = "it was to be run, and the run has no directory of it"
    return (*found, *(TaskVerdict(name, (f"{name}: {reason}",), SAMPLES) for name in sorted(absent)))


def _weigh_task(run: RunDir, checked: verify.TaskVerification, expectation: verify.Expectation) -> TaskVerdict:
    directory = run.task(checked.task)
    excused: frozenset[str] = frozenset()
    lacking = []
    if not has_reader(expectation.harness):
        excused |= _BY_SAMPLES
        lacking.append(f"the per-sample files of {expectation.harness or 'its harness'} cannot be read yet")
    if not expectation.metric:
        excused |= _BY_METRIC
        lacking.append("which metric counts is not known")
    failed = [c for c in checked.checks if c.fails and c.name not in excused]
    reasons = [_reason(checked, check) for check in failed]
    evidence = SAMPLES
    if lacking and directory is not None:
        stands_on, missing = _instead(directory, checked, expectation)
        evidence = f"not verifiable: {'; '.join(lacking)}" + (f"; it stands on {stands_on}" if stands_on else "")
        reasons += [f"{checked.task}: {text}" for text in missing if not failed]
    return TaskVerdict(checked.task, tuple(reasons), evidence, tuple(_suspicious(checked)))


def _reason(checked: verify.TaskVerification, check: verify.Check) -> str:
    fix = checked.log_fix if check.name == "log_scan" else _FIX.get(check.name, "")
    return f"{checked.task}: {check.name}: {check.detail}" + (f" (fix: {fix.rstrip('.')})" if fix else "")


def _suspicious(checked: verify.TaskVerification) -> list[str]:
    found = [
        f"{checked.task}: the log scan is {check.detail}"
        for check in checked.checks
        if check.name == "log_scan" and check.ok and check.detail.startswith("suspicious")
    ]
    told = (c for c in checked.checks if c.warns and c.name not in _SAID_ELSEWHERE)
    return [*found, *(f"{checked.task}: {check.name}: {check.detail}" for check in told)]


def _instead(
    directory: TaskDir, checked: verify.TaskVerification, expectation: verify.Expectation
) -> tuple[str, list[str]]:
    """The lesser evidence as a clause, and what is missing of it."""
    missing: list[str] = []
    stats, least = checked.stats, expectation.answers
    answered = stats.successful if stats else 0
    if least is None:
        missing.append("how many samples there should be is not known")
    elif not has_reader(expectation.harness) and answered < least:
        repeats = (
            f" ({expectation.questions} samples x {expectation.repeats} repeats)" if expectation.repeats > 1 else ""
        )
        missing.append(
            f"{answered} requests were answered, at least {least}{repeats} were expected (fix: ask for fewer samples if its full "
            "set is smaller; switch use_caching off if equal repeats came from the cache)"
        )
    try:
        scores = sum(score.value is not None for score in read_results(directory.artifacts).scores)
    except BadInput:
        scores = 0
    if not scores:
        missing.append("results.yml reports no finite score")
    clause = f"{answered} answered requests (at least {least} expected), {scores} scores in results.yml and its logs"
    return ("" if missing else clause), missing
