"""Progress of a call that takes its time: a sign of life for the client, at most every two seconds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio

from .. import activity

T = TypeVar("T")

FIRST_SECONDS = 1.5
"""What is answered sooner needs no sign of life."""
EVERY_SECONDS = 2.0


async def reported(title: str, context: Any, most: float, work: Callable[[], Awaitable[T]]) -> T:
    """The result of some work, with progress told to the client while it lasts (if the client asked for it).

    The progress is the time that has passed, in seconds: it grows, and promises no end where none is known.

    Args:
        title: What goes on, for people.
        context: The SDK's context of the request.
        most: Seconds that the work was asked to wait at most; 0 where it was not.
        work: What is awaited.
    """
    began = time.monotonic()

    async def tell() -> None:
        await anyio.sleep(FIRST_SECONDS)
        # A client that has gone gets none; that ends the telling, not the work.
        with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            while True:
                passed = round(time.monotonic() - began, 1)
                limit = f" of at most {most:.0f} s" if most else " s"
                doing = f"; {doing_now.text}" if doing_now.text else ""
                # A wait may end a moment late: a total below the progress would be no total.
                total = max(most, passed) if most else None
                await context.report_progress(passed, total, f"{title}: {passed:.0f}{limit}{doing}")
                await anyio.sleep(EVERY_SECONDS)

    failed: Exception | None = None
    # The thread of the work gets a copy of this context, and says into the same activity what it does.
    with activity.heard() as doing_now:
        async with anyio.create_task_group() as group:
            group.start_soon(tell)
            try:
                found = await work()
            except Exception as error:  # noqa: BLE001 - raised again below: the group would wrap it in one of its own
                failed = error
            group.cancel_scope.cancel()
    if failed is not None:
        raise failed
    return found
