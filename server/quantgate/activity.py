"""What a call that takes its time is doing, for whoever waits for it: work says it, and a server may listen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Activity:
    """The last thing that was said; empty while nothing was."""

    text: str = ""


_heard: ContextVar[Activity | None] = ContextVar("heard", default=None)


@contextlib.contextmanager
def heard() -> Iterator[Activity]:
    """What is said in the block, and in the threads that are started in it with a copy of its context."""
    activity = Activity()
    token = _heard.set(activity)
    try:
        yield activity
    finally:
        _heard.reset(token)


def say(text: str) -> None:
    """Tell what is going on; for nobody when nobody listens.

    Args:
        text: One short line, fit to be shown: without secrets.
    """
    activity = _heard.get()
    if activity is not None:
        activity.text = text
