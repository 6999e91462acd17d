"""What a cluster knows of runs, asked in one round trip: their directories, Slurm's queue and Slurm's accounting.

Nothing is concluded here. A queue or an accounting that did not answer is None with its own words, never an empty one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ..errors import BadInput, ClusterError, Unreachable
from . import look_directories, words
from .connection import MAX_OUTPUT, Connection
from .look_directories import Directory

LOOK_SECONDS = 45.0
MOST_IDS = 2000
"""In one command line, which a login shell takes up to 128 KB of."""
_SCRIPT = Path(__file__).with_name("look.sh")
_FIELD = "\x1f"
_LOGS = re.compile(r"/logs(?=/)")
_RUN = "/run.sub"
_AFTER = re.compile(r"afternotok:(\d+)")
_ID = re.compile(r"\d{1,12}(?:_\d{1,9})?")
_WIDE = 11
"""Columns of a queue's row that tells the output file; an old squeue cannot, and its rows have 10."""
_SECTIONS = ("places", "chains", "changes", "contents", "said", "accounting", "users", "answers", "queue")


@dataclass(frozen=True)
class Job:
    """One job as Slurm tells it.

    Attributes:
        job_id: Slurm's id ("812", "812_3" for one of an array).
        state: Slurm's base state in capitals ("RUNNING", "CANCELLED"), without what stands behind it.
        by: Who cancelled it: a numeric user id; empty otherwise.
        reason: Slurm's reason ("Priority", "DependencyNeverSatisfied"); empty for "None".
        exit_code: Of the batch script; None while it runs or when not known.
        signal: That ended it; 0 for none.
        dependency: What it waits for, as Slurm writes it.
        comment: Of the submission; the queue has it, the accounting often not.
        submitted: Seconds since the epoch; None when not known. Likewise `started` and `ended`; a waiting job's start is expected.
        elapsed: Seconds that it ran.
        limit: Its time limit in minutes; None for none.
        name: The job's name.
        command: The script that was submitted.
        output: The file that its output goes to; a waiting job's may hold placeholders. Empty in the accounting.
    """

    job_id: str
    state: str
    by: str = ""
    reason: str = ""
    exit_code: int | None = None
    signal: int = 0
    dependency: str = ""
    comment: str = ""
    submitted: int | None = None
    started: int | None = None
    ended: int | None = None
    elapsed: int | None = None
    limit: int | None = None
    name: str = ""
    command: str = ""
    output: str = ""


@dataclass(frozen=True)
class Snapshot:
    """What was seen.

    Attributes:
        clock: The cluster's clock in seconds since the epoch.
        user: The login name there, with its numeric id in `uid`.
        directories: By path.
        queue: The user's jobs that wait or run, by id; None when the queue did not answer.
        accounting: The jobs that were asked for, by id (of an array also by its raw id); None when it did not answer.
        problems: What did not answer, in its own words.
        users: Names of the numeric users who cancelled a job, as far as the cluster knows them.
    """

    clock: int
    user: str
    uid: str
    directories: dict[str, Directory] = field(default_factory=dict)
    queue: dict[str, Job] | None = None
    accounting: dict[str, Job] | None = None
    problems: tuple[str, ...] = ()
    users: dict[str, str] = field(default_factory=dict)

    # One pass over all rows for all tasks of a look: a sweep has a thousand of each.

    @cached_property
    def queued_in(self) -> Mapping[str, list[str]]:
        """Ids of the queue by the task directory that their output or their script is in."""
        found: dict[str, list[str]] = {}
        for i, job in (self.queue or {}).items():
            places = [job.output[: match.start()] for match in _LOGS.finditer(job.output)]
            if job.command.endswith(_RUN):
                places.append(job.command.removesuffix(_RUN))
            for place in dict.fromkeys(places):
                found.setdefault(place, []).append(i)
        return found

    @cached_property
    def queued_of(self) -> Mapping[str, list[str]]:
        """Ids of the queue by themselves, and by the array that they are of."""
        return _by_base(self.queue or {}, itself=True)

    @cached_property
    def queued_after(self) -> Mapping[str, list[str]]:
        """Ids of the queue by each job that they wait for to fail."""
        found: dict[str, list[str]] = {}
        for i, job in (self.queue or {}).items():
            for before in dict.fromkeys(_AFTER.findall(job.dependency)):
                found.setdefault(before, []).append(i)
        return found

    @cached_property
    def accounted_of(self) -> Mapping[str, list[str]]:
        """Ids of the accounting by the array that they are of."""
        return _by_base(self.accounting or {}, itself=False)


def _by_base(jobs: Mapping[str, Job], *, itself: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for i in jobs:
        base, of_array, _ = i.partition("_")
        for key in (i, base) if of_array and itself else (base,) if of_array or itself else ():
            found.setdefault(key, []).append(i)
    return found


def look(connection: Connection, directories: Sequence[str], job_ids: Sequence[str] = ()) -> Snapshot:
    """Look at any number of runs in one round trip.

    Args:
        connection: To the cluster's login node.
        directories: Task directories; the jobs in their `.slurm_job_id.list` are looked up too. One that ends with "/" is an
            invocation's: its tasks are looked at, or it itself when it has none.
        job_ids: Further jobs, at most `MOST_IDS`; what is no id is left out.

    Raises:
        BadInput: A directory is not one, or there are too many ids.
        Unreachable: The cluster does not answer, or its answer breaks off.
        ClusterError: It does not let us in.
    """
    paths = [words.operand(d, "run directory") for d in directories]
    ids = [i for i in job_ids if _ID.fullmatch(i)]
    if len(ids) > MOST_IDS:
        raise BadInput(f"{len(ids)} job ids in one command line; {MOST_IDS} fit", fix="ask for fewer at once")
    argv = ["sh", "-s", "--", ",".join(ids) or "-", *paths]
    done = connection.run(argv, stdin=_SCRIPT.read_bytes(), seconds=LOOK_SECONDS)
    if done.truncated:
        raise ClusterError(
            f"{connection.host} has more to tell of these runs than {MAX_OUTPUT >> 20} MB",
            where=f"{len(paths)} directories and the jobs of your account in the queue",
            fix="ask for fewer runs at once, or for one task by host:/path",
        )
    if not done.out.rstrip().endswith("@end"):
        last = (done.err or done.out).strip().splitlines()[-1:] or ["nothing"]
        raise Unreachable(
            f"{connection.host} broke off in the middle of its answer: {last[0][:200]}", fix="call this again"
        )
    return parse(done.out)


def parse(text: str) -> Snapshot:
    """The answer of `look.sh`."""
    sections: dict[str, list[str]] = {name: [] for name in ("", *_SECTIONS)}
    current = ""
    for line in text.split("\n"):
        if line.startswith("@") and line[1:] in _SECTIONS:
            current = line[1:]
        elif line != "@end":
            sections[current].append(line)
    clock = sections[""][0].split(" ") if sections[""] else []
    if len(clock) != 4 or clock[0] != "@clock" or words.whole(clock[1]) is None:
        raise Unreachable(
            "The cluster's shell gave no answer that can be read",
            fix="run a plain `ssh HOST true`: it must print nothing",
        )
    queue, queue_problem = _rows(sections["queue"], "squeue")
    accounting, accounting_problem = _rows(sections["accounting"], "sacct")
    seen = [_queued(r) for r in queue] if queue is not None else None
    kept = [job for r in accounting for job in _accounted(r)] if accounting is not None else None
    return Snapshot(
        clock=int(clock[1]),
        uid=clock[2],
        user=clock[3],
        directories=look_directories.parse(sections),
        queue={j.job_id: j for j in seen if j} if seen is not None else None,
        accounting=dict(kept) if kept is not None else None,
        problems=tuple(p for p in (queue_problem, accounting_problem) if p),
        users={
            uid: name
            for name, _, uid in (line.partition(":") for line in sections["users"])
            if words.whole(uid) is not None
        },
    )


def _rows(lines: list[str], program: str) -> tuple[list[list[str]] | None, str]:
    """The rows of a listing, or None and why there are none."""
    code = next((line[6:] for line in reversed(lines) if line.startswith("@code ")), "")
    if code == "0":
        return [line.split(_FIELD) for line in lines if _FIELD in line], ""
    said = [line.strip() for line in lines if line.strip() and not line.startswith("@code") and _FIELD not in line]
    words_of = re.sub(r"^(?:\w+: )?(?:error: )?", "", said[0])[:200] if said else ""
    why = "no answer within its time limit" if code in words.TIMED_OUT else words_of or f"exit code {code or 'none'}"
    return None, f"{program}: {why}"


def _word(text: str) -> str:
    return "" if text in {"None", "(null)", "N/A", "Unknown", "UNLIMITED"} else text


def _queued(row: list[str]) -> Job | None:
    if len(row) < 10 or not _ID.fullmatch(row[0].partition("_[")[0]):
        return None
    return Job(
        job_id=row[0].partition("_[")[0],
        state=row[1],
        reason=_word(row[2]),
        dependency=_word(row[3]),
        comment=_word(row[4]),
        started=words.whole(row[5]),
        submitted=words.whole(row[6]),
        name=row[7],
        command=_word(row[8]),
        output=_word(row[9]) if len(row) >= _WIDE else "",
    )


def _accounted(row: list[str]) -> list[tuple[str, Job]]:
    if len(row) < 12 or not _ID.match(row[0]):
        return []
    state, _, by = row[2].partition(" by ")
    code, _, signal = row[3].partition(":")
    ended = state not in {"RUNNING", "PENDING", "SUSPENDED", "REQUEUED"}
    job = Job(
        job_id=row[0],
        state=state.strip().rstrip("+"),
        by=by.strip(),
        reason=_word(row[4]),
        exit_code=words.whole(code) if ended else None,
        signal=words.whole(signal) or 0,
        submitted=words.whole(row[5]),
        started=words.whole(row[6]),
        ended=words.whole(row[7]),
        elapsed=words.whole(row[8]),
        limit=words.whole(row[9]),
        name=row[10],
    )
    return [(key, job) for key in dict.fromkeys((row[0], row[1]))]
