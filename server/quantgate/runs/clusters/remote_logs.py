"""Pages of the logs of a run on a cluster: all files in one round trip, none of them read as a whole."""

from __future__ import annotations

import base64
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...cluster import words
from ...cluster.connection import Connection, connection
from ...errors import BadInput, ClusterError, UnknownName
from ..logs import MAX_LINES, LogEntry, redacted_middle
from ..sanitise import one_line
from ..scanner.files import Found, job_of, newest_first, role_of
from ..scanner.pages import page, share
from ..selection import ALL
from . import there
from .remote import RemoteRun

SECONDS = 40.0
_NAMED = 30


@dataclass(frozen=True)
class RemotePages:
    """What was asked for.

    Attributes:
        entries: The pages, of the newest job's files first.
        omitted: Files that match and whose pages were left out.
        notes: What was not read, and why.
    """

    entries: tuple[LogEntry, ...]
    omitted: int
    notes: tuple[str, ...] = ()


def read_pages(run: RemoteRun, *, task: str, source: str, file: str, lines: int, before: int, most: int) -> RemotePages:
    """The ends of a run's logs, or what stands before an offset in one of them.

    Args:
        run: Where it is.
        task: One task, by its directory or its name; empty for all.
        source: A role ("client", "server", …) or "all".
        file: A file's name; empty for all.
        lines: At most this many of each; more than 500 are taken as 500.
        before: Byte offset; 0 for the end.
        most: Files whose pages are given.

    Raises:
        UnknownName: The run's directory is not there, or there is no such task, source or file.
        BadInput: An offset without a file where several match, a negative one, or no line is asked for.
        Unreachable: The cluster does not answer.
        ClusterError: It does not let us in.
    """
    if before < 0:
        raise BadInput(f"before={before} is not an offset", fix="pass next_before of the last answer, or 0 for the end")
    if lines < 1:
        raise BadInput(f"lines={lines} asks for nothing", fix=f"give 1 to {MAX_LINES}")
    request = {
        "run": words.operand(run.path, "run directory"),
        "task": task or run.only,
        "role": "" if source == ALL else source,
        "file": file,
        "lines": min(lines, MAX_LINES),
        "before": before,
        "most": most,
        "alone": before > 0,
    }
    link = connection(run.host)
    answer = there.ask(link, "pages", request, SECONDS)
    if answer is None:
        answer = _through_sftp(link, request)
    _refuse(answer, run, task, source, file, before)
    entries = tuple(_entry(row, before) for row in answer["pages"])
    outside, unreadable = [
        ", ".join(one_line(str(n), 200) for n in answer[kind][:5]) for kind in ("outside", "unreadable")
    ]
    notes = [f"{outside} leads out of the run's directory and is not read."] if outside else []
    notes += [f"Could not be read: {unreadable}."] if unreadable else []
    return RemotePages(entries, max(0, answer.get("count", 0) - len(answer["pages"])), tuple(notes))


def _refuse(answer: Mapping[str, Any], run: RemoteRun, task: str, source: str, file: str, before: int) -> None:
    if answer.get("gone"):
        raise UnknownName(
            "run directory", run.address, where=one_line(str(answer["gone"]), 200), fix="it was removed, or never made"
        )
    if task and not answer["tasks"]:
        raise UnknownName("task", task, where=run.address, fix="leave `task` empty for all; status names them")
    if not answer.get("count"):
        if source != ALL and source not in answer["roles"]:
            raise UnknownName("log source", source, fix="there are: " + ", ".join([ALL, *map(str, answer["roles"])]))
        if file:
            raise UnknownName("log file", file, fix="there are: " + ", ".join(map(str, answer["names"][:_NAMED])))
    if before and answer.get("count", 0) > 1:
        raise BadInput(
            "`before` is an offset in one file, and several match",
            where=", ".join(f"{t}/{n}" for t, n in answer["matched"][:6]),
            fix="give `file`, and `task` where several tasks have a file of that name",
        )


def _entry(row: Mapping[str, Any], before: int) -> LogEntry:
    raw, around = base64.b64decode(row["raw"]), int(row["around"])
    start, end, total = int(row["start"]), int(row["end"]), int(row["total"])
    text = redacted_middle(raw, start - around, end - around)
    return LogEntry(
        one_line(str(row["task"]), 200), one_line(str(row["file"]), 200), text, total, start, before > total
    )


def _through_sftp(link: Connection, request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of `scanner.pages` where there is no python3: several round trips, and no link is followed."""
    answer: dict[str, Any] = {name: [] for name in ("tasks", "pages", "outside", "unreadable", "roles", "names")}
    chosen: list[tuple[str, Found]] = []
    with link.sftp() as transfer:
        try:
            kinds = {row.filename: row.st_mode or 0 for row in transfer.listdir_attr(request["run"])}
        except FileNotFoundError as error:
            return answer | {"gone": error.strerror or "No such directory", "count": 0}
        except OSError as error:
            raise ClusterError(f"{link.host}:{request['run']} cannot be listed: {error.strerror or error}") from None
        for name, mode in sorted(kinds.items()):
            if name.rpartition(".")[2].isdecimal() and request["task"] in ("", name, name.rpartition(".")[0]):
                answer["tasks"].append(name)
                if stat.S_ISLNK(mode):
                    answer["outside"].append(name)
                    continue
                ordered = _listed(transfer, f"{request['run']}/{name}", answer)
                chosen += [
                    (name, f) for f in ordered if request["role"] in ("", f.role) and request["file"] in ("", f.name)
                ]
        answer |= {"count": len(chosen), "matched": [[task, f.name] for task, f in chosen]}
        if not (request["alone"] and len(chosen) > 1):
            wanted = chosen[: request["most"]]
            for task, log in wanted:
                try:
                    answer["pages"].append(_fetched(transfer, request, task, log.name, share(len(wanted))))
                except (FileNotFoundError, PermissionError) as error:
                    answer["unreadable"].append(f"{task}/{log.name}: {error.strerror or error}")
    return answer


def _listed(transfer: Any, task: str, answer: dict[str, Any]) -> list[Found]:
    """The logs of a task, the newest job's first."""
    name = task.rpartition("/")[2]
    try:
        if stat.S_ISLNK(transfer.lstat(f"{task}/logs").st_mode or 0):
            answer["outside"].append(f"{name}/logs")
            return []
        rows = transfer.listdir_attr(f"{task}/logs")
    except OSError:
        return []
    found = []
    for row in rows:
        role, mode = role_of(row.filename), row.st_mode or 0
        if role and stat.S_ISLNK(mode):
            answer["outside"].append(f"{name}/{row.filename}")
        elif role and stat.S_ISREG(mode):
            found.append(Found(row.filename, role, row.st_size or 0, row.st_mtime or 0, job_of(row.filename)))
    ordered = newest_first(found, {})
    answer["roles"] += sorted({f.role for f in found} - set(answer["roles"]))
    answer["names"] += [f.name for f in ordered]
    return ordered


def _fetched(transfer: Any, request: Mapping[str, Any], task: str, file: str, most_bytes: int) -> dict[str, Any]:
    with transfer.open(f"{request['run']}/{task}/logs/{file}", "rb") as opened:

        def pread(size: int, at: int) -> bytes:
            opened.seek(at)
            return bytes(opened.read(size))

        read = page(pread, opened.stat().st_size or 0, request["lines"], request["before"], most_bytes)
    place = {"task": task, "file": file, "total": read.total, "start": read.start, "end": read.end}
    return place | {"around": read.around, "raw": base64.b64encode(read.raw).decode("ascii")}
