"""Ending a run on a cluster: its running jobs and their follow-ons, and nothing of which it is not seen."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...cluster import connection, control, launches
from ...errors import ClusterError, Refused, UnknownName, Unreachable
from ...runs.clusters import looking
from ...runs.clusters.remote import RemoteRun
from ...runs.invocation import LIVE
from ...runs.status import State
from ..judgement import judging
from ..planning import plan
from ..traces import lookup, remote_views
from .cancellation import Cancellation

UNKNOWN_TASK = "(task not known)"
"""Stands for the task of a job of which only the stamp in its comment tells that it is of the run."""
_INDEX = re.compile(r"\.\d+$")


def is_remote(run: lookup.Run) -> bool:
    """Whether a run is on a cluster, or was to be launched there."""
    return run.remote is not None or (run.attempt is not None and run.attempt.executor == plan.SLURM)


def cancel(run: lookup.Run, tasks: Sequence[str]) -> Cancellation:
    """End the jobs of a run on a cluster; calling it again changes nothing.

    Also of a run that plain NEL started: a job is known by where it writes, never by its name.

    Args:
        run: The run, its launch settled.
        tasks: Names or directories of its tasks; empty for all that the run's address means.

    Raises:
        Refused: Its host may not be contacted, nothing tells where it is, or its address is not the directory of one run.
        UnknownName: It has no such task.
        Unreachable: The cluster does not answer; the orders may have been given.
        ClusterError: The queue could not be looked at, so that nothing was done.
    """
    there = _place(run)
    if there is None:
        return Cancellation(run)
    chosen = chosen_tasks(run, there, tasks)
    # Of a launch whose end nobody saw only the output directory is known, in which other runs are, too.
    root = there.path if run.remote is not None else ""
    try:
        ended = control.cancel(connection.connection(there.host), root, chosen, stamp=stamp(run))
    except Unreachable as error:
        sent = control.may_have_run(error)
        raise Unreachable(
            f"{error.what}; " + ("jobs of the run may have been ended" if sent else "nothing was ended"),
            where=error.where,
            fix="call cancel again when the cluster answers: it ends what is left",
        ) from None
    finally:
        looking.forget(there.host)
    if ended.fault and not ended.sent:
        raise ClusterError(
            f"What of the run waits or runs cannot be seen, so nothing was ended: {ended.fault}",
            where=there.address,
            fix="call cancel again when the scheduler answers",
        )
    return _told(run, chosen, ended)


def stamp(run: lookup.Run) -> str:
    """The word in the comments of a run's jobs; empty for a run that was not launched here."""
    return launches.stamped(run.attempt.invocation_id) if run.attempt is not None else ""


def chosen_tasks(run: lookup.Run, there: RemoteRun, tasks: Sequence[str]) -> tuple[str, ...]:
    """Directories of the tasks that names or directories mean; empty for the whole run.

    Raises:
        UnknownName: The run has no such task.
    """
    if not tasks:
        return (there.only,) if there.only else ()
    known = [t.directory for t in there.tasks] or [t.task for t in judging.view(run).tasks]
    for name in tasks:
        if not any(name in (d, _INDEX.sub("", d)) for d in known):
            raise UnknownName("task", name[:80], fix="one of: " + (", ".join(known[:20]) or "(none is known)"))
    return tuple(d for d in known if d in tasks or _INDEX.sub("", d) in tasks)


def _place(run: lookup.Run) -> RemoteRun | None:
    """Where the run is; None when nothing of it was ever submitted."""
    if run.remote is not None:
        if why := remote_views.forbidden(run, to_change=True):
            raise Refused(f"The host of this run may not be contacted: {why}", where=run.remote.address)
        return run.remote
    assert run.attempt is not None
    if run.attempt.outcome == "failed":
        return None
    host, _, output_dir = run.attempt.output_dir.partition(":")
    if not output_dir.startswith("/"):
        raise Refused("Nothing tells on which cluster the run is", where=f"invocation {run.invocation_id}")
    # Its launch was never seen to its end: its jobs are known by the stamp in their comments alone.
    return RemoteRun(host, output_dir)


def _told(run: lookup.Run, chosen: Sequence[str], ended: control.Ended) -> Cancellation:
    cancelled = ended.cancelled()
    left = [f"{_shown(j.task)}: {j}" for j in ended.left()]
    if ended.fault:
        ids = ", ".join(job_id for job_id, _ in ended.sent)
        left.append(f"the scheduler took the order to end job {ids}; whether it did cannot be seen ({ended.fault})")
    # What the look says of a task that was just ended is no news, and the accounting may lag behind.
    busy = {j.task for j in ended.left()} | {task for _, task in ended.sent if ended.fault}
    settled = {*cancelled, *busy}
    known = (chosen or [t.directory for t in run.remote.tasks]) if run.remote else ()
    others = [] if known and settled.issuperset(known) else [o for o in _others(run, chosen) if o[0] not in settled]
    return Cancellation(
        run,
        cancelled=tuple(_shown(task) for task in cancelled),
        finished=tuple((name, state) for name, state in others if state not in LIVE),
        still_running=(*left, *(f"{name} is {state}" for name, state in others if state in LIVE)),
        jobs={_shown(task): ids for task, ids in cancelled.items()},
        notes=_notes(ended),
    )


def _shown(task: str) -> str:
    return UNKNOWN_TASK if task == control.UNKNOWN_TASK else task


def _others(run: lookup.Run, chosen: Sequence[str]) -> list[tuple[str, State]]:
    return [(t.task, t.state) for t in judging.view(run).tasks if not chosen or t.task in chosen]


def _notes(ended: control.Ended) -> tuple[str, ...]:
    notes = [f"scancel said: {text}" for text in ended.refused[:3]]
    notes += [f"Job {text} and was not made by this run: it was left alone." for text in ended.foreign[:5]]
    notes += [
        f"No marker could be written into {task}/logs: status will not say that it was cancelled through quantgate."
        for task in dict.fromkeys(ended.unmarked)
    ]
    return tuple(notes)
