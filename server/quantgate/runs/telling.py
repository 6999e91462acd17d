"""The lines of a failed task's logs that tell the most: the last traceback, or the first line with a known fatal sign."""

from __future__ import annotations

from dataclasses import dataclass

from .logs import read_span
from .rundir import TaskDir
from .scanner.tracebacks import TracebackReader
from .tails import LINE_BYTES, Line, first_fatal, tails

MOST_LINES = 30
MOST_BYTES = 8000
MOST_LOGS = 2
_CONTEXT_LINES = 2
_CHAIN_LINES = 4
"""Tracebacks so close after each other are one chain ("During handling of the above exception …")."""


@dataclass(frozen=True)
class Telling:
    """A few lines of one log, fit to be shown.

    Attributes:
        task: The task's directory name.
        file: The log's name.
        text: The lines, redacted and bounded.
        before: Byte offset where they end: a page of the log `before` it holds them and what is above.
    """

    task: str
    file: str
    text: str
    before: int


def telling_lines(task: TaskDir) -> list[Telling]:
    """The telling lines of a task, of at most two of its logs; empty when no log has any."""
    found: list[Telling] = []
    for log, lines in tails(task):
        if len(found) == MOST_LOGS:
            break
        block = _last_traceback(lines) or _about_fatal(lines)
        if block is not None:
            chosen = lines[max(block[0], block[1] - MOST_LINES) : block[1]]
            end = min(chosen[-1].end, chosen[-1].start + LINE_BYTES)
            entry = read_span(log, max(chosen[0].start, end - MOST_BYTES), end)
            found.append(Telling(task.directory, entry.file, entry.text, end))
    return found


def _last_traceback(lines: list[Line]) -> tuple[int, int] | None:
    reader, begin, last = TracebackReader(), 0, None
    for number, line in enumerate(lines):
        before = reader.inside
        ended = reader.feed(line.text) is not None
        if reader.inside and not before:
            begin = number
        if ended:
            chained = last is not None and begin - last[1] <= _CHAIN_LINES
            last = (last[0] if last is not None and chained else begin, number + 1)
    return last


def _about_fatal(lines: list[Line]) -> tuple[int, int] | None:
    fatal = first_fatal(lines)
    return fatal and (max(0, fatal[0] - _CONTEXT_LINES), min(len(lines), fatal[0] + 1 + _CONTEXT_LINES))
