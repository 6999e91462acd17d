"""Taking a run up again: only what did not finish, in the same directory, at most once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ... import children
from ...errors import QuantgateError, Refused
from ...launcher import containers, door, harnesses, here, launch_lock
from ...runs.answer_store import cached_responses, reuses_responses
from ...runs.invocation import LIVE
from ...runs.rundir import RunDir
from ...runs.status import TaskStatus
from .. import ledger
from ..cancel import cancelling, remote_cancelling
from ..judgement import judging
from ..permission import consent
from ..planning import dry_runs, endpoint, plan
from ..questions import trust
from ..traces import lookup, under_way
from . import relaunch, remote_resuming
from .relaunch import Refusal, Resumption

RESUMABLE = frozenset({"failed", "cancelled", "interrupted"})
SETTLE_SECONDS = 5.0
"""How long a resume that NEL reported as failed is watched while something of it still starts."""


def resume(invocation_id: str, tasks: Sequence[str]) -> Resumption:
    """Take the tasks of a run up again that failed, were cancelled or were interrupted.

    While anything of the run goes on, nothing of it is resumed. Two calls at once, or one that is killed in the middle, never run a
    task twice: the launch lock of the invocation is held from before the last look until the new runner's record is on disk.

    Args:
        invocation_id: An invocation id, its run directory or `host:/path`.
        tasks: Names or directories of the tasks; empty for all that did not succeed.

    Raises:
        Refused: The run is not ours or not here, its config has changed, or it is being launched.
        EndpointError: The endpoint does not answer or serves other models.
        ConsentNeeded: A person must say yes to the config's own commands first.
        LauncherError: NEL could not do it; nothing of it runs.
        ClusterError: The cluster does not answer, its queue cannot be looked at, or another resume of the run goes on.
    """
    found = lookup.find(invocation_id)
    if remote_cancelling.is_remote(found):
        return remote_resuming.resume(found, tasks)
    attempt = cancelling.own_run(found, "resume")
    given = list(tasks) or cancelling.task_meant(found)
    run, resumable, refused = _look(attempt, given)
    if not resumable:
        return Resumption(run, (), refused)
    planned = relaunch.what_was_launched(attempt)
    env = planned.environment()
    _require_means(planned, attempt)
    relaunch.require_same_models(attempt, endpoint.probe(planned.config, env))
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
            with dry_runs.hidden(planned.config):
                door.resume(_request(attempt, planned, run, names, lock), env)
    except QuantgateError as error:
        # Out of the lock's block: while this process holds it, nobody can tell who else does.
        if not number:
            raise
        if not _started(attempt, names):
            under_way.close(attempt, number, "failed", str(error))
            raise
        warnings = (f"It runs, although its start was reported as failed: {error}",)
    except BaseException as error:
        if number:
            under_way.close(attempt, number, "launched" if _started(attempt, names) else "failed", str(error))
        raise
    if not under_way.close(attempt, number, "launched"):
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
        digest=planned.composed.digest,
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
            fix=f"start a new one: {relaunch.new_run(attempt)}",
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


def _require_means(planned: plan.Plan, attempt: ledger.Attempt) -> None:
    here.require_launches()
    if planned.composed.executor == plan.PROCESS:
        for task in planned.chosen(list(attempt.tasks)):
            harnesses.require_wheel(task.harness, task.container)
    else:
        containers.require_engine()


def _started(attempt: ledger.Attempt, names: Sequence[str]) -> bool:
    """Whether something of a resume that did not return runs; looked at until nobody can start it any more."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while launch_lock.held(attempt.invocation_id) and time.monotonic() < deadline and not children.wait(0.05):
        pass
    states = {t.task: t.state for t in judging.look(attempt).tasks}
    return any(states.get(name) in LIVE for name in names)


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
