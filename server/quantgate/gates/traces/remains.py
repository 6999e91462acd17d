"""What may run of a launch although its files do not show it: containers without their script, anything without its directory.

The container engine keeps a container when the script that started it and the engine's client are ended; processes go on when
their directory is deleted or unmounted. Neither may be taken for an end.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import LauncherError
from ...launcher import container_control, execdb, process_control
from ...runs.process import runner_of
from ...runs.rundir import RunDir, TaskDir
from ...runs.status import State, TaskStatus
from ...system.machine import boot_id
from .. import ledger
from ..planning import plan

"""The executor whose tasks run in containers."""
_DOUBTFUL: frozenset[State] = frozenset({"interrupted", "unknown", "cancelled"})


@dataclass(frozen=True)
class Ended:
    """What was ended of a launch without a directory.

    Attributes:
        processes: Whether there were any.
        containers: Names of those that ran.
        left: What still runs, in words.
    """

    processes: bool
    containers: tuple[str, ...]
    left: tuple[str, ...]


def shown(attempt: ledger.Attempt, run: RunDir, tasks: Sequence[TaskStatus]) -> tuple[TaskStatus, ...]:
    """The tasks of a launch, with those as running whose script is gone and whose container goes on.

    Args:
        attempt: The launch.
        run: Its directory.
        tasks: As their files tell.
    """
    states = {task.task: task for task in tasks}
    asked = {t.directory: container_control.names(t.path) for t in run.tasks if _may_go_on(attempt, t, states)}
    every = [name for names in asked.values() for name in names]
    try:
        there = set(container_control.running(every))
    except LauncherError as error:
        why = f"whether its container goes on is not known: {error.what}"
        return tuple(replace(t, state="unknown", reason=why) if asked.get(t.task) else t for t in tasks)
    return tuple(_with_container(task, there.intersection(asked.get(task.task, ()))) for task in tasks)


def _may_go_on(attempt: ledger.Attempt, task: TaskDir, states: dict[str, TaskStatus]) -> bool:
    """Whether a container of a task may run here although no script of it does."""
    status = states.get(task.directory)
    if attempt.executor != plan.CONTAINERS or status is None or status.state not in _DOUBTFUL:
        return False
    if attempt.host not in ("", socket.gethostname()) or not (task.logs / "stage.pre-start").exists():
        return False
    if status.state == "cancelled" and status.exit_code is not None:
        return False
    record = runner_of(task)
    # No container of ours survives a restart of the machine.
    return record is None or record.boot_id == boot_id()


def _with_container(task: TaskStatus, names: set[str]) -> TaskStatus:
    if not names:
        return task
    why = f"its script is gone and the container {min(names)} goes on; no exit record will come; cancel ends it"
    return replace(task, state="running", reason=why)


def described(attempt: ledger.Attempt) -> list[str]:
    """What runs on this machine of a launch whose directory cannot be seen, in words.

    Raises:
        LauncherError: The container engine does not answer: what runs is not known.
    """
    processes = process_control.described(process_control.strays(attempt.invocation_id))
    return [*processes, *(f"container {name}" for name in _containers(attempt))]


def end(attempt: ledger.Attempt) -> Ended:
    """End what runs of a launch without a directory: its scripts first, so that none starts another container.

    Raises:
        LauncherError: The container engine does not answer; the processes are ended all the same.
    """
    found = process_control.strays(attempt.invocation_id)
    left = process_control.described(process_control.end(found)) if found else []
    containers = _containers(attempt)
    # Those that have exited too: NEL's client container stays until its script has copied its files.
    container_control.end([*containers, *(name for name in _recorded(attempt) if name not in containers)])
    return Ended(bool(found), tuple(containers), (*left, *(f"container {name}" for name in _containers(attempt))))


def unseen(attempt: ledger.Attempt) -> str:
    """Why it is not proven that nothing of an open launch runs or ran; empty when it is.

    A missing output directory alone proves nothing either way: NEL records a job before it starts it, and makes the directory.
    """
    try:
        _listing(attempt.output_dir)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        return f"its output directory {attempt.output_dir} cannot be read: {error.strerror}"
    for job in execdb.jobs(attempt.invocation_id).values():
        folder = Path(job.output_dir).parent
        if job.output_dir and folder.name.endswith(f"-{attempt.invocation_id}") and not os.path.isdir(folder):  # noqa: PTH112 - no error
            return f"NEL recorded it in {folder}, which cannot be seen"
    try:
        there = described(attempt)
    except LauncherError as error:
        return f"what runs of it is not known: {error.what}"
    return f"its directory cannot be seen, and {there[0]} of it runs; cancel ends it" if there else ""


def _listing(folder: str) -> None:
    """Look into a directory; a mount whose server is gone says so only then."""
    with os.scandir(folder) as entries:
        next(entries, None)


def _containers(attempt: ledger.Attempt) -> list[str]:
    if attempt.executor != plan.CONTAINERS:
        return []
    return container_control.without_directory(attempt.invocation_id, _recorded(attempt))


def _recorded(attempt: ledger.Attempt) -> list[str]:
    """The names of a launch's containers by NEL's record."""
    names: list[str] = []
    for job in execdb.jobs(attempt.invocation_id).values():
        names += container_control.recorded_names(Path(job.output_dir).name, job.container)
    return names
