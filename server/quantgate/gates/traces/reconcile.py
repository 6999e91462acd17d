"""Launches that a server left open: what became of them, by the evidence.

A launch is written down before it is made. If its server dies, the entry stays "launching"; whoever looks next finds out:

1. something of it began to run -> launched;
2. a process holds its launch lock, so it may still be started -> launching;
3. it began by NEL's record or still runs, and its directory cannot be seen -> launching, until that is seen again or is ended;
4. none of these -> failed, and nothing of it runs or will.

No clock decides, except over launches of another machine, whose locks cannot be seen from here. For one on a cluster, the cluster
is asked in between (`remote_launches`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import time

from ...errors import StorageError
from ...launcher import door, launch_lock
from .. import ledger
from ..planning import plan
from . import evidence, remains, remote_launches

LEFT = "the server ended before NEL had started it; nothing runs"
GRACE_SECONDS = 30.0
"""Added to the time limit of a launch where only its age can be judged."""


def settle(attempt: ledger.Attempt, reason: str = LEFT, said: remote_launches.Said = "uncertain") -> ledger.Attempt:
    """An attempt as it turned out (`verdict`); written to the ledger when it is known and nobody wrote it before."""
    known = verdict(attempt, reason, said)
    if known is not attempt:
        # What was found holds even if the disk is too full to write it down now: the next look finds it again.
        with contextlib.suppress(StorageError):
            ledger.settle_attempt(known.invocation_id, known.outcome, known.run_dir, known.error)
    return known


def verdict(attempt: ledger.Attempt, reason: str = LEFT, said: remote_launches.Said = "uncertain") -> ledger.Attempt:
    """An attempt as it turned out; nothing is written.

    Args:
        attempt: Any attempt; one that is not open comes back as it is.
        reason: What the ledger says when nothing was started.
        said: What NEL itself said of its end; counts for a launch on a cluster only.

    Returns:
        Still "launching" when it may yet start, and when it cannot be known from here (another machine, another executor).
    """
    if attempt.outcome != ledger.LAUNCHING or attempt.executor not in plan.LAUNCHED_HERE:
        return attempt
    # In this order: a start that was not on disk before the lock was let go is on disk after it.
    open_still = may_start(attempt)
    directory = evidence.started_dir(attempt)
    if directory:
        return dataclasses.replace(attempt, outcome="launched", run_dir=directory, error="")
    if open_still or not _locks_are_seen(attempt, or_old=True):
        return attempt
    if attempt.executor == plan.SLURM:
        known = remote_launches.look(attempt, said)
        if known.outcome != "failed":
            return dataclasses.replace(attempt, outcome="launched", run_dir=known.run_dir) if known.jobs else attempt
    elif remains.unseen(attempt):
        return attempt
    return dataclasses.replace(attempt, outcome="failed", run_dir="", error=reason)


def settle_all() -> None:
    """Settle every open attempt; one indexed query when there is none."""
    found = ledger.open_attempts()
    # As in `verdict`: that nobody can start it is seen before the cluster is searched.
    over = [a for a in found if a.executor == plan.SLURM and not may_start(a) and _locks_are_seen(a, or_old=True)]
    unseen = [a for a in over if not evidence.started_dir(a)]
    if len(unseen) > 1:
        remote_launches.look_ahead(unseen)
    for attempt in found:
        settle(attempt)


def may_start(attempt: ledger.Attempt) -> bool:
    """Whether an open attempt may still be started by somebody.

    For a launch of another machine with locks of its own, and for one that was written before there were locks: whether it is
    younger than a launch may take. A creation in the future, by a clock that was set, counts as old beyond the same limit.
    """
    if attempt.outcome != ledger.LAUNCHING:
        return False
    if _locks_are_seen(attempt):
        return launch_lock.held(attempt.invocation_id)
    return abs(time.time() - attempt.created) <= door.LAUNCH_SECONDS + GRACE_SECONDS


def may_begin(attempt: ledger.Attempt) -> bool:
    """Whether an attempt of which nothing is on disk yet may still begin.

    As `may_start`; one that NEL has taken begins as long as its runner holds the lock. True where that cannot be seen from here.
    """
    if attempt.outcome != "launched":
        return may_start(attempt)
    here = attempt.executor in plan.LOCAL and _locks_are_seen(attempt)
    return not here or launch_lock.held(attempt.invocation_id)


def _locks_are_seen(attempt: ledger.Attempt, *, or_old: bool = False) -> bool:
    """Whether the lock of an attempt could be seen from here; with `or_old`, also for one from before there were locks."""
    if not attempt.host:
        return or_old
    return attempt.host == socket.gethostname() or launch_lock.shared()
