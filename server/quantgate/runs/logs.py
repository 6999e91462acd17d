"""The logs of a task: which there are, and pages of them by byte offset, from the end."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
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
        shrunk: The offset that was asked for lies beyond the file: it was cut or replaced since, and this is its end.
    """

    task: str
    file: str
    text: str
    bytes_total: int
    next_before: int
    shrunk: bool = False


def log_files(task: TaskDir) -> list[LogFile]:
    """The logs of a task: the client's first; within a role the newest first.

    A link that leads out of the run's directory is no log of it: `foreign_links` names those.
    """
    found: list[LogFile] = []
    for entry, role in _entries(task):
        try:
            if entry.is_file() and not _leads_out(task, entry):
                stat = entry.stat()
                found.append(LogFile(task.directory, Path(entry.path), role, stat.st_size, stat.st_mtime))
        except OSError:
            # Gone since it was listed.
            continue
    found.sort(key=lambda f: (_ORDER.index(f.role), -f.modified, f.path.name))
    return found[:MAX_FILES]


def foreign_links(task: TaskDir) -> list[str]:
    """The names in a task's logs that lead out of the run's directory; what they lead to is never read."""
    return sorted(entry.name for entry, _ in _entries(task) if _leads_out(task, entry))[:MAX_FILES]


def _entries(task: TaskDir) -> list[tuple[os.DirEntry[str], Role]]:
    try:
        with os.scandir(task.logs) as entries:
            named = [(e, next((r for pattern, r in _ROLES if pattern.fullmatch(e.name)), None)) for e in entries]
    except OSError:
        # Not started, or gone: `task_status` says which.
        return []
    return [(entry, role) for entry, role in named if role is not None]


def _leads_out(task: TaskDir, entry: os.DirEntry[str]) -> bool:
    if not entry.is_symlink() and not task.logs.is_symlink():
        return False
    run = (task.path.parent if task.index is not None else task.path).resolve()
    try:
        return not Path(entry.path).resolve().is_relative_to(run)
    except (OSError, RuntimeError):
        return True


def read_tail(file: LogFile, lines: int = 50, before: int = 0) -> LogEntry:
    """The last lines of a log that end before a byte offset; the file is read from there backwards, never as a whole.

    Args:
        file: From `log_files`.
        lines: At most this many; more than 500 are taken as 500.
        before: Byte offset; 0 for the end of the file.

    Raises:
        BadInput: The file cannot be read, the offset is negative, or no line is asked for.
    """
    if before < 0:
        raise BadInput(f"before={before} is not an offset", fix="pass next_before of the last answer, or 0 for the end")
    if lines < 1:
        raise BadInput(f"lines={lines} asks for nothing", fix=f"give 1 to {MAX_LINES}")
    with _opened(file) as descriptor:
        total = os.fstat(descriptor).st_size
        end = min(before or total, total)
        start = _page_start(descriptor, end, min(lines, MAX_LINES))
        text = _span(descriptor, total, start, end)
    return LogEntry(file.task, file.path.name, text, total, start, shrunk=before > total)


def read_span(file: LogFile, start: int, end: int) -> LogEntry:
    """What stands between two byte offsets of a log, at most 64 KB before `end`.

    Raises:
        BadInput: The file cannot be read.
    """
    with _opened(file) as descriptor:
        total = os.fstat(descriptor).st_size
        end = min(end, total)
        start = max(0, min(start, end), end - MAX_BYTES)
        return LogEntry(file.task, file.path.name, _span(descriptor, total, start, end), total, start)


@contextmanager
def _opened(file: LogFile) -> Iterator[int]:
    try:
        with file.path.open("rb") as handle:
            yield handle.fileno()
    except OSError as error:
        raise BadInput(f"The log {file.path.name} cannot be read: {error.strerror}", where=str(file.path)) from error


def _span(descriptor: int, total: int, start: int, end: int) -> str:
    context_start = max(0, start - _CONTEXT_BYTES)
    raw = os.pread(descriptor, min(total, end + _CONTEXT_BYTES) - context_start, context_start)
    return _redacted_middle(raw, start - context_start, end - context_start)


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
    # The cap fell inside a line: begin at the next whole one, unless that line is all there is; then at a whole character.
    if position > 0 and 0 < first < len(page):
        return position + first
    return position + (_inside_character(page[:4]) if position > 0 else 0)


def _inside_character(raw: bytes) -> int:
    """How many bytes at the beginning belong to a UTF-8 character that began before (at most three)."""
    inside = next((i for i, byte in enumerate(raw) if byte & 0xC0 != 0x80), 0)
    return min(inside, 3)


def _redacted_middle(raw: bytes, start: int, end: int) -> str:
    """The bytes from start to end, redacted as part of what surrounds them."""
    lead, middle, tail = raw[:start], raw[start:end], raw[end:]
    whole = redact(decode(lead) + decode(middle) + decode(tail))
    rest = whole[_shared(redact(decode(lead)), whole) :]
    return rest[: len(rest) - _shared(redact(decode(tail))[::-1], rest[::-1])]


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
