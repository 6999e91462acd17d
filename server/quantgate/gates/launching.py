"""The three launches and what each must find before it: dry run, canary, full run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import QuantgateError, Refused
from ..evalconfig import lint
from ..launcher import door
from ..runs.invocation import LIVE
from . import judging, ledger, plan, submission

NO_LIMIT = ("nemo_gym", "garak", "mteb", "genai_perf_eval")
"""Harnesses for which limit_samples does nothing (NEL 0.2.6): a canary of theirs would be the full run."""
MAX_CANARY_SAMPLES = 1000


@dataclass(frozen=True)
class DryRun:
    """How a dry run went; `error` is NEL's refusal, empty when it passed."""

    passed: bool
    plan: plan.Plan
    findings: list[lint.Finding]
    output_tail: str
    error: str


def dry_run(config: str) -> DryRun:
    """check_config, then NEL's own dry run; the gate is written to the ledger.

    Raises:
        ConfigError: The config cannot be read at all.
        LauncherError: NEL could not be asked.
    """
    report = lint.check(Path(config).expanduser())
    errors = [f for f in report.findings if f.severity == "error"]
    planned = plan.read(config)
    if errors:
        reasons = tuple(f"{f.rule} {f.path}: {f.message}" for f in errors[:10])
        ledger.put_gate(ledger.Gate(planned.fingerprint, "dry_run", False, reasons))
        return DryRun(
            False, planned, report.findings, "", f"{len(errors)} error{'s' if len(errors) > 1 else ''} to mend first"
        )
    try:
        answer = door.dry_run(planned.path, planned.environment(), planned.digest)
    except QuantgateError as error:
        ledger.put_gate(ledger.Gate(planned.fingerprint, "dry_run", False, (str(error),)))
        return DryRun(False, planned, report.findings, "", str(error))
    ledger.put_gate(ledger.Gate(planned.fingerprint, "dry_run", True))
    return DryRun(True, planned, report.findings, answer.output_tail, "")


def canary(config: str, *, samples: int, tasks: list[str], again: bool) -> submission.Launch:
    """Launch a canary, or find the one that this config already has.

    Raises:
        Refused: No dry run of this config has passed, or a task cannot be limited.
        EndpointError: The endpoint does not answer; nothing was launched.
    """
    planned = plan.read(config)
    if not 1 <= samples <= MAX_CANARY_SAMPLES:
        raise Refused(
            f"A canary of {samples} samples is none",
            where="samples",
            fix=f"give 1 to {MAX_CANARY_SAMPLES}; 10 is usual",
        )
    chosen = planned.chosen(tasks)
    before = submission.newest_canary(planned, chosen)
    if before is not None and not again:
        return submission.Launch(before, planned, found=True)
    _require_dry_run(planned)
    for task in chosen:
        if task.harness in NO_LIMIT:
            raise Refused(
                f"The harness {task.harness} ignores limit_samples: a canary of {task.name} would be the full run",
                fix="leave it out of the canary (tasks=…) and watch the first minutes of the full run with status and logs",
            )

    def same() -> ledger.Attempt | None:
        return None if again else submission.newest_canary(planned, chosen)

    return submission.submit(planned, "canary", tasks, samples, same)


def run(config: str, *, tasks: list[str], max_samples: int, skip_gates_reason: str) -> submission.Launch:
    """Launch the full run, or a subset of it.

    Raises:
        Refused: A gate is not passed for this very config.
        EndpointError: The endpoint does not answer; nothing was launched.
    """
    planned = plan.read(config)
    if max_samples < 0:
        raise Refused(f"A run of {max_samples} samples is none", where="max_samples", fix="give a number, or 0 for all")
    if skip_gates_reason:
        raise Refused(
            "The gates cannot be skipped in this version",
            where="skip_gates_reason",
            fix=f"dry_run(config={config!r}), then canary(config={config!r})",
        )
    chosen = planned.chosen(tasks)
    _require_dry_run(planned)
    for task in chosen:
        _require_canary(planned, task)
    kind = "subset" if max_samples or tasks else "full"

    def same() -> ledger.Attempt | None:
        for attempt in ledger.attempts(fingerprint=planned.fingerprint, kind=kind):
            if attempt.tasks == tuple(tasks) and attempt.sample_limit == max_samples and judging.may_run(attempt):
                return attempt
        return None

    return submission.submit(planned, kind, tasks, max_samples, same)


def _require_dry_run(planned: plan.Plan) -> None:
    gate = ledger.gate(planned.fingerprint, "dry_run")
    if gate is None or not gate.passed:
        why = "has not passed" if gate else "was not made for this very config (a change of it needs a new one)"
        raise Refused(f"The dry run {why}", where=str(planned.path), fix=f"dry_run(config={str(planned.path)!r})")


def _require_canary(planned: plan.Plan, task: plan.PlannedTask) -> None:
    attempt = submission.newest_canary(planned, [task])
    fix = f"canary(config={str(planned.path)!r})"
    if attempt is None:
        raise Refused(
            f"No canary was run of {task.name} for this very config (a change of it needs a new one)",
            where=str(planned.path),
            fix=fix,
        )
    gate = judging.judge(attempt)
    if gate is None:
        state = judging.look(attempt).state
        waiting = f"status(invocation_ids=['{attempt.invocation_id}'], wait_seconds=30) until it is judged"
        raise Refused(
            f"The canary is not finished ({state})",
            where=f"invocation {attempt.invocation_id}",
            fix=waiting if state in LIVE else f"{fix[:-1]}, again=true)",
        )
    if not gate.passed:
        raise Refused(
            "The canary did not pass: " + "; ".join(gate.reasons[:3]),
            where=f"invocation {gate.invocation_id}",
            fix=f"mend the cause (logs, verify_run), then {fix[:-1]}, again=true)",
        )
