"""Whether a launch may be made, and what is asked of a person first; `starting` then makes it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...cluster import launches
from ...errors import Refused
from ...evalconfig import paths
from ...launcher import containers, door, harnesses, here
from ...launcher.stamp import Stamp
from .. import ledger
from ..permission import consent
from ..planning import endpoint, plan
from ..questions import hosts, skipping, trust
from ..traces import reconcile
from . import starting


@dataclass(frozen=True)
class Launch:
    """A launch that was made, or the one that was found instead."""

    attempt: ledger.Attempt
    plan: plan.Plan
    found: bool
    warnings: tuple[str, ...] = ()


def submit(
    planned: plan.Plan,
    kind: str,
    tasks: list[str],
    limit: int,
    same: Callable[[], ledger.Attempt | None],
    skip: skipping.Skip | None = None,
) -> Launch:
    """Launch, unless `same` finds what is asked for already going on; two callers never both launch it.

    Raises:
        ConsentNeeded: A person must say yes first: to the config's own commands or tasks, or to the gates that are skipped.
    """
    if planned.composed.executor not in plan.LAUNCHED_HERE:
        raise Refused(
            f"This version launches local and Slurm runs only, not on {planned.composed.executor!r}",
            where="execution.type",
            fix="use execution.type process, local or slurm, or launch the checked config with `nel run --config …`",
        )
    asked = [*skipping.questions(planned, skip), *trust.questions(planned)]
    cluster = hosts.target(planned) if planned.composed.executor == plan.SLURM else None
    here.require_launches()
    notes = _require_host(planned, cluster, asked) if cluster else ()
    _require_harnesses(planned, tasks)
    env = planned.environment()
    probe = endpoint.probe_for_elsewhere if cluster else endpoint.probe
    served = probe(planned.config, env)
    if cluster and served and served.note:
        notes = (*notes, f"Nothing is known of the endpoint: {served.note}.")
    if kind != "canary" and skip is None:
        # What cannot be limited has no canary to compare with.
        _require_same_endpoint(planned, served, [task for task in planned.chosen(tasks) if not task.watch])
    place = cluster.place if cluster else _output_dir(planned)
    attempt = _attempt(planned, kind, tasks, limit, place, served, skip)

    def same_or_permitted() -> ledger.Attempt | None:
        found = same()
        if found is None:
            # Last, so that nobody is asked about a launch that would be refused anyway, or that is going on already.
            consent.require(asked)
        return found

    if cluster and (before := same()):
        return Launch(before, planned, found=True, warnings=notes)
    # A cluster was asked just now, and its answers are fresh: nobody waits for it while the ledger is held.
    begun = starting.start(attempt, _request(attempt, planned, cluster), env, same_or_permitted, planned.config)
    return Launch(begun.attempt, planned, begun.found, (*notes, *begun.warnings))


def _attempt(
    planned: plan.Plan,
    kind: str,
    tasks: list[str],
    limit: int,
    place: str,
    served: endpoint.Served | None,
    skip: skipping.Skip | None,
) -> ledger.Attempt:
    return ledger.Attempt(
        invocation_id=door.new_invocation_id(),
        kind=kind,
        fingerprint=planned.fingerprint,
        config=str(planned.path),
        executor=planned.composed.executor,
        output_dir=place,
        tasks=tuple(tasks),
        sample_limit=limit,
        endpoint=json.dumps(dataclasses.asdict(served)) if served else "",
        skip_reason=skip.reason if skip else "",
    )


def _require_host(planned: plan.Plan, cluster: hosts.Target, asked: Sequence[consent.Question]) -> tuple[str, ...]:
    """Go on when the cluster may be contacted and lets us in; what NEL would do differently there."""
    contact = hosts.questions(planned, cluster)
    if contact:
        # All in one form: the launch may need more than the host.
        consent.require([*contact, *asked])
    return hosts.require_ready(cluster)


def _request(attempt: ledger.Attempt, planned: plan.Plan, cluster: hosts.Target | None) -> door.Request:
    return door.Request(
        planned.path,
        Path(cluster.output_dir if cluster else attempt.output_dir),
        attempt.invocation_id,
        attempt.sample_limit,
        attempt.tasks,
        planned.composed.digest,
        trust.confirmed(planned),
        _stamp(attempt, planned),
        address=cluster.host.address if cluster else "",
        comment=launches.stamped(attempt.invocation_id) if cluster else "",
    )


def _output_dir(planned: plan.Plan) -> str:
    # Absolute from here on: another server may look for it from another working directory.
    return str(Path(str(planned.config["execution"]["output_dir"])).expanduser().absolute())


def _stamp(attempt: ledger.Attempt, planned: plan.Plan) -> Stamp:
    return Stamp(
        invocation_id=attempt.invocation_id,
        kind=attempt.kind,
        sample_limit=attempt.sample_limit,
        tasks=tuple(task.name for task in planned.chosen(list(attempt.tasks))),
        tasks_in_config=len(planned.tasks),
        fingerprint=attempt.fingerprint,
        config_digest=planned.digest,
        skip_reason=attempt.skip_reason,
    ).dated()


def _require_same_endpoint(
    planned: plan.Plan, served: endpoint.Served | None, chosen: Sequence[plan.PlannedTask]
) -> None:
    """The model list of the endpoint must be the one that the canary saw, where both are known."""
    canary = newest_canary(planned, chosen) or newest_canary(planned, chosen[:1])
    before = endpoint.seen_at(canary) if canary else None
    fix = f"canary(config={str(planned.path)!r}, again=true)"
    endpoint.require_same_models(before, served, "at the canary", "the canary saw", fix)


def _require_harnesses(planned: plan.Plan, tasks: list[str]) -> None:
    if planned.composed.executor == plan.SLURM:
        return
    if planned.composed.executor == plan.PROCESS:
        for task in planned.chosen(tasks):
            harnesses.require_wheel(task.harness, task.container)
        return
    containers.require_engine()
    image = str(paths.dig(planned.config, "deployment", "image") or "")
    served = [image] if planned.composed.deployment != "none" else []
    containers.require_images([*(task.container for task in planned.chosen(tasks)), *served])


def newest_canary(planned: plan.Plan, tasks: Sequence[plan.PlannedTask]) -> ledger.Attempt | None:
    """The newest canary of this fingerprint that was launched with all of these tasks."""
    for attempt in ledger.attempts(fingerprint=planned.fingerprint, kind="canary"):
        if set(tasks) <= set(planned.chosen(list(attempt.tasks))):
            settled = reconcile.settle(attempt)
            if settled.outcome != "failed":
                return settled
    return None
