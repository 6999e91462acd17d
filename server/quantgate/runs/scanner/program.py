"""The scan of some tasks' logs from a request to an answer, both JSON; `main` is what runs on the other side of a link."""

import json
import os
import sys
import time
from typing import Any, Dict, List, Sequence

from .files import MAX_FILES, Found, chain_of, earlier_jobs, listing, newest_first, tasks_of
from .lines import Quiet, Rule
from .search import SAMPLES, Looked, Search

MOST_LOGS = 1000
MOST_COUNTED = 50
"""Logs whose own count of a class is handed on."""
MOST_CUT = 100
"""Names of logs that were not read to their end; the others are counted."""


class _Class:
    """One class over all logs: what the newest jobs show, or what the jobs before them do."""

    def __init__(self, name: str, earlier: bool) -> None:
        self.name, self.earlier, self.count = name, earlier, 0
        self.samples: List[Dict[str, Any]] = []
        self.files: Dict[str, int] = {}

    def add(self, label: str, looked: Looked) -> None:
        self.count += looked.seen.counts[self.name]
        if len(self.files) < MOST_COUNTED:
            self.files[label] = looked.seen.counts[self.name]
        for sample in looked.seen.samples.get(self.name, [])[: SAMPLES - len(self.samples)]:
            line = looked.lines[sample.at]
            self.samples.append({"file": label, "line": line, "text": sample.text, "begins": sample.begins})


def scan(request: Dict[str, Any]) -> Dict[str, Any]:
    """Search the logs of tasks.

    Args:
        request: `tasks` (label, path, logs, run), or `run` (a run's directory) with `task` (empty for all of it); `roles`
            and `file` (empty for all); `rules`, `benign`, `prefilter`, `traceback`, `pattern`, `own`, `seconds` and
            `side_by_side`, as `Search` takes them.
    """
    search = Search(
        [Rule(r["name"], r["anchors"], r["pattern"]) for r in request["rules"]],
        [Quiet(b["name"], b["pattern"], b["phrase"]) for b in request["benign"]],
        request["prefilter"],
        request["traceback"],
        request["pattern"],
        request["own"],
        time.monotonic() + request["seconds"],
        request["side_by_side"],
    )
    answer: Dict[str, Any] = {name: [] for name in ("unreadable", "outside", "absent", "cut")}
    answer.update(files=0, bytes=0, left_out=0, cut_logs=0, cut_bytes=0, complaint="")
    classes: Dict[Any, _Class] = {}
    benign: Dict[str, int] = {}
    tasks = request["tasks"]
    if not tasks:
        try:
            tasks, answer["outside"] = tasks_of(request["run"], request["task"])
        except OSError as error:
            answer["gone"] = error.strerror
        answer["tasks"] = [task["label"] for task in tasks] + answer["outside"]
    for task in tasks:
        _scan_task(task, request, search, answer, classes, benign)
    found = [vars(c) for c in classes.values()]
    return dict(answer, classes=found, benign=benign)


def _scan_task(
    task: Dict[str, str],
    request: Dict[str, Any],
    search: Search,
    answer: Dict[str, Any],
    classes: Dict[Any, _Class],
    benign: Dict[str, int],
) -> None:
    label = task["label"]
    try:
        found, outside = listing(task["logs"], task["run"])
    except OSError as error:
        answer["absent"].append(f"{label}: {error.strerror}")
        return
    answer["outside"].extend(f"{label}/{name}" for name in outside)
    chain = chain_of(task["path"])
    earlier = earlier_jobs(found, chain)
    wanted = _wanted(newest_first(found, chain), request["roles"], request["file"])
    answer["left_out"] += max(0, len(wanted) - MAX_FILES)
    for log in wanted[:MAX_FILES]:
        name = f"{label}/{log.name}"
        if answer["files"] >= MOST_LOGS:
            answer["left_out"] += 1
            continue
        if time.monotonic() > search.deadline:
            _cut(answer, name, log.size)
            continue
        try:
            looked = search.file(os.path.join(task["logs"], log.name), log.size)
        except OSError as error:
            answer["unreadable"].append(f"{name}: {error.strerror}")
            continue
        answer["files"] += 1
        answer["bytes"] += looked.read
        answer["complaint"] = answer["complaint"] or looked.complaint
        if looked.cut:
            _cut(answer, name, log.size - looked.read)
        for kind in looked.seen.counts:
            before = log.job in earlier and kind != search.own
            classes.setdefault((kind, before), _Class(kind, before)).add(name, looked)
        for kind, count in looked.seen.benign.items():
            benign[kind] = benign.get(kind, 0) + count


def _cut(answer: Dict[str, Any], name: str, unread: int) -> None:
    answer["cut_logs"] += 1
    answer["cut_bytes"] += max(0, unread)
    if len(answer["cut"]) < MOST_CUT:
        answer["cut"].append(name)


def _wanted(found: List[Found], roles: Sequence[str], file: str) -> List[Found]:
    return [f for f in found if (not roles or f.role in roles) and (not file or f.name == file)]


def main() -> None:
    """Read a request from standard input, and print the answer."""
    sys.stdout.write(json.dumps(scan(json.loads(sys.stdin.buffer.read().decode("utf-8")))) + "\n")
