"""The table of tools becomes an MCP server: resources, prompts, completion, forms and progress, over stdio and HTTP (`http/`)."""

from __future__ import annotations

from .building import build
from .stdio import serve

__all__ = ["build", "serve"]
