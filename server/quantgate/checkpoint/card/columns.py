"""Tables of a model card whose header row names the settings and whose rows give a value of each, one row for each mode."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from .text import MAX_LINE
from .topics import Topic, squash
from .values import MAX_PER_LINE, Hit, in_cell

MAX_WORDS = 4
"""Words of a header cell that is a setting, not a benchmark that was run with it."""
_BAR = re.compile(r"(?<!\\)\|")
_MEASURED = re.compile(r"\d|/|\b(?:per|avg|average|mean|median|cost|price|speed|used)\b", re.IGNORECASE)


def is_header(lines: Sequence[str], at: int) -> bool:
    """Whether the line is the header row of a table: the next one is its rule (`| --- | --- |`)."""
    return at + 1 < len(lines) and "|" in lines[at][:MAX_LINE] and is_rule(lines[at + 1])


def is_rule(line: str) -> bool:
    """Whether the line is the rule below a table's header row."""
    text = line[:MAX_LINE]
    return "-" in text and "|" in text and not text.strip("|:- \t\r")


def columns(line: str, topics: Sequence[Topic]) -> dict[int, Topic]:
    """The columns that a header row gives to a topic with values, by their place from 0.

    Args:
        line: From `card_text.shown`.
        topics: Those to look for.
    """
    numeric = [topic for topic in topics if topic.kind in {"number", "tokens"}]
    found = {}
    for place, (start, end) in enumerate(_cells(line)):
        cell = line[start:end]
        if len(cell.split()) > MAX_WORDS or _MEASURED.search(cell):
            continue
        about = [topic for topic in numeric if _names(topic, cell)]
        if len(about) == 1:
            found[place] = about[0]
    return found


def row(line: str, named: Mapping[int, Topic]) -> list[Hit]:
    """The values of a row, each with the key of its column; at most MAX_PER_LINE.

    Args:
        line: From `card_text.shown`.
        named: From `columns`.
    """
    hits = [
        hit
        for place, (start, end) in enumerate(_cells(line))
        if place in named
        for hit in in_cell(line, named[place], start, end)
    ]
    return hits[:MAX_PER_LINE]


def _names(topic: Topic, cell: str) -> bool:
    match = topic.pattern.search(cell)
    # "Context" is a column's name only when it is all of it.
    return match is not None and (not match.groupdict().get("counted") or squash(match[0]) == squash(cell))


def _cells(line: str) -> Iterator[tuple[int, int]]:
    """Where each cell begins and ends; the bars at both ends of the line are optional."""
    start = 1 if line.startswith("|") else 0
    for bar in _BAR.finditer(line, start):
        yield start, bar.start()
        start = bar.end()
    if start < len(line):
        yield start, len(line)
