"""Passages of a model card that bear on an evaluation, quoted with their lines.

They are data for a person to judge; nothing in them is obeyed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError
from ..redact import redact
from .config_json import read_bytes

MAX_CARD_BYTES = 4 * 1024 * 1024
MAX_QUOTES = 20
MAX_QUOTE = 300
CARD = "README.md"

_TOPICS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (key, re.compile(pattern, re.IGNORECASE))
    for key, pattern in (
        ("deployment.command --reasoning-parser", r"reasoning[-_ ]parser"),
        ("deployment.command --tool-call-parser", r"tool[-_ ](?:call[-_ ])?parser|enable-auto-tool-choice"),
        ("deployment.command", r"\bvllm serve\b|sglang\.launch_server|trtllm-serve|llama-server"),
        ("params.temperature", r"\btemperature\b|\btemp\s*="),
        ("params.top_p", r"\btop[-_ ]?p\b"),
        ("params.max_new_tokens", r"max[-_ ](?:new[-_ ]|output[-_ ])?(?:tokens|length)|output (?:length|tokens)"),
        (
            "deployment.command --max-model-len",
            r"max[-_ ]model[-_ ]len|context (?:length|window)|\bcontext\b.{0,20}\btokens\b",
        ),
        ("chat_template_kwargs", r"enable_thinking|chat_template_kwargs|thinking mode|reasoning[-_ ](?:effort|budget)"),
    )
)


@dataclass(frozen=True)
class Quote:
    """A line of the card: its number from 1, its text (bounded, secrets masked), and the key it would go to."""

    line: int
    quote: str
    key: str


def read_card(directory: Path) -> tuple[list[Quote], int]:
    """The lines of README.md on sampling, lengths, reasoning, parsers and serving commands, and how many were left out.

    Raises:
        CheckpointError: There is a README.md that cannot be read.
    """
    path = directory / CARD
    if not path.exists():
        return [], 0
    text = read_bytes(path, MAX_CARD_BYTES).decode("utf-8", "replace")
    quotes = []
    for number, line in enumerate(text.splitlines(), start=1):
        bounded = line[: 4 * MAX_QUOTE]  # before the patterns, so that a line of megabytes costs nothing
        key = next((key for key, pattern in _TOPICS if pattern.search(bounded)), "")
        if key:
            printable = "".join(c if c.isprintable() else " " for c in redact(bounded)).strip()
            quotes.append(Quote(number, printable[:MAX_QUOTE], key))
    return quotes[:MAX_QUOTES], max(0, len(quotes) - MAX_QUOTES)


def safe_card(directory: Path) -> tuple[list[Quote], int, str]:
    """`read_card`, with a broken card as a sentence instead of an error: the rest of the answer does not need it."""
    try:
        quotes, omitted = read_card(directory)
    except CheckpointError as error:
        return [], 0, str(error)
    return quotes, omitted, ""
