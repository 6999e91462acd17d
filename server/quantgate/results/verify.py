"""Run validation: whether a finished run's scores may be used, and what they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import BadInput
from ..runs.rundir import RunDir, TaskDir
from ..runs.scanning.log_scan import scan_task
from ..runs.scanning.scan import ScanReport
from ..runs.task_state import state_of
from . import counting, samples, standard_error
from .checks import answers, ended, endpoint, identity, logs, repeats, reported
from .checks import samples as counted
from .checks.check import Check, Verdict, not_shown, worst
from .expectation import Expectation
from .launch_record import NO_RECORD, LaunchRecord
from .metrics_file import Metrics, ReasoningStats, ResponseStats, read_metrics
from .results_yml import ReportedResults, ReportedScore, read_results
from .run_config import RunConfig, read_run_config
from .sample_table import SampleTable
from .verification import Score, Subset, TaskVerification, Verification

__all__ = [
    "Check",
    "Expectation",
    "LaunchRecord",
    "Score",
    "Subset",
    "TaskVerification",
    "Verdict",
    "Verification",
    "used_parameters",
    "verify",
]

_ORDER: tuple[Verdict, ...] = ("valid", "incomplete", "invalid")


@dataclass(frozen=True)
class _Evidence:
    results: ReportedResults | None
    results_problem: str
    reported: ReportedScore | None
    table: SampleTable | None
    config: RunConfig | None
    config_problem: str
    stats: ResponseStats | None
    stats_problem: str
    reasoning: ReasoningStats | None
    programs: Counter[int] | None


def used_parameters(task: TaskDir) -> Mapping[str, Any]:
    """The `params` that a task ran with, by its run_config.yml; empty when there is none to read."""
    try:
        return read_run_config(task.artifacts).params
    except BadInput:
        return {}


def verify(run: RunDir, expectations: Mapping[str, Expectation], record: LaunchRecord | None = None) -> Verification:
    """Validate every task of a run against what it should have done.

    Args:
        run: The run.
        expectations: By the task's directory name ("ifbench.ifbench.0"), or by its task name. A task without one cannot
            be valid; one that the run does not have is incomplete.
        record: What is known of the launch; None when nothing is.
    """
    found: dict[str, TaskVerification] = {}
    used: set[str] = set()
    for task in run.tasks:
        key = next((k for k in (task.directory, task.name) if k in expectations), "")
        used.add(key)
        expectation = expectations[key] if key else None
        found[task.directory] = (
            _verify_task(task, expectation, record or NO_RECORD) if expectation is not None else _unexpected(task)
        )
    for name, expectation in expectations.items():
        if name not in used:
            check = ended.missing_directory(run.path / name)
            found[name] = TaskVerification(name, "incomplete", expectation.answers, None, (check,), None)
    tasks = tuple(found.values())
    verdict: Verdict = max((t.verdict for t in tasks), key=_ORDER.index, default="incomplete")
    return Verification(verdict, _subset(expectations), tasks)


def _verify_task(task: TaskDir, expectation: Expectation, record: LaunchRecord) -> TaskVerification:
    evidence, expectation = _gather(task, expectation)
    scored = None if evidence.table is None else len(evidence.table.scored)
    scan = scan_task(task)
    checks = _checks(task, expectation, evidence, record, scan)
    if scored is None and (by := _counts_itself(expectation, evidence)):
        scored = expectation.answers
        checks = _by_aggregate(checks, expectation, by)
    expected = expectation.answers
    if evidence.table is not None and counted.counts_groups(evidence.table, expectation):
        # The limit counts groups, so only the files tell how many samples these have.
        expected = len(evidence.table.rows)
    verdict = worst(checks)
    score = _score(evidence, expectation) if verdict == "valid" else None
    return TaskVerification(
        task.directory,
        verdict,
        expected,
        scored,
        checks,
        score,
        evidence.stats,
        evidence.table,
        evidence.reported,
        identity.served(task, scan),
        next((c.fix for c in scan.classes if c.severity == "fatal"), ""),
    )


def _checks(
    task: TaskDir, expectation: Expectation, evidence: _Evidence, record: LaunchRecord, scan: ScanReport
) -> tuple[Check, ...]:
    """In the order of `checks.table.CHECKS`."""
    table, stats, config = evidence.table, evidence.stats, evidence.config
    return (
        ended.finished(state_of(task, expectation.answers)),
        ended.not_interrupted(task),
        reported.results_readable(evidence.results, evidence.results_problem),
        reported.metric_reported(evidence.results, evidence.reported, expectation),
        counted.samples_readable(table, expectation, _aggregate_only(expectation)),
        counted.samples_scored(table, expectation),
        counted.repeats_complete(table, expectation),
        counted.no_duplicates(table, expectation),
        counted.none_skipped(table),
        reported.score_recomputed(table, evidence.reported, expectation),
        reported.judge_answered(evidence.results, table),
        reported.judge_readable(table),
        counted.harness_remarks(table),
        endpoint.no_api_errors(stats, evidence.stats_problem, table, expectation, config),
        answers.answers_not_empty(table, expectation),
        answers.answers_differ(table, expectation),
        answers.no_placeholders(table, expectation),
        answers.no_reasoning_left(table, expectation),
        answers.no_template_tokens(table),
        repeats.repeats_differ(table, stats, config.params if config else None, expectation),
        endpoint.traces_stripped(config, evidence.reasoning),
        endpoint.truncation(stats, table, expectation),
        identity.limit_as_declared(config, evidence.config_problem, expectation, record),
        logs.log_scan(scan),
        logs.server_restarts(scan),
        identity.model(config, record),
        identity.parameters(task, config, record),
        identity.checkpoint(task, scan, record),
    )


def _gather(task: TaskDir, expectation: Expectation) -> tuple[_Evidence, Expectation]:
    """What the files say, and the expectation with what only they can tell: the metric's spelling, the number of questions."""
    results, results_problem, config, config_problem = None, "", None, ""
    metrics, stats_problem = Metrics(), ""
    try:
        results = read_results(task.artifacts)
    except BadInput as error:
        results_problem = str(error)
    try:
        config = read_run_config(task.artifacts)
    except BadInput as error:
        config_problem = str(error)
    try:
        metrics = read_metrics(task.artifacts)
    except BadInput as error:
        stats_problem = str(error)
    expectation = counting.as_named(expectation, results)
    reported = results.find(expectation.metric) if results is not None and expectation.metric else None
    table = samples.read_samples(task, expectation.harness, expectation.metric)
    programs = counting.programs_of(task) if _aggregate_only(expectation) else None
    expectation = counting.with_own_count(expectation, table, results, reported, programs)
    return _Evidence(
        results,
        results_problem,
        reported,
        table,
        config,
        config_problem,
        metrics.responses,
        stats_problem,
        metrics.reasoning,
        programs,
    ), expectation


def _aggregate_only(expectation: Expectation) -> str:
    """Why a harness's samples can never be read; empty when they can."""
    instead = samples.AGGREGATE_ONLY.get(expectation.harness, "")
    return f"{expectation.harness} writes no score of a single sample: {instead}" if instead else ""


def _counts_itself(expectation: Expectation, evidence: _Evidence) -> str:
    """What counts as many samples as were expected, of a harness that gives aggregates only; empty when nothing does.

    Without that count nobody knows how many samples its score is of: such a run stays incomplete.
    """
    if not _aggregate_only(expectation):
        return ""
    known = counting.counted_by_results(evidence.reported)
    if known is not None:
        return "the count in results.yml" if known in {expectation.questions, expectation.answers} else ""
    return f"the programs in {counting.PROGRAMS}" if counting.whole(evidence.programs, expectation) else ""


def _by_aggregate(checks: tuple[Check, ...], expectation: Expectation, by: str) -> tuple[Check, ...]:
    """The checks of a task whose samples cannot be read, and are counted otherwise."""
    why = _aggregate_only(expectation)
    told = f"{expectation.answers} of {expectation.answers}, by {by} alone"
    if expectation.by_own_count:
        told += ": nothing else says how many there should be"
    return tuple(
        replace(check, ok=not expectation.by_own_count, breaks="nothing", detail=told)
        if check.name == "samples_scored"
        else not_shown(check.name, why)
        if check.name == "samples_readable"
        else check
        for check in checks
    )


def _score(evidence: _Evidence, expectation: Expectation) -> Score | None:
    found = evidence.reported
    if found is None or found.value is None:
        return None
    stderr = _standard_error(found, evidence.table)
    low, high = (expectation.minimum, expectation.maximum) if expectation.has_scale else (0.0, 0.0)
    return Score(expectation.metric, found.value, stderr, low, high, expectation.has_scale)


def _standard_error(found: ReportedScore, table: SampleTable | None) -> float | None:
    """Clustered by question where the score is a mean over samples; else what results.yml says of it."""
    if table is not None and table.is_mean and (computed := standard_error.clustered(table.rows)) is not None:
        return computed
    given = found.stats.get("stderr")
    return given if given is not None and given > 0 else None


def _unexpected(task: TaskDir) -> TaskVerification:
    status = ended.finished(state_of(task))
    detail = "what this task should have done (harness, samples, metric) is not known"
    unknown = Check("samples_scored", False, detail, "incomplete")
    return TaskVerification(task.directory, "incomplete", None, None, (status, unknown), None)


def _subset(expectations: Mapping[str, Expectation]) -> Subset | None:
    if not any(e.is_subset for e in expectations.values()):
        return None
    known = [e.samples for e in expectations.values()]
    full = sum(n for n in known if n is not None) if all(n is not None for n in known) else None
    return Subset(sum(e.questions or 0 for e in expectations.values()), full)
