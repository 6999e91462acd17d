"""The log scan: which known failures the logs of a run show, how often, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from .logs import LogFile, log_files
from .pattern import PATTERN_CLASS, grep
from .pieces import Block, read_blocks
from .rundir import TaskDir
from .sanitise import decode, one_line
from .signatures import TRACEBACK, Severity, Signature, SignatureTable, load_signatures
from .traceback_reader import START, TracebackReader

ScanVerdict = Literal["clean", "suspicious", "failed"]

SAMPLES_PER_CLASS = 3
SAMPLE_CHARACTERS = 300
_WINDOW = 2000
_START = START.lower().encode()


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
    """

    name: str
    count: int
    severity: Severity | Literal["note"]
    meaning: str
    fix: str
    samples: tuple[ScanSample, ...]


@dataclass(frozen=True)
class BenignCount:
    """Lines that look like a failure and are none."""

    name: str
    count: int


@dataclass(frozen=True)
class ScanReport:
    """What a scan found.

    Attributes:
        verdict: "failed" with a fatal class, "suspicious" with another, else "clean"; also when there was no log.
        classes: Fatal ones first, then by count.
        benign: What was seen and left out of account.
        files: Logs that were read.
        bytes_scanned: Of all of them.
        unreadable: Logs that could not be read, with the reason.
    """

    verdict: ScanVerdict
    classes: tuple[ScanClass, ...]
    benign: tuple[BenignCount, ...]
    files: int
    bytes_scanned: int
    unreadable: tuple[str, ...] = ()


@dataclass
class _Tally:
    counts: Counter[str] = field(default_factory=Counter)
    benign: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[ScanSample]] = field(default_factory=dict)
    last_line: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, file: str, line: int, text: str) -> None:
        if self.last_line.get(name) == line:
            # Another piece of one long line: a line counts once.
            return
        self.last_line[name] = line
        self.counts[name] += 1
        kept = self.samples.setdefault(name, [])
        if len(kept) < SAMPLES_PER_CLASS:
            kept.append(ScanSample(file, line, one_line(text, SAMPLE_CHARACTERS)))


def scan(tasks: Iterable[TaskDir], pattern: str = "", roles: Iterable[str] = ()) -> ScanReport:
    """Scan the logs of tasks on this machine, in one pass and bounded memory.

    Args:
        tasks: From a `RunDir`.
        pattern: An extended regular expression to look for besides the table; counted as the class "pattern", which
            does not change the verdict.
        roles: Only logs of these roles; empty for all.

    Raises:
        BadInput: `pattern` is too long or not a regular expression.
    """
    table = load_signatures()
    wanted = set(roles)
    tally, files, scanned, unreadable = _Tally(), 0, 0, []
    own: list[ScanClass] = []
    logs = [log for task in tasks for log in log_files(task) if not wanted or log.role in wanted]
    for log in logs:
        try:
            _scan_file(log, table, tally)
        except OSError as error:
            unreadable.append(f"{_label(log)}: {error.strerror}")
            continue
        files += 1
        scanned += log.size
    if pattern:
        found = grep([(_label(log), log.path) for log in logs], pattern, SAMPLES_PER_CLASS)
        if found.count:
            samples = tuple(ScanSample(m.file, m.line, one_line(m.text, SAMPLE_CHARACTERS)) for m in found.first)
            fix = "the count stops at a limit: narrow the pattern" if found.cut_short else ""
            own = [ScanClass(PATTERN_CLASS, found.count, "note", "Lines that match the given pattern.", fix, samples)]
    classes = _classes(table, tally)
    verdict: ScanVerdict = "clean"
    if classes:
        verdict = "failed" if any(c.severity == "fatal" for c in classes) else "suspicious"
    benign = tuple(BenignCount(n, c) for n, c in tally.benign.most_common())
    return ScanReport(verdict, (*own, *classes), benign, files, scanned, tuple(unreadable))


def _label(log: LogFile) -> str:
    return f"{log.task}/{log.path.name}"


def _classes(table: SignatureTable, tally: _Tally) -> list[ScanClass]:
    found = [
        ScanClass(s.name, tally.counts[s.name], s.severity, s.meaning, s.fix, tuple(tally.samples[s.name]))
        for s in table.signatures
        if tally.counts[s.name]
    ]
    return sorted(found, key=lambda c: (c.severity != "fatal", -c.count))


def _scan_file(log: LogFile, table: SignatureTable, tally: _Tally) -> None:
    label, reader = _label(log), TracebackReader()
    tally.last_line.clear()
    order = [s for s in table.signatures if s.name != TRACEBACK]
    anchors = {a: i for i, s in enumerate(order) for a in s.anchors}
    for block in read_blocks(log.path, log.size):
        if reader.inside or _START in block.folded:
            _read_tracebacks(block, reader, label, tally)
        for piece, indexes in block.find(anchors):
            text = decode(piece.raw)
            hits, benign = table.judge(text, [order[i] for i in sorted(indexes)])
            if benign:
                tally.benign[benign] += 1
            for signature in hits:
                tally.add(signature.name, label, piece.line, _around(text, signature))


def _read_tracebacks(block: Block, reader: TracebackReader, label: str, tally: _Tally) -> None:
    for piece in block.pieces():
        if reader.inside or START.encode() in piece.raw:
            raised = reader.feed(decode(piece.raw[:_WINDOW]))
            if raised is not None:
                tally.add(TRACEBACK, label, piece.line, str(raised))


def _around(text: str, signature: Signature) -> str:
    """The part of a long line that holds the match."""
    match = signature.pattern.search(text)
    if len(text) <= _WINDOW or match is None:
        return text
    start = max(0, match.start() - SAMPLE_CHARACTERS // 3)
    return text[start : start + _WINDOW]
