"""Taking a run on a cluster up again: only what did not finish, and never beside a job of the same task."""

from __future__ import annotations

from collections.abc import Sequence

from ... import redact
from ...cluster import connection, control
from ...errors import QuantgateError, Refused, Unreachable
from ...launcher import launch_lock
from ...runs.clusters import looking
from ...runs.invocation import LIVE
from ...runs.status import TaskStatus
from .. import ledger
from ..cancel import remote_cancelling
from ..judgement import judging
from ..permission import consent
from ..planning import dry_runs, endpoint
from ..questions import trust
from ..traces import lookup, remote_views, under_way
from . import relaunch
from .relaunch import Refusal, Resumption

RESUMABLE = frozenset({"failed", "cancelled", "interrupted", "unknown"})
"""Of "unknown" the queue decides, which is looked at right before the submission: what is not in it does not run."""
NOT_COUNTED = -1


def resume(run: lookup.Run, tasks: Sequence[str]) -> Resumption:
    """Submit the tasks of a run again that failed, timed out, were cancelled, preempted or interrupted.

    Args:
        run: A run on a cluster.
        tasks: Names or directories of the tasks; empty for all that did not succeed.

    Raises:
        Refused: The run is not ours, its config has changed, or it is being launched.
        UnknownName: It has no such task.
        EndpointError: The endpoint does not answer as it must.
        ConsentNeeded: A person must say yes to the config's own commands first.
        Unreachable: The cluster does not answer; jobs may have been queued.
        ClusterError: Its queue cannot be looked at, or another resume of the run goes on; nothing was submitted.
    """
    attempt = run.attempt
    if attempt is None:
        raise Refused(
            "This run was not launched by quantgate: it does not resume what it did not start",
            where=run.remote.address if run.remote else "",
            fix="ask the user to resume it the way it was started; `nel resume` (0.2.6) submits every task again, also one that "
            "runs: look with status first",
        )
    if run.remote is None:
        raise Refused(
            "Nothing is known of a directory of this run on its cluster",
            where=f"invocation {attempt.invocation_id}",
            fix=f"look with status; if it was never submitted, start a new one: {relaunch.new_run(attempt)}",
        )
    resumable, refused = _look(run, remote_cancelling.chosen_tasks(run, run.remote, tasks))
    if not resumable:
        return Resumption(run, (), refused, NOT_COUNTED)
    planned = relaunch.what_was_launched(attempt)
    served = endpoint.probe_for_elsewhere(planned.config, planned.environment())
    relaunch.require_same_models(attempt, served)
    consent.require(trust.questions(planned))
    with launch_lock.taken(attempt.invocation_id), dry_runs.hidden(planned.config):
        under_way.close_abandoned(attempt)
        done, noted = _submitted(run, attempt, resumable)
    return Resumption(
        run,
        tuple(task for task, _ in done.queued),
        (*refused, *(Refusal(task, reason) for task, reason in done.refused)),
        NOT_COUNTED,
        (*done.notes, *_unseen(served), *(() if noted else ("It is queued, but the ledger could not note that.",))),
        dict(done.queued),
    )


def _unseen(served: endpoint.Served | None) -> tuple[str, ...]:
    return (f"Nothing is known of the endpoint: {served.note}.",) if served and served.note else ()


def _look(run: lookup.Run, chosen: Sequence[str]) -> tuple[list[str], tuple[Refusal, ...]]:
    """Directories of the tasks that may be submitted as far as a look shows, and why the others are not."""
    assert run.remote is not None
    looking.forget(run.remote.host)
    view = judging.view(run)
    if view.state == "unreachable":
        raise Unreachable(
            f"The cluster does not answer: {view.reason or view.tasks[0].reason}; nothing was submitted",
            where=run.remote.address,
            fix="call resume again when it does",
        )
    if why := remote_views.forbidden(run, to_change=True):
        raise Refused(f"The host of this run may not be contacted: {why}", where=run.remote.address)
    rows = [t for t in view.tasks if not chosen or t.task in chosen]
    if not rows:
        raise Refused(f"No task of this run can be seen: {view.reason}", where=run.remote.address)
    refused = [Refusal(t.task, reason) for t in rows if (reason := _why_not(t))]
    return [t.task for t in rows if not _why_not(t)], tuple(refused)


def _why_not(status: TaskStatus) -> str:
    if status.state == "succeeded":
        return "it has succeeded; nothing is left to do"
    if status.state in LIVE:
        jobs = f" (job {status.job_ids[-1]})" if status.job_ids else ""
        return f"it is {status.state}{jobs}; wait for its end or cancel it first"
    return "" if status.state in RESUMABLE else f"whether it runs is not known: {status.reason}"


def _submitted(run: lookup.Run, attempt: ledger.Attempt, names: Sequence[str]) -> tuple[control.Resubmitted, bool]:
    """Submit, with an entry in the ledger before and after; and whether the latter could be written."""
    assert run.remote is not None
    number = ledger.add_resume(attempt.invocation_id, tuple(names))
    try:
        done = control.resubmit(
            connection.connection(run.remote.host), run.remote.path, names, stamp=remote_cancelling.stamp(run)
        )
    except Unreachable as error:
        sent = control.may_have_run(error)
        under_way.close(attempt, number, "unknown" if sent else "failed", redact.redact(str(error)))
        raise Unreachable(
            f"{error.what}; " + ("jobs may have been queued" if sent else "nothing was submitted"),
            where=run.remote.address,
            fix=f"status(invocation_ids=['{run.invocation_id}']) tells what is queued when the cluster answers; a "
            "resume after that submits nothing that is",
        ) from None
    except QuantgateError as error:
        under_way.close(attempt, number, "failed", redact.redact(str(error)))
        raise
    except BaseException as error:
        under_way.close(attempt, number, "unknown", str(error))
        raise
    finally:
        looking.forget(run.remote.host)
    outcome = "launched" if done.queued else "unknown" if done.uncertain else "failed"
    return done, under_way.close(attempt, number, outcome, "; ".join(reason for _, reason in done.refused))
