"""Waiting for runs without outstaying a client's patience."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ... import activity, children
from ...runs.invocation import FINAL, LIVE
from ...runs.sanitise import one_line
from .. import ledger
from ..judgement import judging
from ..traces import lookup, remote_views
from .pulse import Pulse, pulse

LONGEST_WAIT = 45
"""Seconds: several clients end a call after 60."""
POLL_SECONDS = 1.0
MOST_TOLD = 3
TOLD_CHARACTERS = 200
LOOK_SECONDS = 5.0
"""Between two whole looks while nothing seems to change; what only time tells (logs that went quiet) is seen by them."""
CLUSTER_SECONDS = 15.0
"""The same for a run on a cluster, where each look asks the scheduler of all its users twice (queue and accounting)."""
CLUSTER_SHARE = 10
"""A cluster that takes long to answer is busy: it is left alone for so many times as long."""


def views(invocation_ids: Sequence[str]) -> list[judging.View]:
    """The runs as they stand.

    Raises:
        BadInput: A name is none of a run.
    """
    with ledger.kept():
        runs = [lookup.find(i) for i in invocation_ids]
    return _views(runs)


def _views(runs: Sequence[lookup.Run]) -> list[judging.View]:
    """Each cluster is asked once for all of its runs."""
    remote_views.look_ahead(runs)
    return [judging.view(run) for run in runs]


def ended(view: judging.View) -> bool:
    """Whether nothing more can come of a run: every task has ended, or there is nothing left to look at."""
    return view.state in FINAL or (view.run.directory is None and view.run.remote is None and view.state not in LIVE)


def _settled(view: judging.View) -> bool:
    """Whether a run has ended, and nothing of it waits in a queue that would keep it from being resumed."""
    return ended(view) and not view.left_queued


def until_final(invocation_ids: Sequence[str], seconds: float) -> list[judging.View]:
    """Wait until every run has ended, at most `seconds`."""
    return _until(invocation_ids, seconds, lambda _, now: all(map(ended, now)))


def until_change(invocation_ids: Sequence[str], seconds: float, found: Sequence[lookup.Run] = ()) -> list[judging.View]:
    """Wait until a state or a reason changes or every run has ended, at most `seconds`; progress alone is no change.

    A run that failed while a job of it is still in the queue is waited for too: it cannot be resumed before that job has left.

    Args:
        invocation_ids: Ids or run directories.
        seconds: At most `LONGEST_WAIT` of them.
        found: The runs of these names when the caller has just found them; the first look is at them.
    """

    def changed(first: list[judging.View], now: list[judging.View]) -> bool:
        return all(map(_settled, now)) or _states(first) != _states(now)

    return _until(invocation_ids, seconds, changed, found)


def _states(runs: list[judging.View]) -> list[tuple[str, ...]]:
    return [(v.state, *(f"{t.task} {t.state} {_lasting(t.state, t.reason)}" for t in v.tasks)) for v in runs]


def _lasting(state: str, reason: str) -> str:
    # What follows the colon of a pending task is the last line of an installation, and what is not known tells for how many
    # minutes: both change all the time.
    if state == "unknown":
        return ""
    return reason.partition(":")[0].partition("; the scheduler expects")[0] if state == "pending" else reason


def _until(
    invocation_ids: Sequence[str],
    seconds: float,
    done: Callable[[list[judging.View], list[judging.View]], bool],
    found: Sequence[lookup.Run] = (),
) -> list[judging.View]:
    deadline = time.monotonic() + min(max(seconds, 0), LONGEST_WAIT)
    began = time.monotonic()
    first = now = _views(found) if found else views(invocation_ids)
    if seconds <= 0:
        return now
    # What changed here during the first look is found by another one; of a cluster there is no sign that could tell.
    sign = _pulse(now) if all(view.run.remote is not None for view in now) else None
    looked = time.monotonic()
    took = looked - began
    while not done(first, now):
        activity.say(_told(now))
        left = deadline - time.monotonic()
        # A cluster that takes long to answer, or to be given up, must not hold the caller beyond its patience.
        if left <= 0 or (took > POLL_SECONDS and left < took) or children.wait(min(POLL_SECONDS, left)):
            break
        seen = _pulse(now)
        # Where a look takes long, the last one begins while there is time for it.
        last = left <= POLL_SECONDS or (took > POLL_SECONDS and left <= took + 2 * POLL_SECONDS)
        fresh = time.monotonic() - looked < pause(now, took) and not last
        if seen is not None and seen == sign and fresh:
            continue
        # The sign is taken before the look: what changes during the look is seen by the next one.
        sign, looked = seen, time.monotonic()
        now = views(invocation_ids)
        took = time.monotonic() - looked
    return now


def pause(runs: Sequence[judging.View], took: float = 0.0) -> float:
    """Seconds between two whole looks at some runs.

    Args:
        runs: As they were seen last.
        took: Seconds of that look.
    """
    if any(view.run.remote is not None for view in runs if not _settled(view)):
        return max(CLUSTER_SECONDS, CLUSTER_SHARE * took)
    return LOOK_SECONDS


def _told(runs: Sequence[judging.View]) -> str:
    """The tasks that are not over, in one line."""
    tasks = [
        f"{t.task} {t.state}{_share(t.samples_done, t.samples_expected)}"
        for view in runs
        for t in view.tasks
        if t.state in LIVE
    ]
    more = f" and {len(tasks) - MOST_TOLD} more" if len(tasks) > MOST_TOLD else ""
    return one_line("; ".join(tasks[:MOST_TOLD]) + more, TOLD_CHARACTERS)


def _share(done: int | None, expected: int | None) -> str:
    if done is None:
        return ""
    return f" ({done} of {expected} samples)" if expected else f" ({done} samples)"


def _pulse(runs: Sequence[judging.View]) -> Pulse | None:
    """None while a run has no directory yet: then only a look can tell."""
    parts: list[object] = []
    for view in runs:
        if view.run.directory is not None:
            parts.append(pulse(view.run.directory))
        elif view.run.remote is not None:
            parts.append(view.run.remote.address)  # nothing cheap tells: looked at every `CLUSTER_SECONDS`
        elif not ended(view):
            return None
    return tuple(parts)
