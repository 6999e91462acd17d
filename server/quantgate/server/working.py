"""How many calls work at the same time: in all, and of one holder of a token. The others wait for their turn.

A call whose client has gone is given up, but its thread works on until it is done: its place is free only then.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
from anyio.lowlevel import RunVar

T = TypeVar("T")

MOST = 100
"""Threads: calls that wait hold one each."""
MOST_OF_ONE = 25


class _Places:
    """The places of one event loop."""

    def __init__(self) -> None:
        self._all = anyio.Semaphore(MOST)
        self._own: dict[str, anyio.Semaphore] = {}

    async def take(self, holder: str) -> Callable[[], None]:
        """Wait for a place.

        Returns:
            What gives it back, in the thread of the loop.
        """
        own = self._own.setdefault(holder, anyio.Semaphore(MOST_OF_ONE)) if holder else None
        if own is not None:
            await own.acquire()
        try:
            await self._all.acquire()
        except BaseException:
            if own is not None:
                own.release()
            raise

        def give_back() -> None:
            self._all.release()
            if own is not None:
                own.release()

        return give_back


_places: RunVar[_Places] = RunVar("places")


async def in_thread(work: Callable[[], T], holder: str) -> T:
    """The result of some work in a thread, when there is a place for it.

    Args:
        work: It gets a copy of this context.
        holder: Whose call it is; empty where all are one user's.
    """
    try:
        places = _places.get()
    except LookupError:
        places = _Places()
        _places.set(places)
    give_back = await places.take(holder)
    loop = asyncio.get_running_loop()
    begun = threading.Lock()
    """Taken once: by the thread, which then gives the place back, or by a call that was given up before."""

    def worked() -> T:
        if not begun.acquire(blocking=False):
            raise RuntimeError("the call was given up before its work began")
        try:
            return work()
        finally:
            # A loop that has ended needs no place back.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(give_back)

    try:
        # With a limiter of its own: the SDK's would give the place back when the call is given up.
        return await anyio.to_thread.run_sync(worked, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
    finally:
        if begun.acquire(blocking=False):
            give_back()


def holder_of(context: Any) -> str:
    """Whose token a request came with, by the SDK's context of the request; empty without HTTP or tokens."""
    request = context.request_context.request
    user = request.scope.get("user") if request is not None else None
    return str(user.username) if user is not None else ""
