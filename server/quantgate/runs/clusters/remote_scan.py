"""The log scan on a cluster: the scanner's own code is sent to the login node's python3, and the logs stay where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...cluster import words
from ...cluster.connection import Connection, connection
from ...errors import UnknownName, Unreachable
from ..sanitise import one_line
from ..scanner.files import Found, earlier_jobs, job_of, role_of
from ..scanning import scan
from ..scanning.pattern import PATTERN_CLASS, checked
from ..scanning.prefilter import widened
from ..scanning.scan import ScanReport
from ..scanning.signatures import Fact, Signature, load_signatures
from . import there
from .remote import RemoteRun

WITHOUT_PYTHON = "There is no python3 (3.6 or later) on the login node: counts only, benign lines are not told apart."
_MARGIN_SECONDS = 20.0
_FALLBACK = Path(__file__).with_name("scan_without_python.sh")


def scan_remote(
    run: RemoteRun, pattern: str = "", task: str = "", roles: Iterable[str] = (), file: str = ""
) -> ScanReport:
    """Scan the logs of tasks on a cluster in one round trip; a few kilobytes come back whatever the size of the logs.

    Args:
        run: Where it is.
        pattern: As for `scan.scan`.
        task: One task, by its directory or its name; empty for all.
        roles: As for `scan.scan`.
        file: As for `scan.scan`.

    Raises:
        BadInput: `pattern` is not one, or a name cannot be sent.
        UnknownName: The run's directory is not there, or has no such task.
        Unreachable: The cluster does not answer, or the link broke in the middle.
        ClusterError: It does not let us in, or its python3 cannot do it.
    """
    link = connection(run.host)
    place = {"run": words.operand(run.path, "run directory"), "task": task or run.only}
    asked = scan.request([], checked(pattern), roles, file) | place
    answer = there.ask(link, "program", asked, scan.SECONDS + _MARGIN_SECONDS)
    return _reported(run, task, _without_python(link, asked) if answer is None else answer)


def _reported(run: RemoteRun, task: str, answer: Mapping[str, Any]) -> ScanReport:
    if answer.get("gone"):
        raise UnknownName(
            "run directory", run.address, where=one_line(str(answer["gone"]), 200), fix="it was removed, or never made"
        )
    if task and not answer.get("tasks"):
        raise UnknownName("task", task, where=run.address, fix="leave `task` empty for all; status names them")
    return scan.report(answer)


def _without_python(link: Connection, asked: Mapping[str, Any]) -> dict[str, Any]:
    table = load_signatures()
    looked_for: list[Signature | Fact] = [*table.signatures, *table.facts]
    classes = "\n".join(f"{s.name}\t{widened(s.pattern.pattern, edges=True).lower()}" for s in looked_for)
    prefilter = "|".join(widened(s.pattern.pattern) for s in looked_for)
    roles = f",{','.join(asked['roles'])}," if asked["roles"] else "-"
    argv = ["sh", "-s", "--", roles, str(int(scan.SECONDS)), asked["run"]]
    # Not arguments: a login shell such as tcsh takes no line break between quotes.
    given = {"PREFILTER": prefilter, "CLASSES": classes}
    given |= {"OWN": asked["pattern"] or "-", "FILE": asked["file"] or "-", "TASK": asked["task"] or "-"}
    settings = "".join(f"{name}={words.line([value])}\n" for name, value in given.items()).encode()
    done = link.run(argv, stdin=settings + _FALLBACK.read_bytes(), seconds=scan.SECONDS + _MARGIN_SECONDS)
    if not done.out.rstrip().endswith("@end"):
        raise Unreachable(f"{link.host} broke off in the middle of its answer", fix="call this again")
    return _told(done.out)


def _told(text: str) -> dict[str, Any]:
    """The answer of scan_without_python.sh as one of `scanner.program.scan`."""
    answer: dict[str, Any] = {name: [] for name in ("unreadable", "outside", "absent", "cut")}
    answer |= {
        "tasks": [],
        "files": 0,
        "bytes": 0,
        "left_out": 0,
        "complaint": "",
        "benign": {},
        "note": WITHOUT_PYTHON,
    }
    classes: dict[tuple[str, bool], dict[str, Any]] = {}
    before = _earlier(text)
    file = ""
    for row in text.split("\n"):
        kind, _, rest = row.partition("\t")
        if kind == "@file":
            file, _, size = rest.partition("\t")
            answer["files"] += 1
            answer["bytes"] += words.whole(size.strip()) or 0
        elif kind == "@gone":
            answer["gone"] = "No such directory"
        elif kind == "@task":
            answer["tasks"].append(rest)
        elif kind == "@cut":
            if (rest or file) not in answer["cut"]:
                answer["cut"].append(rest or file)
        elif kind == "@left_out":
            answer["left_out"] += words.whole(rest.strip()) or 0
        elif kind in {"@absent", "@outside"}:
            answer[kind[1:]].append(rest)
        elif kind in {"@sample", "@count"}:
            name, _, rest = rest.partition("\t")
            earlier = file in before and name != PATTERN_CLASS
            empty = {"name": name, "earlier": earlier, "count": 0, "samples": [], "files": {}}
            found = classes.setdefault((name, earlier), empty)
            given, _, line = rest.partition("\t")
            number = words.whole(given)
            if kind == "@count":
                found["count"] += number or 0
                found["files"][file] = number or 0
            elif len(found["samples"]) < 3 and number is not None:
                found["samples"].append({"file": file, "line": number, "text": line, "begins": 0})
    return answer | {"classes": [c for c in classes.values() if c["count"]]}


def _earlier(text: str) -> set[str]:
    """The logs, as "<task>/<log>", of jobs that a later one of the same task took over from."""
    found: dict[str, list[Found]] = {}
    chains: dict[str, dict[str, int]] = {}
    task = ""
    for row in text.split("\n"):
        kind, _, rest = row.partition("\t")
        if kind == "@task":
            task = rest
        elif kind == "@chain":
            chains[task] = {job: place for place, job in enumerate(rest.split())}
        elif kind == "@file":
            path, _, size = rest.partition("\t")
            name = path.rpartition("/")[2]
            bytes_of = words.whole(size.strip()) or 0
            found.setdefault(task, []).append(Found(name, role_of(name), bytes_of, 0.0, job_of(name)))
    earlier = {name: earlier_jobs(logs, chains.get(name, {})) for name, logs in found.items()}
    return {f"{name}/{log.name}" for name, logs in found.items() for log in logs if log.job in earlier[name]}
