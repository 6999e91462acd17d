"""Waiting for runs without outstaying a client's patience."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .. import children
from ..runs.invocation import FINAL
from . import judging, lookup

LONGEST_WAIT = 45
"""Seconds: several clients end a call after 60."""
POLL_SECONDS = 1.0


def views(invocation_ids: Sequence[str]) -> list[judging.View]:
    """The runs as they stand."""
    return [judging.view(lookup.find(i)) for i in invocation_ids]


def until_final(invocation_ids: Sequence[str], seconds: float) -> list[judging.View]:
    """Wait until every run is finished, at most `seconds`."""
    return _until(invocation_ids, seconds, lambda _, now: all(v.state in FINAL for v in now))


def until_change(invocation_ids: Sequence[str], seconds: float) -> list[judging.View]:
    """Wait until a state or a reason changes or every run is finished, at most `seconds`; progress alone is no change."""

    def changed(first: list[judging.View], now: list[judging.View]) -> bool:
        return all(v.state in FINAL for v in now) or _states(first) != _states(now)

    return _until(invocation_ids, seconds, changed)


def _states(runs: list[judging.View]) -> list[tuple[str, ...]]:
    return [(v.state, *(t.state for t in v.tasks)) for v in runs]


def _until(
    invocation_ids: Sequence[str], seconds: float, done: Callable[[list[judging.View], list[judging.View]], bool]
) -> list[judging.View]:
    deadline = time.monotonic() + min(max(seconds, 0), LONGEST_WAIT)
    first = now = views(invocation_ids)
    while not done(first, now):
        left = deadline - time.monotonic()
        if left <= 0 or children.wait(min(POLL_SECONDS, left)):
            break
        now = views(invocation_ids)
    return now
