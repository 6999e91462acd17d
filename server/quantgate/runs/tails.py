"""The ends of the logs that decided how a task ended, line by line, and the first fatal sign in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from .logs import LogFile, deciding_logs
from .opening import open_file
from .rundir import TaskDir
from .sanitise import decode
from .scanner.reading import read_at
from .scanning.signatures import Signature, load_signatures

TAIL_BYTES = 256 * 1024
"""How much of the end of each log is looked at."""
LINE_BYTES = 2000


@dataclass(frozen=True)
class Line:
    """A line of a log, at most `LINE_BYTES` of it, and the byte offsets between which all of it stands."""

    start: int
    end: int
    text: str


def tails(task: TaskDir) -> list[tuple[LogFile, list[Line]]]:
    """The ends of the logs that decided how a task ended; what its export printed is none of them."""
    return [(log, _tail(log)) for log in deciding_logs(task) if log.role != "export"]


def _tail(log: LogFile) -> list[Line]:
    try:
        with open_file(log.path) as file:
            start = max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES)
            raw = read_at(file.fileno(), TAIL_BYTES, start)
    except OSError:
        return []
    lines, offset = [], start
    for piece in raw.split(b"\n"):
        end = min(offset + len(piece) + 1, start + len(raw))
        lines.append(Line(offset, end, decode(piece[:LINE_BYTES])))
        offset = end
    # The first line of a window is the rest of one.
    return [line for line in (lines[1:] if start else lines) if line.end > line.start]


def first_fatal(lines: Sequence[Line]) -> tuple[int, Signature] | None:
    """The number of the first line that shows a known fatal failure, and which; None when none does."""
    table = load_signatures()
    for number, line in enumerate(lines):
        for found in table.judge(line.text)[0]:
            if found.severity == "fatal":
                return number, found
    return None
