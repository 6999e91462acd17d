"""The table of limits: where each thing breaks, by a number of the code or by extrapolation, and what happens then."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from quantgate.cluster import connection, scheduler
from quantgate.gates.traces import remote_launches
from quantgate.gates.views import waiting
from quantgate.launcher import execdb
from quantgate.runs.clusters import looking
from quantgate.runs.scanner import files, program
from quantgate.runs.scanning import scan
from quantgate.tools import status

from . import extrapolation
from .extrapolation import Key
from .figures import Figure

TOO_LATE = 10.0
"""Seconds, after which an answer about runs is taken to come too late."""
USERS = 200
MANY_RUNS_IDS = 10_000
CODE = "a number of the code"
COUNTED = "measured"

ONE_RUN = "one run of so many jobs"
MANY_RUNS = "50 runs, with so many jobs of the user in the queue"
CHAINS = "1,000 tasks, each a chain of jobs, so many in all"
AGAIN = "run of a config that was run there so often before"
UNSEEN = "status() with so many launches on a cluster whose end nobody saw"
WAITING = "a wait of 45 seconds for a run on a cluster"
USERS_WAIT = "users who wait all the time, extrapolated"
CALLS = "calls of squeue and sacct"
CALLS_A_MINUTE = "calls of squeue and sacct a minute"
SESSIONS = "ssh sessions a minute"
SCAN = "a scan"
ONE_LOG = "a scan of one log"
IDLE = "memory of an idle server, its part of what is shared (PSS)"
BUSY = "memory of a busy server at most, its part of what is shared (PSS)"
OLDEST = "the oldest id, completed by its first 8 characters"
MANY_LOGS = "so many files in logs/"

_SCRIPT = Path(str(scheduler.__file__)).with_name("look.sh").read_text(encoding="utf-8")
Figures = Sequence[Figure]


@dataclass(frozen=True)
class Limit:
    """One row of the table of limits.

    Attributes:
        what: What is made large.
        cost: Of which quantity the largest measured size and its cost are told.
        breaks: Where it breaks, and how that is known; from the figures.
        then: What happens there.
        do: What a user does.
    """

    what: str
    cost: Key
    breaks: Callable[[Figures], tuple[str, str]]
    then: str
    do: str


def _script_number(name: str) -> int:
    """A number that look.sh sets at its beginning."""
    found = re.search(rf"^{name}=(\d+)$", _SCRIPT, re.MULTILINE)
    assert found, name
    return int(found[1])


def _stands(text: str, how: str = CODE) -> Callable[[Figures], tuple[str, str]]:
    return lambda _: (text, how)


def _beyond(key: Key, limit: float, words: str) -> Callable[[Figures], tuple[str, str]]:
    """The size at which a cost reaches a limit; `{}` in the words stands for it."""

    def told(figures: Figures) -> tuple[str, str]:
        points = extrapolation.of(figures, key)
        return words.format(f"{extrapolation.reached(points, limit):,}"), extrapolation.told(points)

    return told


def _short_ids(_: Figures) -> tuple[str, str]:
    shares = [1 - (1 - 16.0**-digits) ** (MANY_RUNS_IDS - 1) for digits in (4, 8)]
    text = f"of {MANY_RUNS_IDS:,} ids, 4 characters mean several in {shares[0]:.0%} of cases, 8 in {shares[1]:.4%}"
    return text, "computed: ids are drawn evenly"


def _users(figures: Figures) -> tuple[str, str]:
    """How many users who wait keep the scheduler's daemon busy all the time."""
    look = extrapolation.of(figures, ("servers", "processor time of slurmctld for a look", "ms"))
    looks = extrapolation.of(figures, ("servers", WAITING, SESSIONS))
    if not look or not looks or look[-1].value <= 0:
        return "a site's own rule", "not measured"
    users = extrapolation.rounded(60_000 / (look[-1].value * looks[-1].value))
    how = (
        f"extrapolated: a minute of its processor over {look[-1].value:.1f} ms a look with {look[-1].size} jobs of each user, "
        f"{looks[-1].value:.1f} looks a minute"
    )
    return f"a site's own rule; {users:,} such users keep slurmctld busy all the time", how


def _servers(figures: Figures) -> tuple[str, str]:
    points = extrapolation.of(figures, ("servers", BUSY, "MB"))
    if not points:
        return "the memory", "not measured"
    last = points[-1]
    text = f"the memory: {USERS} busy servers hold {USERS * last.value / 1000:.0f} GB"
    return text, f"extrapolated: {USERS} times the part of each of {last.size}"


def _bytes_of_logs(figures: Figures) -> tuple[str, str]:
    read = extrapolation.of(figures, ("logs", SCAN, "GB read"))
    return (f"what {scan.SECONDS:.0f} s read: {read[-1].value:.1f} GB here", COUNTED) if read else ("", "not measured")


def _one_log(figures: Figures) -> tuple[str, str]:
    took = extrapolation.of(figures, ("logs", ONE_LOG, "s"))
    if not took:
        return "", "not measured"
    size = took[0].size * scan.SECONDS / took[0].value
    return (
        f"what {scan.SECONDS:.0f} s read of it: {size:.1f} GB here",
        f"extrapolated from {took[0].size} GB, in proportion",
    )


_REPLY_KB = connection.MAX_OUTPUT / 1000
_REPLY = f"the reply passes {connection.MAX_OUTPUT >> 20} MB"

LIMITS = (
    Limit(
        "runs in the ledger", ("ledgers", "status(), again", "ms"),
        _beyond(("ledgers", "status(), again", "ms"), TOO_LATE * 1000, f"{{}} runs, when `status()` takes {TOO_LATE:.0f} s"),
        "the answer comes late", "give ids: their cost does not grow",
    ),
    Limit(
        "NEL's record of jobs", ("ledgers", "status() in a server that has just started", "ms"),
        _stands(f"{execdb.MOST_JOBS:,} jobs, and the last {execdb.MOST_BYTES >> 20} MB of the file, are remembered"),
        "an older run of plain NEL is an unknown id; launches of quantgate are in the ledger and stay known", "give its directory",
    ),
    Limit(
        "beginnings of ids", ("ledgers", "status of the first 4 characters of an id", "ms"), _short_ids,
        "the call is refused and names them", "give 8 characters",
    ),
    Limit(
        "tasks of one run on a cluster", ("sweeps", ONE_RUN, "kB over the link"),
        _beyond(("sweeps", ONE_RUN, "kB over the link"), _REPLY_KB, f"{{}} tasks: {_REPLY}"),
        "unreachable, with these words, never failed", "name one task as `host:/path`",
    ),
    Limit(
        "jobs of one user in the queue", ("sweeps", MANY_RUNS, "kB over the link"),
        _beyond(("sweeps", MANY_RUNS, "kB over the link"), _REPLY_KB, f"{{}} jobs: {_REPLY}"),
        "unreachable, with these words, never failed", "wait until the queue is shorter; the jobs go on",
    ),
    Limit(
        "tasks in one answer of `status`", ("sweeps", ONE_RUN, "tokens of the answer"),
        _stands(f"{status.MOST_TASKS} tasks"),
        "so many are shown, those that failed first; a warning counts all by state", "name one task as `host:/path`",
    ),
    Limit(
        "runs in one answer of `status`", ("sweeps", MANY_RUNS, "tokens of the answer"),
        _stands(f"{status.MOST} runs by name, {status.NEWEST} without"),
        "`omitted` counts the others", f"ask in turns of {status.MOST}",
    ),
    Limit(
        "jobs in the chains of one look", ("sweeps", CHAINS, "ms"),
        _stands(
            f"{_script_number('IDS'):,} ids in one `sacct`; more take several, of {_script_number('limit')} s each at most and "
            f"{scheduler.LOOK_SECONDS:.0f} s together"
        ),
        "unreachable when the accounting is slower", "ask for fewer runs at once",
    ),
    Limit(
        "earlier runs of one config on a cluster", ("sweeps", AGAIN, CALLS),
        _stands("none found: one look for all of them", COUNTED), "the look is larger", "nothing",
    ),
    Limit(
        "launches on a cluster whose end nobody saw", ("sweeps", UNSEEN, "ssh sessions"),
        _stands(f"none found: one search for {remote_launches.AT_ONCE} of them", CODE),
        "the first `status()` after that takes longer", "nothing",
    ),
    Limit(
        "users on one cluster", ("servers", USERS_WAIT, CALLS_A_MINUTE), _users,
        f"a cluster that answers slowly is asked less: {waiting.CLUSTER_SHARE} times as long as it took passes between two looks",
        f"wait with `wait_seconds`: whoever asks in a loop is answered anew every {looking.FRESH_SECONDS:.0f} s",
    ),
    Limit(
        "servers on one login node", ("servers", BUSY, "MB"), _servers, "the node swaps",
        "serve all of a group by one server over HTTP (docs/serving.md)",
    ),
    Limit(
        "bytes of logs in one scan", ("logs", SCAN, "GB read"), _bytes_of_logs,
        "the verdict is at best suspicious, and a warning tells how many GB and logs were not read",
        "name a task or a source, and scan those in turn",
    ),
    Limit(
        "bytes of one log", ("logs", ONE_LOG, "s"), _one_log,
        "its end is not read, and not by another call either: each scan of a log begins at its beginning",
        "read its end with `tail`, or split it",
    ),
    Limit(
        "logs of one run", ("logs", f"a scan with {MANY_LOGS}", "ms"),
        _stands(f"{files.MAX_FILES} logs of a task, {program.MOST_LOGS:,} of a run"),
        "the answer counts those that were left out", "name a task or a source",
    ),
    Limit(
        "files in a task's directory", ("logs", f"status of a task with {MANY_LOGS}", "ms"),
        _beyond(
            ("logs", f"status of a task with {MANY_LOGS}", "ms"), TOO_LATE * 1000,
            f"{{}} files, when `status` takes {TOO_LATE:.0f} s; each look lists the directory",
        ),
        "it takes longer; over a link one line for each folder comes back", "nothing",
    ),
)  # fmt: skip

MENDED = (
    ("A look at a run of 1,000 tasks: lists of the shell were made word by word, and every task went through the whole queue",
     ("sweeps", ONE_RUN, 1_000, "ms")),
    ("… of 3,000 tasks", ("sweeps", ONE_RUN, 3_000, "ms")),
    ("The answer to the one of 1,000", ("sweeps", ONE_RUN, 1_000, "tokens of the answer")),
    ("50 runs, with 10,000 jobs in the queue: one call asked again and again", ("sweeps", MANY_RUNS, 10_000, CALLS)),
    ("… and the time it took", ("sweeps", MANY_RUNS, 10_000, "ms")),
    ("Chains of 20,000 jobs: the ids did not fit into one word", ("sweeps", CHAINS, 20_000, CALLS)),
    ("A launch whose config was run on the cluster 50 times before", ("sweeps", AGAIN, 50, CALLS)),
    ("50 launches whose end nobody saw: each was searched for by itself", ("sweeps", UNSEEN, 50, "ssh sessions")),
    ("200 users who wait", ("servers", USERS_WAIT, USERS, CALLS_A_MINUTE)),
    ("A scan of 1 TB: clients that give a call 60 s got no answer", ("logs", SCAN, 1_000, "s")),
    ("The oldest of 10,000 ids, completed by its beginning", ("ledgers", OLDEST, 10_000, "found")),
)  # fmt: skip
"""What broke before it was mended: the same figure then and now."""
