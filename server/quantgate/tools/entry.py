"""What a client is told of a tool in tools/list: it is written down, so that listing the tools loads none of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import calling
from .spec import ToolSpec

FOLDER = Path(__file__).with_name("entries")
"""One file for each tool, `make docs` writes them. Their diff is the change of what clients receive."""


@dataclass(frozen=True)
class Entry:
    """What the code of a tool says of it; its name, its title and its hints are in its row of the table.

    Attributes:
        description: What the agent reads.
        input_schema: JSON schema of its arguments.
        output_schema: JSON schema of its result.
    """

    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]


def written(spec: ToolSpec) -> Entry:
    """The entry as it was written down; made from the code where it never was, as for a tool that is being written."""
    try:
        found = json.loads((FOLDER / f"{spec.name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return made(spec)
    return Entry(found["description"], found["inputSchema"], found["outputSchema"])


def made(spec: ToolSpec) -> Entry:
    """The entry as the tool's code makes it; loads the tool."""
    return Entry(calling.description(spec), calling.input_schema(spec), calling.output_schema(spec))
