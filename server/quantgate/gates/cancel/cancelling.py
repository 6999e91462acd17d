"""Ending a run, or some of its tasks: looked at afterwards, not assumed."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import replace

from ... import children
from ...errors import Refused, UnknownName
from ...launcher import container_control, launch_lock, process_control
from ...runs.invocation import LIVE
from ...runs.process import alive, runner_of
from ...runs.rundir import RunDir, TaskDir
from ...runs.status import State
from .. import ledger
from ..judgement import judging
from ..planning import plan
from ..traces import lookup, remains
from . import remote_cancelling
from .cancellation import Cancellation

START_SECONDS = 8.0
"""How long a cancellation waits for a launch that is under way to be on disk."""
LOOK_SECONDS = 0.2
EXPORTS_ENDED = "Its tasks had ended, and an export that went on was ended; status says which one failed by that."
NEL_KILL_FAULTS = "which (0.2.6) exits 0 when it fails, and ends whatever has the container's name in its command line"


def cancel(invocation_id: str, tasks: Sequence[str]) -> Cancellation:
    """End a run or some of its tasks, whichever server started it; calling it again changes nothing.

    Args:
        invocation_id: An invocation id, a run directory or `host:/path`.
        tasks: Names or directories of the tasks to end; empty for all.

    Raises:
        Refused: It runs on another machine, was not launched here, or is just being launched.
        UnknownName: No such run or task.
        LauncherError: The container engine does not answer.
        ClusterError: The cluster does not answer, or its queue cannot be looked at.
    """
    found = lookup.find(invocation_id)
    if remote_cancelling.is_remote(found):
        return _cancel_remote(found, tasks)
    attempt = own_run(found, "cancel")
    _await_start(attempt)
    given = list(tasks) or task_meant(found)
    run = lookup.run_of(attempt)
    if run.directory is None:
        return _without_directory(run)
    chosen = chosen_tasks(run.directory, given)
    _require_seen(chosen)
    states = {t.task: t.state for t in judging.view(run).tasks}
    live = [t for t in run.directory.tasks if states[t.directory] in LIVE]
    leftovers = [name for t in chosen if t not in live for name in _containers(t)]
    wanted = [t for t in chosen if t in live or set(leftovers) & set(container_control.names(t.path))]
    left = _end(run.directory, [t.directory for t in wanted], everything=set(live) <= set(wanted)) if wanted else None
    if not live and not wanted and not given:
        left = _end_exports(run.directory)
    done = _seen_afterwards(run, chosen, wanted, left or [])
    notes = (EXPORTS_ENDED,) if left == [] and not wanted else ()
    return replace(done, leftovers=tuple(leftovers), notes=(*done.notes, *notes))


def _cancel_remote(run: lookup.Run, tasks: Sequence[str]) -> Cancellation:
    if run.attempt is None:
        return remote_cancelling.cancel(run, tasks)
    _await_start(run.attempt)
    now = lookup.run_of(run.attempt)
    if run.remote is not None and now.remote is not None:
        now = replace(now, remote=replace(now.remote, only=run.remote.only))
    return remote_cancelling.cancel(now, tasks)


def own_run(run: lookup.Run, verb: str) -> ledger.Attempt:
    """The launch of a run that was launched through this ledger on this machine.

    Args:
        run: As it was found.
        verb: "cancel" or "resume", for the refusal.

    Raises:
        Refused: It is not, with the command that does it there.
    """
    attempt = run.attempt
    if attempt is None:
        named = run.invocation_id or "INVOCATION"
        nel = f"`nel kill {named}`, {NEL_KILL_FAULTS}" if verb == "cancel" else f"`nel resume {named}`"
        raise Refused(
            f"This run was not launched by quantgate: it does not {verb} what it did not start",
            where=str(run.directory.path) if run.directory else f"invocation {named}",
            fix=f"ask the user to {verb} it the way it was started ({nel})",
        )
    if attempt.executor not in plan.LOCAL:
        raise Refused(
            f"This version can {verb} local runs only, not on {attempt.executor!r}",
            where=f"invocation {run.invocation_id}",
        )
    if attempt.host and attempt.host != socket.gethostname():
        raise Refused(
            f"The run is on {attempt.host}: its processes cannot be seen from here",
            where=f"invocation {run.invocation_id}",
            fix=f"make the same call on {attempt.host}",
        )
    return attempt


def chosen_tasks(directory: RunDir, names: Sequence[str]) -> list[TaskDir]:
    """The tasks of a run that names or directories mean; all for an empty list.

    Raises:
        UnknownName: The run has no such task.
    """
    for name in names:
        if not any(name in (t.directory, t.name) for t in directory.tasks):
            raise UnknownName("task", name[:80], fix="one of: " + ", ".join(t.directory for t in directory.tasks))
    return [t for t in directory.tasks if not names or t.directory in names or t.name in names]


def task_meant(run: lookup.Run) -> list[str]:
    """The task, when the caller named one task's directory instead of the run."""
    return [] if run.directory is None or run.whole else [t.directory for t in run.directory.tasks]


def _await_start(attempt: ledger.Attempt) -> None:
    """Wait until a launch or a resume that is under way has left its record, or is over."""
    deadline = time.monotonic() + START_SECONDS
    while launch_lock.held(attempt.invocation_id):
        if time.monotonic() >= deadline or children.wait(LOOK_SECONDS):
            raise Refused(
                "The run is being launched right now",
                where=f"invocation {attempt.invocation_id}",
                fix="make the same call again in a few seconds",
            )


def _require_seen(tasks: Sequence[TaskDir]) -> None:
    for task in tasks:
        record = runner_of(task)
        if record is not None and alive(record) is None:
            owner = record.host if record.host != socket.gethostname() else "another user"
            raise Refused(
                f"The process of {task.directory} belongs to {owner}: it cannot be ended from here",
                where=f"process {record.pid}",
                fix=f"make the same call as {owner}" if owner == "another user" else f"make the same call on {owner}",
            )


def _containers(task: TaskDir) -> list[str]:
    """Containers of a task that run: NEL (0.2.6) leaves one when the model's server does not get ready in time."""
    return container_control.running(container_control.names(task.path)) if task.launcher() == "docker" else []


def _end(directory: RunDir, tasks: Sequence[str], *, everything: bool) -> list[str]:
    if any(t.launcher() == "docker" for t in directory.tasks):
        ends = container_control.cancel_all if everything else container_control.cancel_some
        return ends(directory.path, tasks)
    ends_processes = process_control.cancel_all if everything else process_control.cancel_some
    return process_control.described(ends_processes(directory.path, tasks))


def _end_exports(directory: RunDir) -> list[str] | None:
    """End a run of which only its exports go on.

    Returns:
        What still runs of it, in words; None when nothing did.
    """
    if any(t.launcher() == "docker" for t in directory.tasks) or not process_control.living(directory.path):
        return None
    return process_control.described(process_control.cancel_all(directory.path, []))


def _without_directory(run: lookup.Run) -> Cancellation:
    """A run whose directory was deleted, or that never had one: what may go on is known by its command, or by NEL's record."""
    assert run.attempt is not None
    found = remains.end(run.attempt)
    ended = ("processes without a run directory",) if found.processes and not found.left else ()
    return Cancellation(run, ended, (), found.left, leftovers=found.containers)


def _seen_afterwards(
    run: lookup.Run, chosen: Sequence[TaskDir], wanted: Sequence[TaskDir], left: Sequence[str]
) -> Cancellation:
    assert run.attempt is not None
    view = judging.look(run.attempt)
    after: dict[str, State] = {t.task: t.state for t in view.tasks}
    names = {t.directory for t in wanted}
    live = [f"{name} is {after[name]}" for name in sorted(names) if after.get(name) in LIVE]
    ended = [t.directory for t in chosen if t.directory in names and after.get(t.directory) == "cancelled"]
    others = [t.directory for t in chosen if t.directory not in ended and after.get(t.directory) not in LIVE]
    return Cancellation(
        view.run, tuple(ended), tuple((name, after.get(name, "unknown")) for name in others), (*left, *live)
    )
