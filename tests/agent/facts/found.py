"""What a fact gives, and how values are matched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..transcript import Call

SHOWN = 160
"""Characters of evidence that are shown."""


@dataclass(frozen=True)
class Found:
    """Whether the fact holds, and what shows it."""

    ok: bool
    evidence: str


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text, in any case and across lines."""
    return re.search(pattern, text, re.IGNORECASE | re.DOTALL) is not None


def first_match(pattern: str, text: str) -> int:
    """Where the pattern is found first; -1 when it is not."""
    found = re.search(pattern, text, re.IGNORECASE | re.DOTALL)
    return found.start() if found else -1


def written(value: Any) -> str:
    """A value as patterns see it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def at_path(value: Any, path: str) -> Iterator[Any]:
    """The values at a dotted path; `*` is any key or index, a number an index. A key may hold dots of its own."""
    if not path:
        yield value
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            name = str(key)
            if path == name or path.startswith(name + "."):
                yield from at_path(inner, path[len(name) + 1 :])
            elif path == "*" or path.startswith("*."):
                yield from at_path(inner, path[2:])
    elif isinstance(value, list):
        head, _, rest = path.partition(".")
        for index, inner in enumerate(value):
            if head in {"*", str(index)}:
                yield from at_path(inner, rest)


def fits(call: Call, tool: str, having: Mapping[str, str]) -> bool:
    """Whether it is a call of this tool whose arguments match.

    An argument that is not given matches as an empty text. A config is matched as it was given and by its whole path.
    """
    if not re.fullmatch(tool, call.tool):
        return False
    for name, pattern in having.items():
        seen = [written(call.arguments.get(name, "")), *([call.config] if name == "config" and call.config else [])]
        if not any(matches(pattern, text) for text in seen):
            return False
    return True


def shown(text: Any) -> str:
    """The beginning of a text or value, on one line."""
    flat = " ".join(written(text).split())
    return flat if len(flat) <= SHOWN else flat[: SHOWN - 1] + "…"


def shown_call(call: Call) -> str:
    """A call on one line, with its place in the transcript."""
    return f"#{call.index} {call.tool}({shown(call.arguments)})" + ("" if call.ok else " – refused")
