"""The logs of a task: which there are, and pages of them by byte offset, from the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from ..errors import BadInput
from ..redact import redact
from .opening import open_file
from .rundir import TaskDir
from .sanitise import decode
from .scanner import files
from .scanner.pages import CONTEXT_BYTES, MAX_BYTES, page
from .scanner.reading import read_at

Role = Literal["client", "server", "slurm", "proxy", "export", "install", "runner"]

MAX_LINES = 500


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
    """The logs of a task: the newest job's first, of these the client's first; within a role the newest first.

    A link that leads out of the run's directory is no log of it: `foreign_links` names those.
    """
    found, _ = _listing(task)
    return _ordered(task, found, files.chain_of(str(task.path)))


def deciding_logs(task: TaskDir) -> list[LogFile]:
    """Those of `log_files` that no later job or attempt of the task took over from: how it ended, they tell."""
    found, _ = _listing(task)
    chain = files.chain_of(str(task.path))
    earlier = files.earlier_jobs(found, chain)
    return _ordered(task, [f for f in found if f.job not in earlier] or found, chain)


def _ordered(task: TaskDir, found: list[files.Found], chain: dict[str, int]) -> list[LogFile]:
    return [
        LogFile(task.directory, task.logs / f.name, cast(Role, f.role), f.size, f.modified)
        for f in files.newest_first(found, chain)[: files.MAX_FILES]
    ]


def foreign_links(task: TaskDir) -> list[str]:
    """The names in a task's logs that lead out of the run's directory; what they lead to is never read."""
    return _listing(task)[1]


def _listing(task: TaskDir) -> tuple[list[files.Found], list[str]]:
    run = task.path.parent if task.index is not None else task.path
    try:
        return files.listing(str(task.logs), str(run))
    except OSError:
        # Not started, or gone: `task_status` says which.
        return [], []


def read_tail(file: LogFile, lines: int = 50, before: int = 0, most_bytes: int = MAX_BYTES) -> LogEntry:
    """The last lines of a log that end before a byte offset; the file is read from there backwards, never as a whole.

    Args:
        file: From `log_files`.
        lines: At most this many; more than 500 are taken as 500.
        before: Byte offset; 0 for the end of the file.
        most_bytes: At most this much of the file, whole lines as far as one fits.

    Raises:
        BadInput: The file cannot be read, the offset is negative, or no line is asked for.
    """
    if before < 0:
        raise BadInput(f"before={before} is not an offset", fix="pass next_before of the last answer, or 0 for the end")
    if lines < 1:
        raise BadInput(f"lines={lines} asks for nothing", fix=f"give 1 to {MAX_LINES}")
    with _opened(file) as descriptor:
        total = os.fstat(descriptor).st_size
        read = page(lambda size, at: read_at(descriptor, size, at), total, min(lines, MAX_LINES), before, most_bytes)
    text = redacted_middle(read.raw, read.start - read.around, read.end - read.around)
    return LogEntry(file.task, file.path.name, text, total, read.start, shrunk=before > total)


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
        with open_file(file.path) as handle:
            yield handle.fileno()
    except OSError as error:
        raise BadInput(f"The log {file.path.name} cannot be read: {error.strerror}", where=str(file.path)) from error


def _span(descriptor: int, total: int, start: int, end: int) -> str:
    context_start = max(0, start - CONTEXT_BYTES)
    raw = read_at(descriptor, min(total, end + CONTEXT_BYTES) - context_start, context_start)
    return redacted_middle(raw, start - context_start, end - context_start)


def redacted_middle(raw: bytes, start: int, end: int) -> str:
    """The bytes from start to end as text, redacted as part of what surrounds them."""
    lead, middle, tail = raw[:start], raw[start:end], raw[end:]
    whole = redact(decode(lead) + decode(middle) + decode(tail))
    rest = whole[_shared(redact(decode(lead)), whole) :]
    return rest[: len(rest) - _shared(redact(decode(tail))[::-1], rest[::-1])]


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
