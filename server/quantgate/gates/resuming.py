"""Taking a run up again: only what did not finish, in the same directory, at most once."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import children
from ..errors import QuantgateError, Refused, StorageError
from ..launcher import containers, door, harnesses, launch_lock
from ..runs.answer_store import cached_responses, reuses_responses
from ..runs.invocation import LIVE
from ..runs.rundir import RunDir
from ..runs.status import TaskStatus
from . import cancelling, consent, endpoint, judging, ledger, lookup, plan, staleness, trust, under_way

RESUMABLE = frozenset({"failed", "cancelled", "interrupted"})
SETTLE_SECONDS = 5.0
"""How long a resume that NEL reported as failed is watched while something of it still starts."""


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
        answers_kept: Answers that these tasks have already in their response caches: they are not asked for again.
        warnings: What the caller must know besides.
    """

    run: lookup.Run
    resumed: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    answers_kept: int = 0
    warnings: tuple[str, ...] = ()


def resume(invocation_id: str, tasks: Sequence[str]) -> Resumption:
    """Take the tasks of a run up again that failed, were cancelled or were interrupted.

    While anything of the run goes on, nothing of it is resumed. Two calls at once, or one that is killed in the middle, never run a
    task twice: the launch lock of the invocation is held from before the last look until the new runner's record is on disk.

    Args:
        invocation_id: An invocation id or its run directory.
        tasks: Names or directories of the tasks; empty for all that did not succeed.

    Raises:
        Refused: The run is not ours or not here, its config has changed, or it is being launched.
        EndpointError: The endpoint does not answer or serves other models.
        ConsentNeeded: A person must say yes to the config's own commands first.
        LauncherError: NEL could not do it; nothing of it runs.
    """
    run, attempt = cancelling.own_run(lookup.find(invocation_id), "resume")
    given = list(tasks) or cancelling.task_meant(run)
    run, resumable, refused = _look(attempt, given)
    if not resumable:
        return Resumption(run, (), refused)
    planned = _what_was_launched(attempt)
    env = planned.environment()
    _require_means(planned, attempt)
    _require_same_models(attempt, endpoint.probe(planned.config, env))
    consent.require(trust.questions(planned))
    return _resume(attempt, planned, env, given)


def _resume(attempt: ledger.Attempt, planned: plan.Plan, env: Mapping[str, str], tasks: Sequence[str]) -> Resumption:
    number = 0
    names: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    try:
        with launch_lock.taken(attempt.invocation_id) as lock:
            # Once more, now that nobody else can start anything of it.
            under_way.close_abandoned(attempt)
            run, resumable, refused = _look(attempt, tasks)
            names = tuple(t.task for t in resumable)
            if not names:
                return Resumption(run, (), refused)
            number = ledger.add_resume(attempt.invocation_id, names)
            door.resume(_request(attempt, planned, run, names, lock), env)
    except QuantgateError as error:
        # Out of the lock's block: while this process holds it, nobody can tell who else does.
        if not number or not _started(attempt, names):
            _close(attempt, number, "failed", str(error))
            raise
        warnings = (f"It runs, although its start was reported as failed: {error}",)
    except BaseException as error:
        _close(attempt, number, "launched" if number and _started(attempt, names) else "failed", str(error))
        raise
    if not _close(attempt, number, "launched"):
        warnings = (*warnings, "It runs, but the ledger could not note that.")
    assert run.directory is not None
    kept, asked_again = _answers(run.directory, names)
    return Resumption(run, names, refused, kept, (*warnings, *asked_again))


def _request(
    attempt: ledger.Attempt, planned: plan.Plan, run: lookup.Run, names: Sequence[str], lock: int
) -> door.Request:
    assert run.directory is not None
    return door.Request(
        config=planned.path,
        output_dir=Path(attempt.output_dir),
        invocation_id=attempt.invocation_id,
        limit=attempt.sample_limit,
        tasks=attempt.tasks,
        digest=planned.digest,
        trusted=trust.confirmed(planned),
        lock=lock,
        directory=run.directory.path,
        again=names,
    )


def _look(attempt: ledger.Attempt, names: Sequence[str]) -> tuple[lookup.Run, list[TaskStatus], tuple[Refusal, ...]]:
    """The run, the tasks of it that can be taken up now, and why the others cannot."""
    run = lookup.run_of(attempt)
    if run.directory is None:
        raise Refused(
            "The run has no directory: it was never started, or its directory was removed",
            where=f"invocation {attempt.invocation_id}",
            fix=f"start a new one: {_new_run(attempt)}",
        )
    view = judging.view(run)
    chosen = {t.directory for t in cancelling.chosen_tasks(run.directory, names)}
    live = [t.task for t in view.tasks if t.state in LIVE]
    resumable, refused = [], []
    for status in view.tasks:
        if status.task not in chosen:
            continue
        reason = _why_not(status, live)
        if reason:
            refused.append(Refusal(status.task, reason))
        else:
            resumable.append(status)
    return run, resumable, tuple(refused)


def _why_not(status: TaskStatus, live: Sequence[str]) -> str:
    if status.state == "succeeded":
        return "it has succeeded; nothing is left to do"
    if status.state in LIVE:
        return f"it is {status.state}"
    if live:
        return f"the run goes on ({', '.join(live[:3])}); wait for its end or cancel it first"
    if status.state in RESUMABLE:
        return ""
    return f"whether it runs is not known: {status.reason}"


def _what_was_launched(attempt: ledger.Attempt) -> plan.Plan:
    """The config of a launch, which must still be what was launched."""
    planned = plan.read(attempt.config)
    if planned.fingerprint == attempt.fingerprint:
        return planned
    before = next((c for c in ledger.contents_of(attempt.config) if c.fingerprint == attempt.fingerprint), None)
    keys = f" ({staleness.listed(staleness.changes(before.content, planned.content))})" if before else ""
    raise Refused(
        f"The config is not what was launched any more{keys}: half of the answers would be of another evaluation",
        where=attempt.config,
        fix=f"undo the change and resume, or start a new run: dry_run, canary, then {_new_run(attempt)}",
    )


def _new_run(attempt: ledger.Attempt) -> str:
    verb = "canary" if attempt.kind == "canary" else "run"
    again = ", again=true" if verb == "canary" else ""
    return f"{verb}(config={attempt.config!r}{again})"


def _require_means(planned: plan.Plan, attempt: ledger.Attempt) -> None:
    if planned.composed.executor == "process":
        for task in planned.chosen(list(attempt.tasks)):
            harnesses.require_wheel(task.harness, task.container)
    else:
        containers.require_engine()


def _require_same_models(attempt: ledger.Attempt, served: endpoint.Served | None) -> None:
    before = json.loads(attempt.endpoint).get("models", []) if attempt.endpoint else []
    if served and before and served.models and sorted(before) != sorted(served.models):
        raise Refused(
            "The endpoint serves other models than when the run was launched",
            where=f"{served.url} lists {', '.join(served.models[:5])}; at the launch it was {', '.join(before[:5])}",
            fix=f"serve the same model again, or start a new run: {_new_run(attempt)}",
        )


def _started(attempt: ledger.Attempt, names: Sequence[str]) -> bool:
    """Whether something of a resume that did not return runs; looked at until nobody can start it any more."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while launch_lock.held(attempt.invocation_id) and time.monotonic() < deadline and not children.wait(0.05):
        pass
    states = {t.task: t.state for t in judging.look(attempt).tasks}
    return any(states.get(name) in LIVE for name in names)


def _close(attempt: ledger.Attempt, number: int, outcome: str, error: str = "") -> bool:
    """Write down how a resume went; a disk that is full by now changes nothing of that."""
    if not number:
        return True
    try:
        ledger.finish_resume(attempt.invocation_id, number, outcome, error)
    except StorageError:
        return False
    return True


def _answers(directory: RunDir, names: Sequence[str]) -> tuple[int, list[str]]:
    """How many answers the resumed tasks keep, and a warning for each task that throws its answers away."""
    kept, warnings = 0, []
    for task in directory.tasks:
        answers = cached_responses(task.artifacts) if task.directory in names else None
        if answers and reuses_responses(task.artifacts):
            kept += answers
        elif answers:
            warnings.append(
                f"{task.directory} does not use its cached answers (use_caching): all of it is asked again."
            )
    return kept, warnings
