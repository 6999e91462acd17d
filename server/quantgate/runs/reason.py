"""Why a task failed, in one line: a known fatal signature, else the last exception, else the last words of its logs."""

from __future__ import annotations

import os
import re

from .logs import LogFile, log_files
from .opening import open_file
from .rundir import TaskDir
from .sanitise import decode, one_line
from .scanner.reading import read_at
from .scanner.tracebacks import TracebackReader
from .scanning.signatures import TRACEBACK, SignatureTable, load_signatures
from .stages import SERVER_ERROR_MARKER

REASON_CHARACTERS = 300
TAIL_BYTES = 256 * 1024
"""How much of the end of each log is looked at."""

_EXCEPTION = re.compile(
    r"^(?:[A-Za-z_][\w.]{0,200})?(?:Error|Exception|Interrupt|Exit|Refused|Timeout|Failure)\b(?::|$)"
)

_UNREACHED = re.compile(
    r"Request interceptor \w{1,80} failed: .{0,1500}?(Connection refused|Connection reset by peer|Connection aborted"
    r"|Remote end closed connection|[Tt]imed out|Failed to resolve|No route to host|Network is unreachable)"
)


def failure_reason(task: TaskDir) -> str:
    """One bounded, redacted line that tells the most about a failed task; empty when no log tells anything."""
    marker = _server_error(task)
    if marker:
        return marker
    tails = [(log, _tail_lines(log)) for log in log_files(task) if log.role != "export"]
    table = load_signatures()
    return _signature(tails, table) or _with_the_endpoint(_exception(tails), tails) or _last_words(tails)


def _server_error(task: TaskDir) -> str:
    try:
        with open_file(task.artifacts / SERVER_ERROR_MARKER) as file:
            return one_line(
                b"nemo-evaluator stopped the run after a fatal answer of the endpoint: " + file.read(4096),
                REASON_CHARACTERS,
            )
    except OSError:
        return ""


def _tail_lines(log: LogFile) -> list[str]:
    try:
        with open_file(log.path) as file:
            size = os.fstat(file.fileno()).st_size
            raw = read_at(file.fileno(), TAIL_BYTES, max(0, size - TAIL_BYTES))
    except OSError:
        return []
    return decode(raw).split("\n")


def _signature(tails: list[tuple[LogFile, list[str]]], table: SignatureTable) -> str:
    for log, lines in tails:
        for line in lines:
            if len(line) > TAIL_BYTES // 4:
                continue
            hits, _ = table.judge(line)
            fatal = next((h for h in hits if h.severity == "fatal" and h.name != TRACEBACK), None)
            if fatal is not None:
                return one_line(f"{fatal.meaning} {log.path.name}: {line.strip()}", REASON_CHARACTERS)
    return ""


def _exception(tails: list[tuple[LogFile, list[str]]]) -> str:
    for log, lines in tails:
        reader, last = TracebackReader(), ""
        for line in lines:
            raised = reader.feed(line[:2000])
            if raised is not None:
                last = str(raised)
            elif not reader.inside and _EXCEPTION.match(line[:2000]):
                last = line
        if last:
            return one_line(f"{log.path.name}: {last}", REASON_CHARACTERS)
    return ""


def _with_the_endpoint(reason: str, tails: list[tuple[LogFile, list[str]]]) -> str:
    """A harness sees only that nemo-evaluator's adapter answered 500; the adapter's own line says that nobody was there."""
    if not reason or "onnect" in reason:
        return reason
    for _, lines in tails:
        for line in reversed(lines):
            seen = _UNREACHED.search(line[:2000])
            if seen is not None:
                return one_line(f"the endpoint did not answer ({seen[1]}); {reason}", REASON_CHARACTERS)
    return reason


def _last_words(tails: list[tuple[LogFile, list[str]]]) -> str:
    for log, lines in tails:
        last = next((line for line in reversed(lines) if line.strip()), "")
        if last:
            return one_line(f"{log.path.name}: {last}", REASON_CHARACTERS)
    return ""
