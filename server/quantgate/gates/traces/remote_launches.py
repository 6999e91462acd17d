"""What became of a launch on a cluster that nobody saw to its end: its jobs are looked for, and it is never submitted again.

NEL records a job only after the submission of all of them. What it left is found on the cluster:

1. jobs that carry its id (in the queue, in its directory, in the accounting) -> launched;
2. something is still submitting it, or may be, or the cluster did not tell -> open;
3. none of these -> failed, and nothing of it runs or will.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ...cluster import connection, launches
from ...errors import BadInput, ClusterError, NoAnswer, Unreachable
from .. import ledger

IN_FLIGHT_SECONDS = 60
"""How long a submission may go on on another login node after its link broke: Slurm's own limits for one request are below it."""
FRESH_SECONDS = 5.0
"""How long an answer that leaves it open is not asked for again."""
AT_ONCE = 20
"""Launches in one search: a path has at most 4 KB, and one word of a command line 128 KB."""
AHEAD_SECONDS = 60.0
"""How long what was searched ahead waits for whoever asks."""

Outcome = Literal["launched", "failed", "open"]
Said = Literal["uncertain", "over"]
"""What NEL said of a launch's end: nothing that counts, or that it is over, and so nothing is being submitted any more. That the
cluster took no job of it is no word to trust: an answer may be lost on its way."""


@dataclass(frozen=True)
class Known:
    """What is known of a launch.

    Attributes:
        run_dir: `host:/absolute/path` of the invocation's directory; empty without one.
        jobs: Slurm's ids of the jobs that were found, the follow-on jobs among them.
        why: For an open one, what keeps it open.
        state: For an open one, what can be said of it: "pending" while it may still be submitted, "unreachable" when the cluster
            does not answer, "unknown" when its scheduler or its file system does not.
    """

    outcome: Outcome
    run_dir: str = ""
    jobs: tuple[str, ...] = ()
    why: str = ""
    state: Literal["pending", "unknown", "unreachable"] = "unknown"


_open: dict[str, tuple[float, Known]] = {}
_silent: dict[str, tuple[float, str]] = {}
_ahead: dict[str, tuple[float, launches.Launch]] = {}


def said_by(error: Exception) -> Said:
    """What an error of a launch says of its end."""
    return "uncertain" if isinstance(error, NoAnswer | Unreachable) else "over"


def look(attempt: ledger.Attempt, said: Said = "uncertain") -> Known:
    """What became of a launch that no process of this machine can start any more.

    Args:
        attempt: An open launch whose output directory is `user@host:/path`.
        said: What NEL said of its end.
    """
    over = said == "over"
    asked, known = _open.get(attempt.invocation_id, (0.0, None))
    if known is not None and not over and time.monotonic() - asked < FRESH_SECONDS:
        return known
    known = _look(attempt, over=over)
    if known.outcome == "open":
        _open[attempt.invocation_id] = (time.monotonic(), known)
    else:
        _open.pop(attempt.invocation_id, None)
    return known


def look_ahead(attempts: Iterable[ledger.Attempt]) -> None:
    """Search for many launches, `AT_ONCE` in one session; `look` then has what was found of each, once.

    Args:
        attempts: Open launches on clusters. That no process can start them any more was seen before this call: what is searched
            for earlier may come later.
    """
    wanted: dict[str, dict[str, str]] = {}
    for attempt in attempts:
        host, _, output_dir = attempt.output_dir.partition(":")
        if time.monotonic() - _open.get(attempt.invocation_id, (-FRESH_SECONDS, None))[0] >= FRESH_SECONDS:
            wanted.setdefault(host, {})[attempt.invocation_id] = output_dir
    for host, output_dirs in wanted.items():
        pairs = list(output_dirs.items())
        for at in range(0, len(pairs), AT_ONCE):
            found = _searched(host, dict(pairs[at : at + AT_ONCE]))
            if isinstance(found, Known):
                break  # each of them tells, when it is looked at
            _ahead.update((i, (time.monotonic(), launch)) for i, launch in found.items())


def _look(attempt: ledger.Attempt, *, over: bool) -> Known:
    host, _, output_dir = attempt.output_dir.partition(":")
    searched, launch = _ahead.pop(attempt.invocation_id, (0.0, None))
    if launch is None or time.monotonic() - searched >= AHEAD_SECONDS:
        found = _searched(host, {attempt.invocation_id: output_dir})
        if isinstance(found, Known):
            return found
        launch = found.get(attempt.invocation_id, launches.Launch())
    return conclude(launch, host, over=over)


def _searched(host: str, output_dirs: dict[str, str]) -> dict[str, launches.Launch] | Known:
    """What the cluster has of some launches, or why that leaves all of them open."""
    silent_since, told = _silent.get(host, (0.0, ""))
    if told and time.monotonic() - silent_since < FRESH_SECONDS:
        return Known("open", why=told, state="unreachable")
    try:
        found = launches.search(connection.connection(host), output_dirs)
    except Unreachable as error:
        # Not each of many launches there waits for it again.
        _silent[host] = (time.monotonic(), error.what)
        return Known("open", why=error.what, state="unreachable")
    except ClusterError as error:
        return Known("open", why=str(error), state="unreachable")
    except BadInput as error:
        return Known("open", why=str(error))
    _silent.pop(host, None)
    return found


def conclude(launch: launches.Launch, host: str, *, over: bool = False) -> Known:
    """What follows from what was found.

    Args:
        launch: What the cluster has of it.
        host: Its address.
        over: NEL itself said that it is over.
    """
    run_dir = f"{host}:{launch.directory}" if launch.directory else ""
    if launch.jobs:
        return Known("launched", run_dir, launch.jobs)
    if not launch.queue_answered:
        return Known("open", run_dir, why=f"the scheduler did not answer ({launch.problem})")
    if not launch.directory and not launch.listed:
        return Known("open", why="its output directory cannot be seen")
    if launch.submitting and not over:
        return Known("open", run_dir, why="it is being submitted", state="pending")
    if launch.directory and not over and (launch.age is None or launch.age < IN_FLIGHT_SECONDS):
        why = "its link broke a moment ago: it may still be submitted"
        return Known("open", run_dir, why=why, state="pending")
    return Known("failed", run_dir)
