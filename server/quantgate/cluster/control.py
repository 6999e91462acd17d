"""Ending a run's jobs on a cluster, and submitting its tasks again: one round trip, looked at afterwards.

A job is of a run when its output lies in a task's directory of the run, when its script does, when its comment carries the run's
stamp, or when it is a follow-on of such a job. A name or a dependency alone proves nothing: a user's own job may wait for ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput, ClusterError, Refused, Unreachable
from . import words
from .connection import Connection

CANCEL_SECONDS = 20
"""How long the end of the jobs is waited for. Slurm gives a job's processes its KillWait (30 s by default) at most."""
RESUME_SECONDS = 60
"""When the last task is submitted, after the first look at the queue."""
SPARE_SECONDS = 100.0
"""For the requests to the scheduler that are under way at that moment; each has a limit of its own."""
NO_STAMP = "-"
_SCRIPT = Path(__file__).with_name("control.sh")
_STAMP = re.compile(r"[A-Za-z0-9:_.-]{1,200}")
_INVOCATION = re.compile(r"\d{8}_\d{6}(?:_\d{6})?-[0-9a-f]{8,32}")
_NOWHERE = "/dev/null"
"""Stands for the directory of a run that is known by its stamp alone: no job writes below it."""
_ENDED = re.compile("BOOT_FAIL|CANCELLED|COMPLETED|DEADLINE|FAILED|NODE_FAIL|OUT_OF_MEMORY|PREEMPTED|REVOKED|TIMEOUT")
_WAITS = "WAITS"
_SENT = "it may have run"
"""What `connection` says, too, of a command that was sent before its link broke."""
UNKNOWN_TASK = "?"


@dataclass(frozen=True)
class QueuedJob:
    """One job of a run as the queue told it.

    Attributes:
        state: Slurm's state, "COMPLETING" while its processes are being ended.
        task: The task's directory name; `UNKNOWN_TASK` when only the stamp says that it is of the run.
        reason: Slurm's reason; empty for none.
    """

    job_id: str
    state: str
    task: str
    reason: str = ""

    @property
    def live(self) -> bool:
        """Whether it waits, runs or is being ended."""
        return _ENDED.fullmatch(self.state) is None

    def __str__(self) -> str:
        """As a message names it."""
        return f"job {self.job_id} is {self.state}" + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True)
class Ended:
    """What a cancellation did, and what the queue held afterwards.

    Attributes:
        before: The run's jobs at the first look; those that ended in the last minutes are among them.
        after: At the last look; None when the queue did not answer then.
        sent: Ids of the jobs that the scheduler took the order for, by task.
        fault: Why the queue could not be looked at; empty when it could.
        refused: What the scheduler would not end, in its own words.
        foreign: Jobs of somebody else's making that wait for one of these: nothing was done to them.
        unmarked: Tasks in whose directory no marker could be written.
    """

    before: tuple[QueuedJob, ...] = ()
    after: tuple[QueuedJob, ...] | None = None
    sent: tuple[tuple[str, str], ...] = ()
    fault: str = ""
    refused: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    unmarked: tuple[str, ...] = ()

    def left(self) -> tuple[QueuedJob, ...]:
        """Jobs that waited or ran at the last look."""
        return tuple(j for j in self.after or () if j.live)

    def cancelled(self) -> dict[str, tuple[str, ...]]:
        """Ids of the jobs that were ended by this call, by task, for the tasks of which nothing is left.

        A job that ended by itself before the order reached it is none of them.
        """
        if self.after is None:
            return {}
        states = {j.job_id: j.state for j in self.after}
        busy = {j.task for j in self.left()}
        done: dict[str, tuple[str, ...]] = {}
        for task in dict.fromkeys(task for _, task in self.sent):
            ids = tuple(i for i, t in self.sent if t == task and states.get(i, "CANCELLED") == "CANCELLED")
            if ids and task not in busy:
                done[task] = ids
        return done


@dataclass(frozen=True)
class Resubmitted:
    """What a resume did.

    Attributes:
        queued: Task and id of its new job.
        refused: Task and why it was not submitted.
        uncertain: Tasks among `refused` of which it is not known whether they go on.
        notes: What a caller should know besides.
    """

    queued: tuple[tuple[str, str], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    uncertain: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def cancel(connection: Connection, root: str, tasks: Sequence[str] = (), *, stamp: str = "") -> Ended:
    """End the jobs of a run, with their follow-ons, and look whether they are gone.

    Args:
        connection: To the cluster's login node.
        root: The invocation's directory there; empty when only the stamp makes its jobs known.
        tasks: Names of the tasks' directories; empty for all.
        stamp: The word in the comments of the run's jobs; empty when it has none. A job that only it makes known is ended when all
            tasks are.

    Raises:
        BadInput: A path or a name cannot be sent, or there is neither a directory nor a stamp.
        Refused: The directory is not named as NEL names an invocation's: jobs in it may be of other runs.
        Unreachable: The cluster does not answer, or the link broke: the orders may have been given.
        ClusterError: It does not let us in.
    """
    place = _place(root, stamp, connection.host)
    rows = _run(connection, "cancel", CANCEL_SECONDS, place, tasks, stamp)
    faults = [row[0] for row in rows("@fault")]
    return Ended(
        before=_jobs(rows("@before")),
        after=None if faults else _jobs(rows("@after")),
        sent=tuple(dict.fromkeys((row[0], row[1]) for row in rows("@sent", 2))),
        fault=faults[0] if faults else "",
        refused=tuple(dict.fromkeys(row[-1] for row in rows("@refused"))),
        foreign=tuple(f"{row[0]} waits for {row[3]}" for row in rows("@before", 4) if row[1] == _WAITS),
        unmarked=tuple(row[0] for row in rows("@unmarked")),
    )


def resubmit(connection: Connection, root: str, tasks: Sequence[str], *, stamp: str = "") -> Resubmitted:
    """Submit tasks of a run again, each unless a job of it waits or runs.

    The queue is looked at and the jobs are submitted under a lock in the run's directory, in one script: two callers, on whatever
    machines, never both submit a task.

    Args:
        connection: To the cluster's login node.
        root: The invocation's directory there.
        tasks: Names of the tasks' directories; at least one.
        stamp: As for `cancel`.

    Raises:
        BadInput: A path or a name cannot be sent.
        Unreachable: The cluster does not answer, or the link broke: jobs may have been queued.
        ClusterError: It does not let us in, its queue cannot be looked at, or another resume of the run goes on.
    """
    rows = _run(connection, "resume", RESUME_SECONDS, root, tasks, stamp)
    _raise_if_not_begun(rows, connection.host, root)
    live = [j for j in _jobs(rows("@before")) if j.live]
    unknown = [j for j in live if j.task == UNKNOWN_TASK]
    refused = [(row[0], _still(row[0], live, unknown)) for row in rows("@live")]
    refused += [(row[0], "its run.sub is not there or cannot be read: start a new run") for row in rows("@script")]
    refused += [(row[0], "its .secrets.env is gone: the job would run without its keys") for row in rows("@secrets")]
    refused += [
        (row[0], "the cluster answers too slowly: it was not submitted; call resume again") for row in rows("@late")
    ]
    declined = [(row[0], row[1], row[2]) for row in rows("@declined", 3)]
    refused += [(task, _declined(code, said)) for task, code, said in declined]
    notes = [row[0] for row in rows("@note")]
    notes += [f"The job of {row[0]} could not be noted in its .slurm_job_id.list." for row in rows("@unlisted")]
    return Resubmitted(
        queued=tuple((row[0], row[1]) for row in rows("@queued", 2)),
        refused=tuple(refused),
        uncertain=tuple(task for task, code, said in declined if _no_answer(code, said)),
        notes=tuple(notes),
    )


def _place(root: str, stamp: str, host: str) -> str:
    """The directory in which a job's output makes it one of the run's."""
    if not root:
        if not _STAMP.fullmatch(stamp):
            raise BadInput(
                "Neither a directory nor a stamp tells which jobs are of the run",
                where=host,
                fix="name it by its invocation id, or as host:/path/of/<date>_<time>-<invocation id>",
            )
        return _NOWHERE
    if not _INVOCATION.fullmatch(root.rstrip("/").rpartition("/")[2]):
        raise Refused(
            "This is not the directory of one run: jobs that write into it may be of others, and nothing was ended",
            where=f"{host}:{root[:200]}",
            fix="name the run by its invocation id, or by its own directory <date>_<time>-<invocation id>",
        )
    return root


def may_have_run(error: Unreachable) -> bool:
    """Whether the script was on its way when the link broke; else nothing was done."""
    return _SENT in error.what


_UNSEEN = "unseen"
"""Stands for the exit code of an sbatch that failed while the queue could not be looked at afterwards."""
_LOST = ("timed out", "zero bytes were transmitted", "receive failure")
"""What sbatch says when the scheduler's answer did not come: it may have taken the job all the same."""


class _Rows:
    """What the script printed, by the first field of its lines."""

    def __init__(self, text: str) -> None:
        self._rows = [line.split("\t") for line in text.splitlines() if line.startswith("@")]

    def __call__(self, kind: str, fields: int = 1) -> list[list[str]]:
        """The rows of a kind without it; each has at least so many fields, the last of them empty where it has fewer."""
        return [[*row[1:], *[""] * (fields + 1 - len(row))] for row in self._rows if row[0] == kind]


def _run(connection: Connection, verb: str, seconds: int, root: str, tasks: Sequence[str], stamp: str) -> _Rows:
    word = stamp if _STAMP.fullmatch(stamp) else NO_STAMP
    names = [words.operand(task, "task directory") for task in tasks]
    place = words.operand(root, "run directory").rstrip("/")
    argv = ["sh", "-s", "--", verb, str(seconds), word, place, *names]
    done = connection.run(argv, stdin=_SCRIPT.read_bytes(), seconds=seconds + SPARE_SECONDS, changes=True)
    if not done.out.rstrip().endswith("@end"):
        last = (done.err or done.out).strip().splitlines()[-1:] or ["nothing"]
        raise Unreachable(
            f"{connection.host} broke off in the middle of its answer: {last[0][:200]}; {_SENT}",
            fix="look with status before you call this again",
        )
    return _Rows(done.out)


def _jobs(rows: list[list[str]]) -> tuple[QueuedJob, ...]:
    return tuple(
        QueuedJob(row[0], row[1], row[2], "" if row[3] in {"None", "(null)"} else row[3])
        for row in rows
        if len(row) >= 4 and row[1] != _WAITS
    )


def _raise_if_not_begun(rows: _Rows, host: str, root: str) -> None:
    where = f"{host}:{root}"
    for fault in rows("@fault"):
        raise ClusterError(
            f"What of the run is queued cannot be seen, so nothing was submitted: {fault[0]}",
            where=where,
            fix="call this again when the scheduler answers",
        )
    if rows("@locked"):
        raise ClusterError(
            "Another resume of this run is under way",
            where=where,
            fix="look with status in a minute; nothing was submitted",
        )
    if rows("@unwritable"):
        raise ClusterError(
            "The run's directory cannot be written: nothing was submitted",
            where=where,
            fix="free space or quota there, or ask its owner",
        )
    if rows("@absent"):
        raise ClusterError("The run's directory is gone", where=where, fix="start a new run")
    if rows("@unseen"):
        raise ClusterError(
            "The run's directory cannot be seen", where=where, fix="check that its file system is mounted"
        )


def _still(task: str, live: Sequence[QueuedJob], unknown: Sequence[QueuedJob]) -> str:
    mine = [j for j in live if j.task == task] or unknown
    return "it goes on: " + ", ".join(str(j) for j in mine[:4])


def _no_answer(code: str, said: str) -> bool:
    """Whether an sbatch that named no job may have submitted one: it was ended, or says nothing that is a refusal."""
    ended = code in {"0", "124"} or (words.whole(code) or 0) >= 128
    return ended or code == _UNSEEN or any(lost in said.lower() for lost in _LOST)


def _declined(code: str, said: str) -> str:
    if code == _UNSEEN:
        return f"sbatch failed, and whether it took the job cannot be seen; it may still come: {said[:300]}"
    if _no_answer(code, said):
        return f"sbatch gave no clear answer, and no job of it is queued; it may still come: {said[:300] or 'no words'}"
    return f"sbatch refused it: {said[:300]}"
