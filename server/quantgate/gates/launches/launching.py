"""The three launches and what each must find before it: dry run, canary, full run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from ...errors import QuantgateError, Refused
from ...evalconfig import lint
from ...evalconfig.document import located
from ...launcher import door
from ...runs.invocation import LIVE
from .. import ledger
from ..judgement import judging
from ..planning import asks, dry_runs, limits, plan, staleness
from ..questions import skipping
from ..traces import lookup, reconcile, remains, remote_views
from . import submission

MAX_CANARY_SAMPLES = 1000


@dataclass(frozen=True)
class DryRun:
    """How a dry run went; `error` is NEL's refusal, empty when it passed. `jobs` and `kept` are of a passed one."""

    passed: bool
    plan: plan.Plan
    findings: list[lint.Finding]
    output_tail: str
    error: str
    jobs: tuple[asks.Job, ...] = ()
    kept: dry_runs.Kept = field(default_factory=dry_runs.Kept)


def dry_run(config: str) -> DryRun:
    """check_config, then NEL's own dry run; the gate is written to the ledger.

    Raises:
        ConfigError: The config cannot be read at all.
        LauncherError: NEL could not be asked.
    """
    report, planned = _checked(config)
    errors = [f for f in report.findings if f.severity == "error"]
    if errors:
        reasons = tuple(f"{f.rule} {f.path}: {f.message}" for f in errors[:10])
        ledger.put_gate(ledger.Gate(planned.fingerprint, "dry_run", False, reasons))
        return DryRun(
            False, planned, report.findings, "", f"{len(errors)} error{'s' if len(errors) > 1 else ''} to mend first"
        )
    try:
        answer = door.dry_run(planned.path, planned.environment(), planned.composed.digest)
    except QuantgateError as error:
        said = dry_runs.readable(str(error), planned.config)
        ledger.put_gate(ledger.Gate(planned.fingerprint, "dry_run", False, (said,)))
        return DryRun(False, planned, report.findings, "", said)
    ledger.put_gate(ledger.Gate(planned.fingerprint, "dry_run", True))
    ledger.put_content(planned.fingerprint, str(planned.path), planned.content)
    kept = dry_runs.keep(planned.fingerprint, answer.scripts, planned.config)
    tail = dry_runs.readable(answer.output_tail, planned.config)
    return DryRun(True, planned, report.findings, tail, "", asks.jobs(planned, answer.scripts), kept)


def _checked(config: str) -> tuple[lint.Report, plan.Plan]:
    """What check_config says of a config, and the config that it says it of.

    Raises:
        ConfigError: It cannot be read.
        Refused: It, a file that it includes or its checkpoint was changed in the meantime.
    """
    before = plan.read(config)
    report = lint.check(located(config))
    planned = plan.read(config)
    if (planned.fingerprint, planned.composed.digest) != (before.fingerprint, before.composed.digest):
        raise Refused(
            "The config, or what it refers to, was changed while it was being checked",
            where=str(planned.path),
            fix=f"dry_run(config={str(planned.path)!r}) once nobody edits it any more",
        )
    return report, planned


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
    limits.refuse_limit_in_config(planned)
    chosen = planned.chosen(tasks)
    before = submission.newest_canary(planned, chosen)
    if before is not None and not again:
        return submission.Launch(before, planned, found=True)
    _require_dry_run(planned)
    limits.require_limitable(planned, chosen)
    ledger.put_content(planned.fingerprint, str(planned.path), planned.content)

    def same() -> ledger.Attempt | None:
        return None if again else submission.newest_canary(planned, chosen)

    return submission.submit(planned, "canary", planned.named(chosen), samples, same)


def run(config: str, *, tasks: list[str], max_samples: int, skip_gates_reason: str) -> submission.Launch:
    """Launch the full run, or a subset of it; or find the one that is going on, or whose launch nobody was told of, ended or not.

    Raises:
        Refused: A gate is not passed for this very config, and no skip of it can be granted.
        ConsentNeeded: A person must say yes first.
        EndpointError: The endpoint does not answer; nothing was launched.
    """
    # Nobody was told of these yet: their servers ended before they could answer.
    untold = {attempt.invocation_id for attempt in ledger.open_attempts()}
    planned = plan.read(config)
    if max_samples < 0:
        raise Refused(f"A run of {max_samples} samples is none", where="max_samples", fix="give a number, or 0 for all")
    limits.refuse_limit_in_config(planned)
    chosen = planned.chosen(tasks)
    limits.require_subset(planned, chosen, max_samples)
    unmet = _unmet(planned, chosen)
    if unmet and not skip_gates_reason:
        raise unmet[0]
    # A reason where nothing is to be skipped is not written down: the gates hold.
    skip = skipping.skip(planned, skip_gates_reason, unmet) if unmet else None
    named = planned.named(chosen)
    kind = "subset" if max_samples or named else "full"

    def same() -> ledger.Attempt | None:
        earlier = [
            attempt
            for attempt in ledger.attempts(fingerprint=planned.fingerprint)
            # By the tasks and not by their spelling.
            if attempt.kind != "canary"
            and (planned.chosen(list(attempt.tasks)), attempt.sample_limit) == (chosen, max_samples)
        ]
        # A cluster is asked once for all of them, however often this config was run.
        remote_views.look_ahead(
            [lookup.run_of(a) for a in earlier if a.executor == plan.SLURM and a.outcome != "failed"]
        )
        for attempt in map(reconcile.settle, earlier):
            told = attempt.invocation_id not in untold
            if judging.may_run(attempt) or (attempt.outcome == "launched" and not told):
                return attempt
            _require_no_strays(attempt)
        return None

    return submission.submit(planned, kind, named, max_samples, same, skip)


def _require_no_strays(attempt: ledger.Attempt) -> None:
    """Go on unless a run whose directory is gone still asks the endpoint: its answers are lost, whatever the ledger says of it."""
    if attempt.executor not in plan.LOCAL or lookup.run_of(attempt).directory is not None:
        return
    there = remains.described(attempt)
    if there:
        raise Refused(
            f"This very run is still going on ({there[0]}), and its directory was deleted: its answers are lost",
            where=f"invocation {attempt.invocation_id}; {attempt.run_dir or attempt.output_dir}",
            fix=f"cancel(invocation_id='{attempt.invocation_id}') ends what is left of it; then call this again",
        )


def _unmet(planned: plan.Plan, chosen: Sequence[plan.PlannedTask]) -> list[Refused]:
    """The refusals of all gates that this config has not passed, the dry run's first."""
    unmet: list[Refused] = []
    checks = [
        partial(_require_dry_run, planned),
        *(partial(_require_canary, planned, task) for task in chosen if not task.watch),
    ]
    for check in checks:
        try:
            check()
        except Refused as refusal:
            unmet.append(refusal)
    return unmet


def _require_dry_run(planned: plan.Plan) -> None:
    gate = ledger.gate(planned.fingerprint, "dry_run")
    if gate is not None and gate.passed:
        return
    if gate is not None:
        why = "has not passed: " + "; ".join(gate.reasons[:3]) if gate.reasons else "has not passed"
    else:
        why = f"was not made for this very config ({_changed(planned, 'dry_run')})"
    raise Refused(f"The dry run {why}", where=str(planned.path), fix=f"dry_run(config={str(planned.path)!r})")


def _changed(planned: plan.Plan, gate: str) -> str:
    return staleness.since_passed(planned, gate) or "a change of it needs a new one"


def _require_canary(planned: plan.Plan, task: plan.PlannedTask) -> None:
    attempt = submission.newest_canary(planned, [task])
    fix = limits.canary_call(planned)
    if attempt is None:
        raise Refused(
            f"No canary was run of {task.name} for this very config ({_changed(planned, 'canary')})",
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
