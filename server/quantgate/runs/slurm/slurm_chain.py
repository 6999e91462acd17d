"""Which of a cluster's jobs belong to a task, and what is known of each.

NEL 0.2.6 submits one job for a task; each job submits its follow-on when it starts, and writes its own id into
`.slurm_job_id.list` once it knows that it will evaluate.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from ...cluster import words
from ...cluster.look_directories import Directory
from ...cluster.scheduler import Job, Snapshot
from . import slurm_words

_ENDED_BY = re.compile(r"slurmstepd[^:]*: error: \*\*\* JOB (\d+) ON \S+ CANCELLED AT \S+(?: DUE TO (.*?))? \*\*\*")
_SEEN_BY_NEXT = re.compile(r"previous SLURM_JOB_ID (\d+) finished with '([A-Z_]+)(?: by (\d+))?")
_CAUSES = (("TIME LIMIT", "TIMEOUT"), ("PREEMPTION", "PREEMPTED"), ("NODE FAILURE", "NODE_FAIL"), ("", "CANCELLED"))
_TASK_INDEX = re.compile(r"\d{1,6}")
_EXCEEDED = "ERROR: Maximum total walltime"


@dataclass(frozen=True)
class Chain:
    """The jobs of one task.

    Attributes:
        ids: All that are known, oldest first.
        ran: Those that began to evaluate, in order.
        queued: Those that wait or run now, oldest first; None when the queue did not answer.
        ended: The last job that is known to have ended and is not in the queue, with the best word on its end.
        exhausted: NEL's script ended the chain because of `max_walltime`.
    """

    ids: tuple[str, ...]
    ran: tuple[str, ...]
    queued: tuple[Job, ...] | None
    ended: Job | None
    exhausted: bool

    @property
    def resumed(self) -> int:
        """How often it was taken up again."""
        return max(0, len(self.ran) - 1)


def chain(directory: Directory, seen: Snapshot, recorded: Sequence[str]) -> Chain:
    """The jobs of a task.

    Args:
        directory: Its directory, as it was seen.
        seen: The queue and the accounting of the same look.
        recorded: Job ids that NEL or the ledger has for it; NEL may have paired them wrongly, so a job whose name is that of
            another task is left out.
    """
    name = PurePosixPath(directory.path).name
    held = [i for i in recorded if not _is_of_other(i, name, seen)]
    known = dict.fromkeys([*directory.chain, *held])
    queued = None if seen.queue is None else _queued(directory, seen, set(known))
    ids = sorted({*known, *(job.job_id for job in queued or ())}, key=_number)
    waiting = {i for job in queued or () for i in (job.job_id, job.job_id.partition("_")[0])}
    # The list tells the order; an id that is on record only is one that never came to write itself down.
    candidates = [i for i in directory.chain or tuple(held) if i not in waiting]
    return Chain(
        ids=tuple(ids),
        ran=directory.chain,
        queued=None if queued is None else tuple(queued),
        ended=_ended(candidates[-1], directory, seen) if candidates else None,
        exhausted=any(text.startswith(_EXCEEDED) for _, text in directory.said),
    )


def job_of(job_id: str, seen: Snapshot) -> Job | None:
    """What the accounting says of a job; of an array, the task of it that has come least far."""
    rows = seen.accounting or {}
    if job_id in rows:
        return rows[job_id]
    parts = [rows[key] for key in seen.accounted_of.get(job_id, ())]
    ranks = ("waiting", "active", "unknown")

    def rank(job: Job) -> tuple[int, int]:
        phase = slurm_words.meaning(job.state).phase
        if phase in ranks:
            return (ranks.index(phase), 0)
        return (len(ranks), 1 if job.state == "COMPLETED" else 0)

    return min(parts, key=rank) if parts else None


def _queued(directory: Directory, seen: Snapshot, known: set[str]) -> list[Job]:
    """Jobs of the queue that belong here: by id, by where their output goes, by their script, or by what they wait for."""
    queue = seen.queue or {}
    found = {i for job_id in known for i in seen.queued_of.get(job_id, ())}
    found.update(seen.queued_in.get(directory.path, ()))
    found.update([i for before in {*known, *found} for i in seen.queued_after.get(before, ())])
    return sorted((queue[i] for i in found), key=lambda job: _number(job.job_id))


def _is_of_other(job_id: str, task: str, seen: Snapshot) -> bool:
    job = (seen.queue or {}).get(job_id) or job_of(job_id, seen)
    # NEL names a job `<account>-<subproject>.<task directory>`. A name of another form tells nothing: the accounting calls a job
    # "allocation" until it has heard more of it.
    return job is not None and _is_nel_name(job.name) and not job.name.endswith(f".{task}")


def _is_nel_name(name: str) -> bool:
    """Whether a job has a name of NEL's form: `<account>-<subproject>.<harness>.<task>.<index>`."""
    task, _, index = name.rpartition(".")
    dash = task.find("-", 1)
    return dash > 0 and "." in task[dash + 1 : -1] and _TASK_INDEX.fullmatch(index) is not None


def _ended(job_id: str, directory: Directory, seen: Snapshot) -> Job:
    """A job that is not in the queue, by the accounting, else by what was written in the jobs' own logs; else without a state."""
    job = job_of(job_id, seen)
    if job is not None and slurm_words.meaning(job.state).phase == "ended":
        return job
    state, by = "", ""
    for _, text in directory.said:
        if (next_saw := _SEEN_BY_NEXT.match(text)) and next_saw[1] == job_id:
            state, by = next_saw[2], next_saw[3] or ""
        elif (killed := _ENDED_BY.match(text)) and killed[1] == job_id and not state:
            cause = killed[2] or ""
            state = next(word for begins, word in _CAUSES if cause.startswith(begins))
    if state and slurm_words.meaning(state).phase == "ended":
        return replace(job or Job(job_id, ""), state=state, by=by)
    return job or Job(job_id, "")


def _number(job_id: str) -> tuple[int, int]:
    base, _, index = job_id.partition("_")
    number, place = words.whole(base), words.whole(index)
    return (number or 0, -1 if place is None else place)
