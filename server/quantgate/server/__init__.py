"""The table of tools becomes an MCP server."""

from __future__ import annotations

from .building import build
from .stdio import serve

__all__ = ["build", "serve"]
