"""Pages of logs by byte offset, from the end backwards; no log is read as a whole."""

import base64
import json
import os
import sys
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from .files import Found, chain_of, listing, newest_first, tasks_of
from .reading import OPEN, read_at

MAX_BYTES = 64 * 1024
"""The most of a log that one page holds."""
ANSWER_BYTES = 20 * 1024
"""The most of all logs that one answer holds: 7,000 to 8,000 tokens of a harness's log, where clients warn above 10,000."""
CONTEXT_BYTES = 8 * 1024
"""Read beside a page so that a secret that the page's edge cuts is still recognised; a private key fits."""
MOST_NAMED = 500
_BLOCK_BYTES = 16 * 1024

Pread = Callable[[int, int], bytes]
"""Reads so many bytes at an offset."""


class Page(NamedTuple):
    """A page and what stands around it.

    Attributes:
        total: The log's size when it was read.
        start: Where the page begins; `end` is where it ends.
        around: The offset of `raw`, which holds the page with what is before and after it.
    """

    total: int
    start: int
    end: int
    around: int
    raw: bytes


def share(files: int) -> int:
    """The bytes of each page in an answer with so many pages."""
    return ANSWER_BYTES // max(1, files)


def page(pread: Pread, total: int, lines: int, before: int, most_bytes: int = MAX_BYTES) -> Page:
    """The last lines of a log that end before an offset.

    Args:
        pread: Reads from the log.
        total: Its size in bytes.
        lines: At most this many.
        before: Byte offset; 0 for the end.
        most_bytes: At most this long.
    """
    end = min(before or total, total)
    start = page_start(pread, end, lines, most_bytes)
    around = max(0, start - CONTEXT_BYTES)
    return Page(total, start, end, around, pread(min(total, end + CONTEXT_BYTES) - around, around))


def page_start(pread: Pread, end: int, lines: int, most_bytes: int = MAX_BYTES) -> int:
    """Where the page of so many lines, and at most so many bytes, begins that ends at `end`."""
    position, held = end, b""
    while position > 0 and len(held) < most_bytes:
        size = min(_BLOCK_BYTES, position, most_bytes - len(held))
        position -= size
        held = pread(size, position) + held
        # The newline that ends the last line begins no further one.
        if held.count(b"\n", 0, max(0, len(held) - 1)) >= lines:
            break
    cut = len(held) - 1
    for _ in range(lines):
        cut = held.rfind(b"\n", 0, max(cut, 0))
        if cut < 0:
            break
    if cut >= 0:
        return position + cut + 1
    first = held.find(b"\n") + 1
    # The cap fell inside a line: begin at the next whole one, unless that line is all there is; then at a whole character.
    if position > 0 and 0 < first < len(held):
        return position + first
    return position + (_inside_character(held[:4]) if position > 0 else 0)


def _inside_character(raw: bytes) -> int:
    """How many bytes at the beginning belong to a UTF-8 character that began before (at most three)."""
    inside = next((i for i, byte in enumerate(raw) if byte & 0xC0 != 0x80), 0)
    return min(inside, 3)


def pages(request: Dict[str, Any]) -> Dict[str, Any]:
    """Pages of the logs of a run's tasks.

    Args:
        request: `run` (its directory), `task`, `role` and `file` (each empty for all), `lines`, `before`, and `most` (files
            whose pages are wanted; none are given when `alone` and more than one match).
    """
    answer: Dict[str, Any] = {
        "tasks": [],
        "pages": [],
        "outside": [],
        "unreadable": [],
        "roles": [],
        "names": [],
        "matched": [],
    }
    try:
        tasks, linked = tasks_of(request["run"], request["task"])
    except OSError as error:
        return dict(answer, gone=error.strerror)
    answer["tasks"].extend(linked)
    answer["outside"].extend(linked)
    chosen: List[Tuple[Dict[str, str], Found]] = []
    for task in tasks:
        answer["tasks"].append(task["label"])
        try:
            found, outside = listing(task["logs"], task["run"])
        except OSError:
            continue
        answer["outside"].extend(task["label"] + "/" + name for name in outside)
        answer["roles"].extend(sorted({f.role for f in found} - set(answer["roles"])))
        ordered = newest_first(found, chain_of(task["path"]))
        answer["names"].extend(f.name for f in ordered[:MOST_NAMED])
        chosen.extend((task, f) for f in ordered if request["role"] in ("", f.role) and request["file"] in ("", f.name))
    answer["matched"] = [[task["label"], f.name] for task, f in chosen[:MOST_NAMED]]
    answer["count"] = len(chosen)
    if request["alone"] and len(chosen) > 1:
        return answer
    wanted = chosen[: request["most"]]
    for task, log in wanted:
        path = os.path.join(task["logs"], log.name)
        try:
            read = _read(path, request["lines"], request["before"], share(len(wanted)))
            answer["pages"].append(dict(read, task=task["label"], file=log.name))
        except OSError as error:
            answer["unreadable"].append("{}/{}: {}".format(task["label"], log.name, error.strerror))
    return answer


def _read(path: str, lines: int, before: int, most_bytes: int) -> Dict[str, Any]:
    descriptor = os.open(path, OPEN)
    try:
        total = os.fstat(descriptor).st_size
        read = page(lambda size, at: read_at(descriptor, size, at), total, lines, before, most_bytes)
    finally:
        os.close(descriptor)
    told: Dict[str, Any] = {"total": read.total, "start": read.start, "end": read.end, "around": read.around}
    told["raw"] = base64.b64encode(read.raw).decode("ascii")
    return told


def main() -> None:
    """Read a request from standard input, and print the answer."""
    sys.stdout.write(json.dumps(pages(json.loads(sys.stdin.buffer.read().decode("utf-8")))) + "\n")
