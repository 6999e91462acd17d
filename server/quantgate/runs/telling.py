"""The lines of a failed task's logs that tell the most: the last traceback, or the first line with a known fatal sign."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .logs import LogFile, log_files, read_span
from .opening import open_file
from .rundir import TaskDir
from .sanitise import decode
from .scanner.reading import read_at
from .scanner.tracebacks import TracebackReader
from .scanning.signatures import TRACEBACK, load_signatures

TAIL_BYTES = 256 * 1024
"""How much of the end of each log is looked at."""
MOST_LINES = 30
MOST_BYTES = 8000
MOST_LOGS = 2
_CONTEXT_LINES = 2
_CHAIN_LINES = 4
"""Tracebacks so close after each other are one chain ("During handling of the above exception …")."""
_LINE_BYTES = 2000


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


@dataclass(frozen=True)
class _Line:
    start: int
    end: int
    text: str


def telling_lines(task: TaskDir) -> list[Telling]:
    """The telling lines of a task, of at most two of its logs; empty when no log has any."""
    found: list[Telling] = []
    for log in log_files(task):
        if log.role == "export" or len(found) == MOST_LOGS:
            continue
        lines = _tail(log)
        block = _last_traceback(lines) or _first_fatal(lines)
        if block is not None:
            chosen = lines[max(block[0], block[1] - MOST_LINES) : block[1]]
            end = min(chosen[-1].end, chosen[-1].start + _LINE_BYTES)
            entry = read_span(log, max(chosen[0].start, end - MOST_BYTES), end)
            found.append(Telling(task.directory, entry.file, entry.text, end))
    return found


def _tail(log: LogFile) -> list[_Line]:
    try:
        with open_file(log.path) as file:
            start = max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES)
            raw = read_at(file.fileno(), TAIL_BYTES, start)
    except OSError:
        return []
    lines, offset = [], start
    for piece in raw.split(b"\n"):
        end = min(offset + len(piece) + 1, start + len(raw))
        lines.append(_Line(offset, end, decode(piece[:_LINE_BYTES])))
        offset = end
    # The first line of a window is the rest of one.
    return [line for line in (lines[1:] if start else lines) if line.end > line.start]


def _last_traceback(lines: list[_Line]) -> tuple[int, int] | None:
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


def _first_fatal(lines: list[_Line]) -> tuple[int, int] | None:
    table = load_signatures()
    for number, line in enumerate(lines):
        hits, _ = table.judge(line.text)
        if any(h.severity == "fatal" and h.name != TRACEBACK for h in hits):
            return max(0, number - _CONTEXT_LINES), min(len(lines), number + 1 + _CONTEXT_LINES)
    return None
