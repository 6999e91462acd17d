"""What a resume did, and what must be as it was at the launch before anything of a run is taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...errors import Refused
from .. import ledger
from ..planning import endpoint, plan, staleness
from ..traces import lookup


@dataclass(frozen=True)
class Refusal:
    """A task that is not taken up again, and why."""

    task: str
    reason: str


@dataclass(frozen=True)
class Resumption:
    """What a resume did.

    Attributes:
        run: The run.
        resumed: Directories of the tasks that were taken up again.
        refused: The others that were asked for.
        answers_kept: Answers that these tasks have already in their response caches: they are not asked for again. -1 where that
            is not counted, on a cluster.
        warnings: What the caller must know besides.
        jobs: On a cluster, the id of each resumed task's new job.
    """

    run: lookup.Run
    resumed: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    answers_kept: int = 0
    warnings: tuple[str, ...] = ()
    jobs: Mapping[str, str] = field(default_factory=dict)


def what_was_launched(attempt: ledger.Attempt) -> plan.Plan:
    """The config of a launch, which must still be what was launched.

    Raises:
        Refused: It is another by now.
        ConfigError: It cannot be read.
    """
    planned = plan.read(attempt.config)
    if planned.fingerprint == attempt.fingerprint:
        return planned
    before = next((c for c in ledger.contents_of(attempt.config) if c.fingerprint == attempt.fingerprint), None)
    keys = f" ({staleness.listed(staleness.changes(before.content, planned.content))})" if before else ""
    raise Refused(
        f"The config is not what was launched any more{keys}: half of the answers would be of another evaluation",
        where=attempt.config,
        fix=f"undo the change and resume, or start a new run: dry_run, canary, then {new_run(attempt)}",
    )


def new_run(attempt: ledger.Attempt) -> str:
    """The call that starts the same evaluation afresh."""
    verb = "canary" if attempt.kind == "canary" else "run"
    size = "samples" if verb == "canary" else "max_samples"
    tasks = f", tasks={list(attempt.tasks)!r}" if attempt.tasks else ""
    limit = f", {size}={attempt.sample_limit}" if attempt.sample_limit else ""
    again = ", again=true" if verb == "canary" else ""
    return f"{verb}(config={attempt.config!r}{tasks}{limit}{again})"


def require_same_models(attempt: ledger.Attempt, served: endpoint.Served | None) -> None:
    """Refuse when the endpoint serves other models than at the launch, where both are known.

    Raises:
        Refused: It does.
    """
    fix = f"serve the same model again, or start a new run: {new_run(attempt)}"
    before = endpoint.seen_at(attempt)
    endpoint.require_same_models(before, served, "when the run was launched", "at the launch it was", fix)
