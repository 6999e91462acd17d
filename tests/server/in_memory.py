"""The real server and the SDK's client in one process, in either generation of the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from mcp import Client

from quantgate import server
from quantgate.tools.spec import ToolResult, ToolSpec

MODES = pytest.mark.parametrize("mode", ["legacy", "auto"])
"""The handshake of 2025-11-25, and the sessionless 2026-07-28."""


def with_client(mode: Any, use: Any, *, read_only: bool = False, **callbacks: Any) -> Any:
    """What `use(client)` gives."""

    async def go() -> Any:
        async with Client(server.build(read_only=read_only), mode=mode, **callbacks) as client:
            return await use(client)

    return anyio.run(go)


def read(mode: Any, uri: str, *, read_only: bool = False) -> Any:
    """The one content of a resource."""
    (content,) = with_client(mode, lambda client: client.read_resource(uri), read_only=read_only).contents
    return content


@dataclass(frozen=True)
class MadeTool(ToolSpec):
    """A row of the table whose function stands in a test: it stands in for a tool that does what no real one can be made to do."""

    made: Callable[..., ToolResult] = ToolResult

    @property
    def function(self) -> Callable[..., ToolResult]:
        return self.made
