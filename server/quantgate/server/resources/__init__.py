"""What the server lets a client read by address (`quantgate://…`).

reports     the reports of comparisons
documents   recipes, references and skills, as they ship
runs        what the ledger says of a launch, and the config that it was made with
"""

from __future__ import annotations

from typing import Any

from mcp.server import MCPServer

from . import documents, reports, runs


def register(server: MCPServer[Any]) -> None:
    """Offer every resource and template."""
    for room in (documents, runs, reports):
        room.register(server)
