"""The tasks of a run on a cluster, from one look at it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ...cluster import words
from ...cluster.look_directories import Directory
from ...cluster.scheduler import Snapshot
from ...errors import BadInput, ClusterError
from ..reason import REASON_CHARACTERS
from ..sanitise import one_line
from ..slurm import slurm_chain, slurm_state, slurm_words
from ..slurm.slurm_state import SlurmState
from ..status import State, TaskStatus
from . import looking
from .remote import RemoteRun


@dataclass(frozen=True)
class Seen:
    """What a look showed of a run.

    Attributes:
        tasks: Its tasks, in the order of their index.
        state: Where there is no task that tells: "unreachable" or "unknown"; None otherwise.
        reason: Why, in that case.
        gone: Its directories are gone, and neither the queue nor the accounting knows a job of it that waits or runs.
    """

    tasks: tuple[TaskStatus, ...] = ()
    state: State | None = None
    reason: str = ""
    gone: bool = False


def see(run: RemoteRun, expected: Mapping[str, int] | None = None) -> Seen:
    """Look at a run, or take the answer of a look that is at most two seconds old.

    Args:
        run: The run.
        expected: Samples times repeats by task directory, as far as they are known.
    """
    try:
        seen = looking.look(run)
    except ClusterError as error:
        return not_seen(run, "unreachable", str(error))
    except BadInput as error:
        return not_seen(run, "unknown", str(error))
    found = _directories(run, seen)
    if not found:
        why = one_line(_why_empty(run, seen), REASON_CHARACTERS)
        return Seen(state="unknown", reason=why, gone=_gone(run, seen, ()))
    recorded = {task.directory: task.job_id for task in run.tasks}
    rows = []
    for directory in found:
        name = PurePosixPath(directory.path).name
        told = slurm_state.judge(directory, seen, [i for i in (recorded.get(name, ""),) if i])
        rows.append(_row(name, told, directory, (expected or {}).get(name), seen.clock))
    return Seen(tuple(rows), gone=_gone(run, seen, found))


def _gone(run: RemoteRun, seen: Snapshot, found: Sequence[Directory]) -> bool:
    """Whether nothing is left of a run: an answer that is missing proves nothing."""
    root = seen.directories.get(run.path)
    places = [*found, *([root] if root else [])]
    if seen.queue is None or not places or any(place.exists is not False for place in places):
        return False
    inside, ids = f"{run.path}/", {task.job_id for task in run.tasks if task.job_id}
    for job in seen.queue.values():
        stamped = bool(run.invocation_id) and run.invocation_id in job.comment
        if stamped or job.output.startswith(inside) or job.command.startswith(inside):
            return False
    jobs = [seen.queue.get(i) or slurm_chain.job_of(i, seen) for i in ids]
    if any(job is not None and slurm_words.meaning(job.state).phase != "ended" for job in jobs):
        return False
    return not any(slurm_chain.chain(place, seen, sorted(ids)).queued for place in places)


def not_seen(run: RemoteRun, state: State, reason: str) -> Seen:
    """A run of which nothing could be looked at: every task that is on record in the same state."""
    text = one_line(reason, REASON_CHARACTERS)
    rows = [
        TaskStatus(t.directory, state, text, job_ids=tuple(filter(None, [t.job_id])))
        for t in run.tasks
        if run.only in ("", t.directory)
    ]
    return Seen(tuple(rows), state, text)


def _directories(run: RemoteRun, seen: Snapshot) -> list[Directory]:
    """The task directories that were seen, and those on record that are not there."""
    if run.only:
        one = seen.directories.get(run.directory)
        return [one] if one and (one.exists or any(t.directory == run.only for t in run.tasks)) else []
    own = {p: d for p, d in seen.directories.items() if p.rpartition("/")[0] == run.path}
    root = seen.directories.get(run.path)
    absence = None if root is not None and root.exists is None else False
    for task in run.tasks:
        own.setdefault(task.path, Directory(task.path, absence))
    return sorted(own.values(), key=lambda d: _index(d.path))


def _why_empty(run: RemoteRun, seen: Snapshot) -> str:
    path = run.directory
    root = seen.directories.get(path)
    if root is None or root.exists is None:
        return f"nothing can be seen of {path} on {run.host}: its file system may be away, or it may not be read"
    if not root.exists:
        return f"there is no run directory {path} on {run.host}"
    return f"{path} on {run.host} holds no task"


def _row(name: str, told: SlurmState, directory: Directory, expected: int | None, clock: int) -> TaskStatus:
    done, when = _done(directory, clock)
    if done is not None and expected:
        done = min(done, expected)
    return TaskStatus(
        task=name,
        state=told.state,
        reason=told.reason,
        samples_done=done,
        samples_expected=expected,
        eta_seconds=_eta(done, expected, told, clock - when) if told.state == "running" else None,
        exit_code=told.exit_code,
        scheduler_state=told.scheduler_state,
        job_ids=told.job_ids,
        left_queued=told.left_queued,
    )


def _done(directory: Directory, clock: int) -> tuple[int | None, int]:
    """Answers so far and when that was so; each count can only miss some, so the larger holds."""
    counted, when = directory.answers or (None, clock)
    if directory.progress is not None and directory.progress >= (counted or 0):
        return directory.progress, clock
    return counted, min(when, clock)


def _eta(done: int | None, expected: int | None, told: SlurmState, age: int) -> int | None:
    """At the pace of all jobs of the chain together, by the cluster's clock; the time in which the model was loaded counts.

    Args:
        age: Seconds since the count was right.
    """
    if not expected or done is None or not told.elapsed:
        return None
    if done >= expected:
        return 0
    took = told.elapsed - age
    return max(0, math.ceil((expected - done) * took / done) - age) if done >= 2 and took > 0 else None


def _index(path: str) -> tuple[int, str]:
    tail = path.rpartition(".")[2]
    return (words.whole(tail) or 0, path)
