"""From a decision to a running invocation: written down before and after, started once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import QuantgateError, Refused
from ..launcher import containers, door, harnesses
from . import endpoint, judging, ledger, lookup, plan


@dataclass(frozen=True)
class Launch:
    """A launch that was made, or the one that was found instead."""

    attempt: ledger.Attempt
    plan: plan.Plan
    found: bool


def submit(
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
    canary = newest_canary(planned, chosen) or newest_canary(planned, chosen[:1])
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


def newest_canary(planned: plan.Plan, tasks: Sequence[plan.PlannedTask]) -> ledger.Attempt | None:
    """The newest canary of this fingerprint that was launched with all of these tasks."""
    for attempt in ledger.attempts(fingerprint=planned.fingerprint, kind="canary"):
        if attempt.outcome != "failed" and set(tasks) <= set(planned.chosen(list(attempt.tasks))):
            return attempt
    return None
