"""JSON Lines from a harness: streamed, bounded, and honest about the lines that cannot be read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_LINE_BYTES = 32 << 20
MAX_LINES = 2_000_000
MAX_PROBLEMS = 5


@dataclass(frozen=True)
class JsonLines:
    """The objects of a file.

    Attributes:
        rows: One dict per readable line, in order.
        problems: What could not be read, at most five, each with its line.
        bad: How many lines could not be read.
    """

    rows: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    bad: int


def read_jsonl(path: Path) -> JsonLines:
    """Read a file of one JSON object per line; a line that is cut off or not an object is a problem, not an end.

    Raises:
        OSError: The file cannot be opened or read.
    """
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    bad = 0
    with path.open("rb") as file:
        for number in range(1, MAX_LINES + 2):
            raw = file.readline(MAX_LINE_BYTES)
            if not raw:
                break
            problem = ""
            if number > MAX_LINES:
                problem = f"{path.name} has more than {MAX_LINES} lines"
            elif not raw.endswith(b"\n") and len(raw) >= MAX_LINE_BYTES:
                problem = f"{path.name}:{number} is longer than {MAX_LINE_BYTES >> 20} MB; the rest was not read"
            if problem:
                return JsonLines(tuple(rows), (*problems, problem)[-MAX_PROBLEMS:], bad + 1)
            if not raw.strip():
                continue
            row, why = _object(raw)
            if row is not None:
                rows.append(row)
                continue
            bad += 1
            if len(problems) < MAX_PROBLEMS:
                problems.append(f"{path.name}:{number} {why}")
    return JsonLines(tuple(rows), tuple(problems), bad)


def _object(raw: bytes) -> tuple[dict[str, Any] | None, str]:
    try:
        row = json.loads(raw)
    except (ValueError, RecursionError):
        return None, "is not JSON" if raw.endswith(b"\n") else "is cut off"
    return (row, "") if isinstance(row, dict) else (None, "is not a JSON object")
