"""One state for an invocation of several tasks."""

from __future__ import annotations

from collections.abc import Sequence

from .status import State, TaskStatus

LIVE: frozenset[State] = frozenset({"pending", "running", "resuming"})
FINAL: frozenset[State] = frozenset({"succeeded", "failed", "cancelled", "interrupted"})

_ACTIVE: tuple[State, ...] = ("resuming", "running")
_WORST_FIRST: tuple[State, ...] = ("failed", "interrupted", "cancelled", "unreachable", "unknown", "succeeded")


def invocation_state(tasks: Sequence[TaskStatus]) -> State:
    """The state of a whole invocation.

    Running while any task runs or some are still to come after others have ended; else pending; else the worst end of any task.
    """
    states = {task.state for task in tasks}
    if not states:
        return "pending"
    for live in _ACTIVE:
        if live in states:
            return live
    if "pending" in states:
        return "pending" if states == {"pending"} else "running"
    return next(state for state in _WORST_FIRST if state in states)
