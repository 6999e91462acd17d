"""The log scan: which known failures the logs of a run show, how often, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from ...errors import BadInput
from ...redact import redact
from ..rundir import TaskDir
from ..sanitise import one_line
from ..scanner import program
from ..scanner.search import MOST_PATTERN
from .pattern import PATTERN_CLASS, checked
from .prefilter import prefilter
from .signatures import TRACEBACK, Fact, Severity, Signature, SignatureTable, load_signatures

ScanVerdict = Literal["clean", "suspicious", "failed"]

SAMPLE_CHARACTERS = 300
SECONDS = 45.0
"""A scan ends then, and says what it did not read: several clients end a call after 60, and an answer that comes later is lost."""
SIDE_BY_SIDE = 4
"""Parts of one large log that are searched at once, where there are so many processors."""
_LEAD_CHARACTERS = 100
MOST_NAMED = 20


@dataclass(frozen=True)
class ScanSample:
    """One line that matched: `file` is "<task>/<log>", `text` is redacted and bounded."""

    file: str
    line: int
    text: str


@dataclass(frozen=True)
class ScanClass:
    """A class of failure that was found.

    Attributes:
        name: The signature's name; "pattern" for the caller's own.
        count: Lines that matched.
        severity: "fatal", "suspect", or "note" for the caller's own pattern.
        meaning: What it says about the run.
        fix: What to do.
        samples: The first lines, at most three.
        earlier_job: Only in logs of jobs that a later job of the same task took over from: it decides nothing.
    """

    name: str
    count: int
    severity: Severity | Literal["note"]
    meaning: str
    fix: str
    samples: tuple[ScanSample, ...]
    earlier_job: bool = False


@dataclass(frozen=True)
class BenignCount:
    """Lines that look like a failure and are none."""

    name: str
    count: int


@dataclass(frozen=True)
class ScanFact:
    """What the newest logs say that is no failure, such as the start of a server.

    Attributes:
        name: By the table.
        counts: Lines, by log ("<task>/<log>").
        samples: The first lines, at most three.
    """

    name: str
    counts: Mapping[str, int]
    samples: tuple[ScanSample, ...]


@dataclass(frozen=True)
class ScanReport:
    """What a scan found.

    Attributes:
        verdict: "failed" with a fatal class; "suspicious" with another, where not all was read, or nothing; else "clean".
        classes: Fatal ones first, then by count; what only earlier jobs show stands last.
        benign: What was seen and left out of account.
        files: Logs that were read.
        bytes_scanned: Of all of them.
        unreadable: Logs that could not be read, with the reason.
        unread: Logs that were not read to their end, because time was up; at most `MOST_NAMED` of `unread_logs`.
        unread_logs: How many they are.
        unread_bytes: What was not read of them, as far as that is known.
        left_out: Logs beyond the number that one scan reads.
        outside: Names that lead out of the run's directory; never read.
        absent: Tasks without a directory of logs, with the reason.
        note: How the scan differs from what it should be; empty when it does not.
        expected: Whether there should be logs: a launcher keeps them, nemo-evaluator by itself does not.
        facts: What the logs say besides, which decides nothing here.
    """

    verdict: ScanVerdict
    classes: tuple[ScanClass, ...]
    benign: tuple[BenignCount, ...]
    files: int
    bytes_scanned: int
    unreadable: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    unread_logs: int = 0
    unread_bytes: int = 0
    left_out: int = 0
    outside: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    note: str = ""
    expected: bool = True
    facts: tuple[ScanFact, ...] = ()


def scan(tasks: Iterable[TaskDir], pattern: str = "", roles: Iterable[str] = (), file: str = "") -> ScanReport:
    """Scan the logs of tasks on this machine, in one pass and bounded memory.

    Args:
        tasks: From a `RunDir`.
        pattern: An extended regular expression to look for besides the table; counted as the class "pattern", which
            does not change the verdict.
        roles: Only logs of these roles; empty for all.
        file: Only logs of this name; empty for all.

    Raises:
        BadInput: `pattern` is too long or not a regular expression.
    """
    tasks = tuple(tasks)
    asked = request([described_task(t) for t in tasks], checked(pattern), roles, file)
    return report(program.scan(asked), expected=any(t.index is not None for t in tasks))


def described_task(task: TaskDir) -> dict[str, str]:
    """A task of this machine as the scanner takes it."""
    run = task.path.parent if task.index is not None else task.path
    return {"label": task.directory, "path": str(task.path), "logs": str(task.logs), "run": str(run)}


def request(tasks: Sequence[Mapping[str, str]], pattern: str, roles: Iterable[str], file: str) -> dict[str, Any]:
    """What `scanner.program.scan` is asked, here or on a cluster.

    Args:
        tasks: Each with `label`, `path`, `logs` and `run` (the directory that links must not leave).
        pattern: The caller's own, checked.
        roles: As for `scan`.
        file: As for `scan`.
    """
    return {
        "tasks": [dict(t) for t in tasks],
        "roles": sorted(set(roles)),
        "file": file,
        "pattern": pattern,
        "own": PATTERN_CLASS,
        "traceback": TRACEBACK,
        "seconds": SECONDS,
        "side_by_side": SIDE_BY_SIDE,
        **_table(),
    }


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    table = load_signatures()
    looked_for: list[Signature | Fact] = [*table.signatures, *table.facts]
    anchors = {s.name: [a.decode() for a in s.anchors] for s in looked_for}
    return {
        "rules": [
            {"name": s.name, "anchors": anchors[s.name], "pattern": s.pattern.pattern}
            for s in looked_for
            if s.name != TRACEBACK
        ],
        "benign": [{"name": b.name, "pattern": b.pattern.pattern, "phrase": b.phrase} for b in table.benign],
        "prefilter": prefilter([s.pattern.pattern for s in looked_for], [a for n in anchors.values() for a in n]),
    }


def report(answer: Mapping[str, Any], expected: bool = True) -> ScanReport:
    """The answer of `scanner.program.scan`, which may come from a cluster and is not trusted, fit to be shown.

    Args:
        answer: Of one scan.
        expected: Whether there should be logs.

    Raises:
        BadInput: grep did not take the caller's pattern.
    """
    if answer["complaint"]:
        said = one_line(str(answer["complaint"]), 200)
        raise BadInput("grep does not accept the pattern", where=said, fix="give a simpler extended regular expression")
    table = load_signatures()
    classes = sorted(
        (c for c in (_class(row, table) for row in answer["classes"]) if c is not None),
        key=lambda c: (c.severity != "note", c.earlier_job, c.severity != "fatal", -c.count, c.name),
    )
    partly = not answer["files"] or any(answer[k] for k in ("cut", "left_out", "unreadable", "outside", "absent"))
    verdict: ScanVerdict = "clean"
    if any(c.severity == "fatal" for c in classes):
        verdict = "failed"
    elif partly or any(c.severity == "suspect" for c in classes):
        verdict = "suspicious"
    benign = sorted(answer["benign"].items(), key=lambda item: -int(item[1]))
    return ScanReport(
        verdict=verdict,
        classes=tuple(classes),
        benign=tuple(BenignCount(one_line(str(n), 60), int(c)) for n, c in benign[:MOST_NAMED]),
        files=int(answer["files"]),
        bytes_scanned=int(answer["bytes"]),
        unreadable=_names(answer["unreadable"]),
        unread=_names(answer["cut"]),
        unread_logs=max(len(answer["cut"]), int(answer.get("cut_logs", 0))),
        unread_bytes=int(answer.get("cut_bytes", 0)),
        left_out=int(answer["left_out"]),
        outside=_names(answer["outside"]),
        absent=_names(answer["absent"]),
        note=one_line(str(answer.get("note", "")), 300),
        expected=expected,
        facts=tuple(f for row in answer["classes"] if (f := _fact(row, table)) is not None),
    )


def _names(found: Sequence[Any]) -> tuple[str, ...]:
    return tuple(one_line(str(name), 300) for name in found[:MOST_NAMED])


def _class(row: Mapping[str, Any], table: SignatureTable) -> ScanClass | None:
    samples, count = _samples(row), int(row["count"])
    if row["name"] == PATTERN_CLASS:
        cut = count >= MOST_PATTERN
        fix = "the count stops at a limit: narrow the pattern" if cut else ""
        meaning = "Lines that match the given pattern."
        return ScanClass(PATTERN_CLASS, min(count, MOST_PATTERN), "note", meaning, fix, samples)
    signature = next((s for s in table.signatures if s.name == row["name"]), None)
    if signature is None:
        return None
    if row["earlier"]:
        meaning = f"Before the run was taken up again: {signature.meaning}"
        return ScanClass(signature.name, count, "suspect", meaning, signature.fix, samples, earlier_job=True)
    return ScanClass(signature.name, count, signature.severity, signature.meaning, signature.fix, samples)


def _fact(row: Mapping[str, Any], table: SignatureTable) -> ScanFact | None:
    if row["earlier"] or all(row["name"] != fact.name for fact in table.facts):
        return None
    counts = list(row.get("files", {}).items())[:MOST_NAMED]
    return ScanFact(str(row["name"]), {one_line(str(file), 300): int(n) for file, n in counts}, _samples(row))


def _samples(row: Mapping[str, Any]) -> tuple[ScanSample, ...]:
    return tuple(ScanSample(one_line(str(s["file"]), 300), int(s["line"]), _shown(s)) for s in row["samples"][:3])


def _shown(sample: Mapping[str, Any]) -> str:
    """A sample's text about its match; redacted as part of all that is known of its line, then cut."""
    text, begins = str(sample["text"]), int(sample["begins"])
    whole = one_line(text, len(text) + 1000)
    if len(whole) <= SAMPLE_CHARACTERS:
        return whole
    lead = " ".join(redact(text[:begins]).split())
    start = max(0, next((i for i, (a, b) in enumerate(zip(lead, whole, strict=False)) if a != b), len(lead)))
    start = max(0, start - _LEAD_CHARACTERS)
    # A word that the window cuts may be the rest of a secret.
    if start:
        start = whole.find(" ", start) + 1 or start
    return one_line(whole[start:], SAMPLE_CHARACTERS)
