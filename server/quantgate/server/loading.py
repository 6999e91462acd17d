"""When the rooms below are loaded: with the first request that may need any of them, and then all in one go.

A client that starts the server and looks at its lists pays for none of them. One go, because Python ends an import with an error
when two threads import a package and a module inside it at the same time, as two first calls side by side would. With it goes
what a killed server left.
"""

from __future__ import annotations

import threading
from typing import Any

import anyio.to_thread
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from .. import scratch, tools

_NEEDING = frozenset({"tools/call", "resources/read", "completion/complete"})
_done = threading.Event()


def _load() -> None:
    tools.load()
    # What resources and completion read; they name it inside functions, for a server that starts.
    from .. import workspaces  # noqa: F401
    from ..benchmarks import catalogue, recipes  # noqa: F401
    from ..compare.report import stored  # noqa: F401
    from ..gates.views import entry  # noqa: F401

    scratch.sweep()


async def before_work(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """The SDK's middleware: whatever may be needed is loaded before such a request is answered."""
    if ctx.method in _NEEDING and not _done.is_set():
        # In a thread: other requests are answered meanwhile.
        await anyio.to_thread.run_sync(_load)
        _done.set()
    return await call_next(ctx)
