"""What leaves of a tool's result, over MCP and on the command line: no secrets, no hidden characters, a word on orders."""

from __future__ import annotations

from typing import Any

from .. import redact, visible
from . import orders
from .spec import ToolResult


def answer(result: ToolResult) -> dict[str, Any]:
    """The result as JSON, as it may be shown to anybody who may call the tool."""
    clean: dict[str, Any] = visible.value(redact.redact_value(result.model_dump(mode="json")))
    clean["warnings"] += orders.warning(clean)
    return clean
