"""The text of a model card: lines that are fit to be shown, its front matter, its commands. All of it is untrusted."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from ...redact import redact

MAX_LINE = 1000
"""Characters of a line that are looked at."""
MAX_FRONT = 500
"""Lines that front matter may have."""
MAX_FRONT_VALUES = 5
MAX_COMMAND_LINES = 60
MAX_LEAD_LINES = 10
"""Lines of a command before the one that names the server (`VARIABLE=1 \\`, `docker run \\`)."""

_ESCAPES = re.compile(r"\x1b\[[0-?]{0,20}[ -/]{0,5}[@-~]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)?|\x9b[0-?]{0,20}[@-~]")
_FIELD = re.compile(r"([A-Za-z_]{1,40})[ \t]*:[ \t]*(.{0,300})")


@dataclass(frozen=True)
class FrontValue:
    """A value of the front matter, with its line (from 1)."""

    line: int
    field: str
    value: str


def split_lines(data: bytes) -> list[str]:
    """The lines of a card, whatever ends them; what is not UTF-8 becomes U+FFFD."""
    text = data.decode("utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def shown(line: str, limit: int = MAX_LINE) -> str:
    """A line that can be shown: no escapes, no invisible or reordering characters, secrets masked, bounded."""
    text = _ESCAPES.sub("", line[:limit])
    text = "".join(c if c.isprintable() else "" if unicodedata.category(c) == "Cf" else " " for c in text)
    return redact(" ".join(text.split()))


def front_matter_end(lines: Sequence[str]) -> int:
    """How many lines the YAML between two `---` at the top takes; 0 without front matter."""
    if not lines or lines[0].strip() != "---":
        return 0
    for at, line in enumerate(lines[1 : MAX_FRONT + 1], start=1):
        if line.strip() in {"---", "..."}:
            return at + 1
    return 0


def front_matter(lines: Sequence[str], fields: set[str]) -> list[FrontValue]:
    """Some fields of the front matter, read line by line.

    No YAML parser: aliases of a hostile file could grow without end, and plain values and lists are all that is wanted.
    """
    found: list[FrontValue] = []
    field = ""
    for number, line in enumerate(lines[1 : max(0, front_matter_end(lines) - 1)], start=2):
        bounded = line[:MAX_LINE]
        match = _FIELD.match(bounded)
        if match:
            field = match[1] if match[1] in fields else ""
            texts = match[2].strip().removeprefix("[").removesuffix("]").split(",") if field else []
        else:
            texts = [bounded.strip()[1:]] if field and bounded.lstrip().startswith("- ") else []
        for text in texts[:MAX_FRONT_VALUES]:
            value = shown(text, 200).strip("\"' ")
            if value and sum(v.field == field for v in found) < MAX_FRONT_VALUES:
                found.append(FrontValue(number, field, value))
    return found


def command_span(lines: Sequence[str], at: int, first: int) -> tuple[int, int]:
    """The lines of the command that line `at` belongs to, by the backslashes that join them: start, and end (exclusive).

    Args:
        lines: Of the card.
        at: Index of the line that names the server.
        first: Index before which the command cannot begin.
    """
    start, end = at, at + 1
    while start > max(first, at - MAX_LEAD_LINES) and _goes_on(lines[start - 1]):
        start -= 1
    while end < min(len(lines), at + MAX_COMMAND_LINES) and _goes_on(lines[end - 1]):
        end += 1
    return start, end


def _goes_on(line: str) -> bool:
    # Only the end is looked at: a line may have megabytes.
    return line[-20:].rstrip().endswith("\\")


def joined(lines: Sequence[str], limit: int) -> str:
    """A command of several lines as one, bounded; an ellipsis shows the cut."""
    parts = [shown(line).removesuffix("\\").strip(" `") for line in lines]
    text = redact(" ".join(part for part in parts if part))
    return text if len(text) <= limit else text[: limit - 1] + "…"
