"""The logs of a task: which there are, and pages of them by byte offset, from the end."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import BadInput
from ..redact import redact
from .rundir import TaskDir
from .sanitise import decode

Role = Literal["client", "server", "slurm", "proxy", "export", "install", "runner"]

MAX_LINES = 500
MAX_BYTES = 64 * 1024
"""The most of a log that one answer holds, before decoding."""
MAX_FILES = 200

_BLOCK_BYTES = 16 * 1024
_CONTEXT_BYTES = 8 * 1024
"""Read beside a page so that a secret that the page's edge cuts is still recognised; a private key fits."""

_ROLES: tuple[tuple[re.Pattern[str], Role], ...] = (
    (re.compile(r"client(_stdout|-.*)?\.log"), "client"),
    (re.compile(r"server(_stdout|-.*)?\.log"), "server"),
    (re.compile(r"slurm-.*\.(log|out)"), "slurm"),
    (re.compile(r"proxy.*\.log"), "proxy"),
    (re.compile(r"export.*\.log"), "export"),
    (re.compile(r"install\.log"), "install"),
    (re.compile(r".*\.log"), "runner"),
)
_ORDER: tuple[Role, ...] = ("client", "server", "runner", "install", "slurm", "proxy", "export")


@dataclass(frozen=True)
class LogFile:
    """One log of a task.

    Attributes:
        task: The task's directory name.
        path: The file.
        role: Whose output it is; "runner" is what the launcher's own script printed.
        size: In bytes, when it was listed.
        modified: Seconds since the epoch.
    """

    task: str
    path: Path
    role: Role
    size: int
    modified: float


@dataclass(frozen=True)
class LogEntry:
    """A page of a log, fit to be shown.

    Attributes:
        task: The task's directory name.
        file: The file's name.
        text: Whole lines where the caps allow it.
        bytes_total: The file's size at the time of reading.
        next_before: `before` of the page that precedes this one; 0 when this page begins the file.
    """

    task: str
    file: str
    text: str
    bytes_total: int
    next_before: int


def log_files(task: TaskDir) -> list[LogFile]:
    """The logs of a task: the client's first; within a role the newest first."""
    found: list[LogFile] = []
    try:
        with os.scandir(task.logs) as entries:
            for entry in entries:
                role = next((r for pattern, r in _ROLES if pattern.fullmatch(entry.name)), None)
                if role is not None and entry.is_file():
                    stat = entry.stat()
                    found.append(LogFile(task.directory, Path(entry.path), role, stat.st_size, stat.st_mtime))
    except OSError:
        # Not started, or gone: `task_status` says which.
        return []
    found.sort(key=lambda f: (_ORDER.index(f.role), -f.modified, f.path.name))
    return found[:MAX_FILES]


def read_tail(file: LogFile, lines: int = 50, before: int = 0) -> LogEntry:
    """The last lines of a log that end before a byte offset; the file is read from there backwards, never as a whole.

    Args:
        file: From `log_files`.
        lines: At most this many, 1 to 500.
        before: Byte offset; 0 for the end of the file.

    Raises:
        BadInput: The file cannot be read, or the offset is negative.
    """
    if before < 0:
        raise BadInput(f"before={before} is not an offset", fix="pass next_before of the last answer, or 0 for the end")
    try:
        with file.path.open("rb") as handle:
            total = os.fstat(handle.fileno()).st_size
            end = min(before or total, total)
            start = _page_start(handle.fileno(), end, max(1, min(lines, MAX_LINES)))
            context_start = max(0, start - _CONTEXT_BYTES)
            raw = os.pread(handle.fileno(), min(total, end + _CONTEXT_BYTES) - context_start, context_start)
    except OSError as error:
        raise BadInput(f"The log {file.path.name} cannot be read: {error.strerror}", where=str(file.path)) from error
    text = _redacted_middle(raw, start - context_start, end - context_start)
    return LogEntry(file.task, file.path.name, text, total, start)


def _page_start(descriptor: int, end: int, lines: int) -> int:
    """Where the page of so many lines begins that ends at `end`."""
    position, page = end, b""
    while position > 0 and len(page) < MAX_BYTES:
        size = min(_BLOCK_BYTES, position, MAX_BYTES - len(page))
        position -= size
        page = os.pread(descriptor, size, position) + page
        # The newline that ends the last line begins no further one.
        if page.count(b"\n", 0, len(page) - 1) >= lines:
            break
    cut = len(page) - 1
    for _ in range(lines):
        cut = page.rfind(b"\n", 0, max(cut, 0))
        if cut < 0:
            break
    if cut >= 0:
        return position + cut + 1
    first = page.find(b"\n") + 1
    # The cap fell inside a line: begin at the next whole one, unless that line is all there is.
    return position + first if position > 0 and 0 < first < len(page) else position


def _redacted_middle(raw: bytes, start: int, end: int) -> str:
    """The bytes from start to end, redacted as part of what surrounds them."""
    lead, middle, tail = raw[:start], raw[start:end], raw[end:]
    whole = redact(decode(lead) + decode(middle) + decode(tail))
    rest = whole[_shared(redact(decode(lead)), whole) :]
    return rest[: len(rest) - _shared(redact(decode(tail))[::-1], rest[::-1])]


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
