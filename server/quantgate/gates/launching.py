"""The three launches and what each must find before it: dry run, canary, full run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import QuantgateError, Refused
from ..evalconfig import lint
from ..launcher import containers, door, harnesses
from ..runs.invocation import LIVE
from . import endpoint, judging, ledger, lookup, plan

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


@dataclass(frozen=True)
class Launch:
    """A launch that was made, or the one that was found instead."""

    attempt: ledger.Attempt
    plan: plan.Plan
    found: bool


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


def canary(config: str, *, samples: int, tasks: list[str], again: bool) -> Launch:
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
    before = _newest_canary(planned, chosen)
    if before is not None and not again:
        return Launch(before, planned, found=True)
    _require_dry_run(planned)
    for task in chosen:
        if task.harness in NO_LIMIT:
            raise Refused(
                f"The harness {task.harness} ignores limit_samples: a canary of {task.name} would be the full run",
                fix="leave it out of the canary (tasks=…) and watch the first minutes of the full run with status and logs",
            )

    def same() -> ledger.Attempt | None:
        return None if again else _newest_canary(planned, chosen)

    return _launch(planned, "canary", tasks, samples, same)


def run(config: str, *, tasks: list[str], max_samples: int, skip_gates_reason: str) -> Launch:
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

    return _launch(planned, kind, tasks, max_samples, same)


def _require_dry_run(planned: plan.Plan) -> None:
    gate = ledger.gate(planned.fingerprint, "dry_run")
    if gate is None or not gate.passed:
        why = "has not passed" if gate else "was not made for this very config (a change of it needs a new one)"
        raise Refused(f"The dry run {why}", where=str(planned.path), fix=f"dry_run(config={str(planned.path)!r})")


def _newest_canary(planned: plan.Plan, tasks: Sequence[plan.PlannedTask]) -> ledger.Attempt | None:
    """The newest canary of this fingerprint that was launched with all of these tasks."""
    for attempt in ledger.attempts(fingerprint=planned.fingerprint, kind="canary"):
        if attempt.outcome != "failed" and set(tasks) <= set(planned.chosen(list(attempt.tasks))):
            return attempt
    return None


def _require_canary(planned: plan.Plan, task: plan.PlannedTask) -> None:
    attempt = _newest_canary(planned, [task])
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


def _launch(
    planned: plan.Plan, kind: str, tasks: list[str], limit: int, same: Callable[[], ledger.Attempt | None]
) -> Launch:
    """Launch, unless `same` finds what is asked for already going on; two callers never both launch it."""
    if planned.composed.executor not in plan.LAUNCHED_HERE:
        raise Refused(
            f"This version launches local runs only, not on {planned.composed.executor!r}",
            where="execution.type",
            fix="use execution.type process or local, or launch the checked config with `nel run --config …`",
        )
    _require_harnesses(planned, tasks)
    env = planned.environment()
    served = endpoint.probe(planned.config, env)
    if kind != "canary":
        _require_same_endpoint(planned, served, planned.chosen(tasks))
    attempt = ledger.Attempt(
        invocation_id=door.new_invocation_id(),
        kind=kind,
        fingerprint=planned.fingerprint,
        config=str(planned.path),
        executor=planned.composed.executor,
        # Absolute from here on: another server may look for it from another working directory.
        output_dir=str(Path(str(planned.config["execution"]["output_dir"])).expanduser().absolute()),
        tasks=tuple(tasks),
        sample_limit=limit,
        endpoint=json.dumps(dataclasses.asdict(served)) if served else "",
    )
    with ledger.exclusive():
        found = same()
        if found is not None:
            return Launch(found, planned, found=True)
        ledger.add_attempt(attempt)
    return Launch(_submit(attempt, planned, env), planned, found=False)


def _submit(attempt: ledger.Attempt, planned: plan.Plan, env: Mapping[str, str]) -> ledger.Attempt:
    request = door.Request(
        planned.path,
        Path(attempt.output_dir),
        attempt.invocation_id,
        attempt.sample_limit,
        attempt.tasks,
        planned.digest,
    )
    outcome, error = "failed", "the launch was interrupted"
    try:
        door.launch(request, env)
        outcome = "launched"
    except QuantgateError as refusal:
        error = str(refusal)
        # NEL may have started it before it failed: what is on disk decides.
        directory = lookup.invocation_dir(attempt)
        if directory is None or not judging.started(directory):
            raise
        outcome = "launched"
    finally:
        directory = lookup.invocation_dir(attempt)
        done = dataclasses.replace(
            attempt, outcome=outcome, run_dir=str(directory or ""), error="" if outcome == "launched" else error
        )
        ledger.finish_attempt(done.invocation_id, outcome=done.outcome, run_dir=done.run_dir, error=done.error)
    return done


def _require_same_endpoint(
    planned: plan.Plan, served: endpoint.Served | None, chosen: Sequence[plan.PlannedTask]
) -> None:
    """The model list of the endpoint must be the one that the canary saw, where both are known."""
    canary = _newest_canary(planned, chosen) or _newest_canary(planned, chosen[:1])
    before = json.loads(canary.endpoint).get("models", []) if canary and canary.endpoint else []
    if served and before and served.models and sorted(before) != sorted(served.models):
        raise Refused(
            "The endpoint serves other models than at the canary",
            where=f"{served.url} lists {', '.join(served.models[:5])}; the canary saw {', '.join(before[:5])}",
            fix=f"canary(config={str(planned.path)!r}, again=true)",
        )


def _require_harnesses(planned: plan.Plan, tasks: list[str]) -> None:
    if planned.composed.executor == "process":
        for task in planned.chosen(tasks):
            harnesses.require_wheel(task.harness, task.container)
    else:
        containers.require_engine()
