"""A caller's own regular expression over logs, by grep: it does not backtrack, so no pattern hangs the server."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..errors import BadInput, StorageError
from .pieces import read_blocks

PATTERN_CLASS = "pattern"
MAX_PATTERN = 200
MAX_MATCHES = 10_000
"""Matching lines of one file that are counted."""
SECONDS_PER_FILE = 60.0


@dataclass(frozen=True)
class PatternMatch:
    """A line that matched, raw: file label, line number and bytes."""

    file: str
    line: int
    text: bytes


@dataclass(frozen=True)
class PatternCount:
    """How many lines matched and the first of them.

    Attributes:
        count: Matching lines (pieces, of lines over 64 KB).
        first: The first matches.
        cut_short: Whether a limit of lines or time ended the count.
    """

    count: int
    first: tuple[PatternMatch, ...]
    cut_short: bool


class _LineNumbers:
    """From the number of a piece, from 1, to the number of its line; holds only where the two part company."""

    def __init__(self) -> None:
        self._pieces = [0]
        self._lines = [0]
        self._last = (0, 0)

    def next_is(self, line: int) -> None:
        piece, before = self._last
        self._last = (piece + 1, line)
        if line != before + 1:
            self._lines.append(line)
            self._pieces.append(piece + 1)

    def of(self, piece: int) -> int:
        at = bisect_right(self._pieces, piece, hi=len(self._lines)) - 1
        return self._lines[at] + piece - self._pieces[at]


def grep(files: Iterable[tuple[str, Path]], pattern: str, keep: int) -> PatternCount:
    """Count the lines of files that match an extended regular expression, in any case.

    Args:
        files: Label and path of each.
        pattern: Passed to grep as data.
        keep: How many matches to return.

    Raises:
        BadInput: The pattern is too long, holds a line break, or grep does not accept it.
        StorageError: There is no grep on this machine.
    """
    if len(pattern) > MAX_PATTERN or any(c in pattern for c in "\n\r\0"):
        raise BadInput(f"The pattern is one line of at most {MAX_PATTERN} characters", fix="shorten it")
    count, cut = 0, False
    first: list[PatternMatch] = []
    for label, path in files:
        found, matches, short = _grep_file(label, path, pattern, keep - len(first))
        count, cut = count + found, cut or short
        first.extend(matches)
    return PatternCount(count, tuple(first), cut)


def _grep_file(label: str, path: Path, pattern: str, keep: int) -> tuple[int, list[PatternMatch], bool]:
    command = ["grep", "-a", "-n", "-i", "-E", "-m", str(MAX_MATCHES), "-e", pattern]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin:/usr/local/bin"},
        )
    except FileNotFoundError as error:
        raise StorageError("There is no grep on this machine", fix="install it, or leave `pattern` empty") from error
    numbers = _LineNumbers()
    timer = threading.Timer(SECONDS_PER_FILE, process.kill)
    with process:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise StorageError("grep could not be started", fix="leave `pattern` empty")
        feeder = threading.Thread(target=_feed, args=(process.stdin, path, numbers), daemon=True)
        timer.start()
        feeder.start()
        count = 0
        matches: list[PatternMatch] = []
        for row in process.stdout:
            count += 1
            if len(matches) < keep:
                number, _, text = row.rstrip(b"\n").partition(b":")
                matches.append(PatternMatch(label, numbers.of(int(number)), text))
        feeder.join()
        complaint = process.stderr.read(500).decode("utf-8", "replace").strip()
    timer.cancel()
    if process.returncode == 2:
        raise BadInput("grep does not accept the pattern", where=complaint, fix="give an extended regular expression")
    return count, matches, count >= MAX_MATCHES or process.returncode < 0


def _feed(stdin: IO[bytes], path: Path, numbers: _LineNumbers) -> None:
    # grep ends early at its match limit, when killed, or when it refuses the pattern.
    with contextlib.suppress(BrokenPipeError, OSError), stdin:
        for block in read_blocks(path, path.stat().st_size):
            for piece in block.pieces():
                # Before the write: grep may answer at once.
                numbers.next_is(piece.line)
                stdin.write(piece.raw + b"\n")
