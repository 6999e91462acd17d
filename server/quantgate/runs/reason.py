"""Why a task failed, in one line: a known fatal signature, else the last exception, else the last words of its logs."""

from __future__ import annotations

import re

from ..launcher.markers import SERVER_ERROR_MARKER
from .logs import LogFile
from .opening import open_file
from .rundir import TaskDir
from .sanitise import one_line
from .scanner.tracebacks import TracebackReader
from .tails import Line, first_fatal, tails

REASON_CHARACTERS = 300
_Tails = list[tuple[LogFile, list[Line]]]

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
    found = tails(task)
    return _signature(found) or _with_the_endpoint(_exception(found), found) or _last_words(found)


def _server_error(task: TaskDir) -> str:
    try:
        with open_file(task.artifacts / SERVER_ERROR_MARKER) as file:
            return one_line(
                b"nemo-evaluator stopped the run after a fatal answer of the endpoint: " + file.read(4096),
                REASON_CHARACTERS,
            )
    except OSError:
        return ""


def _signature(found: _Tails) -> str:
    for log, lines in found:
        fatal = first_fatal(lines)
        if fatal is not None:
            number, sign = fatal
            return one_line(f"{sign.meaning} {log.path.name}: {lines[number].text.strip()}", REASON_CHARACTERS)
    return ""


def _exception(found: _Tails) -> str:
    for log, lines in found:
        reader, last = TracebackReader(), ""
        for line in lines:
            raised = reader.feed(line.text)
            if raised is not None:
                last = str(raised)
            elif not reader.inside and _EXCEPTION.match(line.text):
                last = line.text
        if last:
            return one_line(f"{log.path.name}: {last}", REASON_CHARACTERS)
    return ""


def _with_the_endpoint(reason: str, found: _Tails) -> str:
    """A harness sees only that nemo-evaluator's adapter answered 500; the adapter's own line says that nobody was there."""
    if not reason or "onnect" in reason:
        return reason
    for _, lines in found:
        for line in reversed(lines):
            seen = _UNREACHED.search(line.text)
            if seen is not None:
                return one_line(f"the endpoint did not answer ({seen[1]}); {reason}", REASON_CHARACTERS)
    return reason


def _last_words(found: _Tails) -> str:
    for log, lines in found:
        last = next((line.text for line in reversed(lines) if line.text.strip()), "")
        if last:
            return one_line(f"{log.path.name}: {last}", REASON_CHARACTERS)
    return ""
