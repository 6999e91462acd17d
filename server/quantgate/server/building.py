"""The MCP server, whatever it is reached by."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator

from mcp.server import MCPServer

from .. import __version__, redact
from . import completion, ending, loading, prompts, resources
from .icon import icons
from .offering import Offer
from .table import as_tool


@contextlib.asynccontextmanager
async def _lifespan(server: MCPServer[None]) -> AsyncIterator[None]:
    del server
    try:
        yield
    finally:
        ending.clean_up()


def build(*, read_only: bool = False, may_grant: bool = True) -> MCPServer[None]:
    """The server with the table's tools, resources, prompts and completion; it imports nothing of NEL, and no tool yet.

    Args:
        read_only: Offer only what changes nothing.
        may_grant: Ask who calls where a person's yes is missing.
    """
    offer = Offer(read_only, may_grant)
    server: MCPServer[None] = MCPServer(
        name="quantgate",
        title="quantgate",
        version=__version__,
        instructions=offer.instructions,
        icons=icons(),
        tools=[as_tool(spec, offer) for spec in offer.specs],
        lifespan=_lifespan,
        log_level="WARNING",
        middleware=[loading.before_work],
    )
    resources.register(server)
    prompts.register(server, offer)
    completion.register(server)
    for handler in logging.getLogger().handlers:
        if not any(isinstance(f, redact.RedactingFilter) for f in handler.filters):
            handler.addFilter(redact.RedactingFilter())
    return server
