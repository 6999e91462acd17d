"""One log searched in one pass: grep finds the lines that may count, and what they show is told from those alone."""

import errno
import os
import re
import subprocess
import threading
import time
from typing import IO, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .lines import Quiet, Rule, decode, judge
from .reading import OPEN, grep_command, grep_environment, read_at
from .stream import Feed, parts
from .tracebacks import START, TracebackReader

SAMPLES = 3
WINDOW = 8 * 1024
"""How much of a longer line is looked at around a literal."""
TEXT = 2000
"""Characters of a sample's surroundings that are handed on, so that a secret beside the match is seen whole."""
LEAD = 700
TRACEBACK_BYTES = 64 * 1024
MOST_TRACEBACKS = 1000
"""In one part of a log; beyond it their ends are not looked up."""
PART_BYTES = 64 << 20
MOST_JUDGED = 20000
"""Lines whose judgement is remembered: a log repeats itself, but for its times and large numbers."""
MOST_PATTERN = 10000
"""Matches of the caller's own pattern that are counted."""
# Address space in kilobytes and seconds of work that one grep may take.
_LIMITED = "ulimit -v 1500000 2>/dev/null; ulimit -t 300 2>/dev/null;"
_START = START.encode()
_TIME = re.compile(rb"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?")
# Not a row of zeros: "0.0000 errors" is another thing than "0.0001".
_LONG_NUMBER = re.compile(rb"(?!0+(?!\d))\d{4,}")


class Sample(NamedTuple):
    """A match: the byte of the file that it is at, its surroundings, and where in these it begins."""

    at: int
    text: str
    begins: int


class Seen:
    """What one part of a log, or all of it, shows."""

    def __init__(self) -> None:
        self.counts: Dict[str, int] = {}
        self.benign: Dict[str, int] = {}
        self.samples: Dict[str, List[Sample]] = {}
        self._last: Dict[str, int] = {}

    def count(self, name: str, line: int) -> bool:
        """Count the line that begins at a byte, once, for a class; whether a sample of it is still wanted."""
        if self._last.get(name) == line:
            return False
        self._last[name] = line
        number = self.counts[name] = self.counts.get(name, 0) + 1
        return number <= SAMPLES

    def add(self, name: str, line: int, sample: Sample) -> None:
        """Count a line for a class, and keep it among the first."""
        if self.count(name, line):
            self.samples.setdefault(name, []).append(sample)


class Looked(NamedTuple):
    """A log that was searched.

    Attributes:
        seen: By class.
        lines: The number of the line at a byte of the file.
        read: Bytes that were looked at.
        cut: It was not looked at to its end.
        complaint: What grep said of the caller's pattern; empty when it took it.
    """

    seen: Seen
    lines: Dict[int, int]
    read: int
    cut: bool
    complaint: str


class Search:
    """What to look for, in any number of logs.

    Args:
        rules: The classes, without that of tracebacks.
        benign: What does not count.
        prefilter: An extended regular expression that matches every line of the classes.
        traceback: The name of the class of tracebacks.
        pattern: The caller's own extended regular expression; empty for none.
        own: The class of the caller's matches.
        deadline: When to stop, as `time.monotonic` tells it.
        side_by_side: Parts of one log that are searched at once.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        benign: Sequence[Quiet],
        prefilter: str,
        traceback: str,
        pattern: str,
        own: str,
        deadline: float,
        side_by_side: int,
    ) -> None:
        self.rules, self.benign, self.prefilter = rules, benign, prefilter
        self.traceback, self.pattern, self.own = traceback, pattern, own
        self.deadline, self.side_by_side = deadline, min(side_by_side, os.cpu_count() or 1)

    def judge(self, raw: bytes) -> Tuple[List[Rule], str, bool]:
        """The classes that a line shows, the benign pattern that took them away, and whether a traceback begins in it."""
        folded = raw.lower()
        among = [rule for rule in self.rules if any(anchor in folded for anchor in rule.anchors)]
        hits, benign = judge(decode(raw), among, self.benign) if among else ([], "")
        return hits, benign, _START in raw

    def file(self, path: str, size: int) -> Looked:
        """Search one log.

        Raises:
            OSError: It cannot be read, or there is no grep here.
        """
        descriptor = os.open(path, OPEN)
        try:
            spans = parts(descriptor, size, self.side_by_side, PART_BYTES)
            workers = [_Part(self, descriptor, start, end) for start, end in spans]
            for worker in workers[1:]:
                worker.start()
            workers[0].run()
            for worker in workers[1:]:
                worker.join()
            for worker in workers:
                if worker.failure is not None:
                    raise worker.failure
            return _joined(workers, descriptor)
        finally:
            os.close(descriptor)


class _Part(threading.Thread):
    """One part of a log: it is fed to grep, and what grep lets through is judged."""

    def __init__(self, search: Search, descriptor: int, start: int, end: int) -> None:
        threading.Thread.__init__(self, daemon=True)
        self.seen, self.complaint = Seen(), ""
        self.failure: Optional[OSError] = None
        self.feed = Feed(descriptor, start, end, search.deadline)
        self._search, self._descriptor = search, descriptor
        self._tracebacks = 0
        self._judged: Dict[bytes, Tuple[List[Rule], str, bool]] = {}

    def run(self) -> None:
        try:
            self._run()
        except OSError as error:
            self.failure = error

    def _run(self) -> None:
        greps = [_started(["-abiE", "-e", self._search.prefilter])]
        readers = [threading.Thread(target=self._read, args=(greps[0].stdout, self._judge), daemon=True)]
        if self._search.pattern:
            greps.append(_started(["-abiE", "-m", str(MOST_PATTERN), "-e", self._search.pattern]))
            readers.append(threading.Thread(target=self._read, args=(greps[1].stdout, self._own), daemon=True))
        late = threading.Timer(max(1.0, self._search.deadline - time.monotonic() + 2), _end, args=(greps,))
        late.daemon = True
        late.start()
        for reader in readers:
            reader.start()
        self.feed.run([grep.stdin for grep in greps if grep.stdin is not None])
        for reader in readers:
            reader.join()
        said = [grep.stderr.read(500).decode("utf-8", "replace").strip() for grep in greps if grep.stderr is not None]
        codes = [grep.wait() for grep in greps]
        late.cancel()
        for grep in greps:
            for pipe in (grep.stdout, grep.stderr):
                if pipe is not None:
                    pipe.close()
        if codes[0] in {126, 127}:
            raise FileNotFoundError(errno.ENOENT, "there is no grep")
        if codes[0] not in {0, 1}:
            self.feed.cut = True
        if len(codes) > 1 and codes[1] not in {0, 1}:
            self.complaint = said[1] or "grep needed too much time or memory for it"

    def _read(self, rows: IO[bytes], use: Any) -> None:
        for row in rows:
            offset, _, raw = row.partition(b":")
            stream = int(offset)
            use(self.feed.places.in_file(stream), self.feed.places.line_start(stream), raw.rstrip(b"\n"))

    def _own(self, at: int, line: int, raw: bytes) -> None:
        self.seen.add(self._search.own, line, Sample(at, decode(raw[:TEXT]), 0))

    def _judge(self, at: int, line: int, raw: bytes) -> None:
        if len(raw) <= WINDOW:
            self._judge_window(at, line, raw)
            return
        # Half a window further each time: what one cuts, the next has whole.
        for begin in range(0, len(raw) - WINDOW // 2, WINDOW // 2):
            self._judge_window(at + begin, line, raw[begin : begin + WINDOW])

    def _judge_window(self, at: int, line: int, raw: bytes) -> None:
        key = _LONG_NUMBER.sub(b"1111", _TIME.sub(b"11:11:11", raw))
        judged = self._judged.get(key)
        if judged is None:
            if len(self._judged) >= MOST_JUDGED:
                self._judged.clear()
            judged = self._judged[key] = self._search.judge(raw)
        rules, benign, traceback = judged
        if traceback:
            self._traceback(at + raw.index(_START), at)
        if benign:
            self.seen.benign[benign] = self.seen.benign.get(benign, 0) + 1
        for rule in rules:
            if self.seen.count(rule.name, line):
                self.seen.samples.setdefault(rule.name, []).append(_sample(rule, at, line, raw))

    def _traceback(self, at: int, line_at: int) -> None:
        """Count the traceback that begins here when it has an end, which may be beyond this part of the log."""
        self._tracebacks += 1
        if self._tracebacks > MOST_TRACEBACKS:
            self.seen.add(self._search.traceback, at, Sample(line_at, START, 0))
            return
        begin = line_at if at - line_at < TEXT // 2 else at
        reader, offset = TracebackReader(), begin
        for raw in read_at(self._descriptor, TRACEBACK_BYTES, begin).split(b"\n"):
            if offset > begin and _START in raw:
                return
            raised = reader.feed(decode(raw[:TEXT]))
            if raised is not None:
                self.seen.add(self._search.traceback, offset, Sample(offset, str(raised), 0))
                return
            if not reader.inside:
                return
            offset += len(raw) + 1


def _sample(rule: Rule, at: int, line: int, raw: bytes) -> Sample:
    """A match with what is around it, from the beginning of a word: the rest of one may be the rest of a secret."""
    text = decode(raw)
    match = rule.pattern.search(text)
    begins = match.start() if match is not None else 0
    start = max(0, begins - LEAD)
    if start or at != line:
        blank = text.find(" ", start, begins)
        start = blank + 1 if blank >= 0 else begins
    return Sample(at, text[start : start + TEXT], begins - start)


def _started(flags: List[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        grep_command(_LIMITED, *flags),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=grep_environment(),
    )


def _end(greps: "List[subprocess.Popen[bytes]]") -> None:
    for grep in greps:
        grep.kill()


def _joined(workers: List[_Part], descriptor: int) -> Looked:
    """The parts of one log as one."""
    whole = Seen()
    lines: Dict[int, int] = {}
    first = 0
    for worker in workers:
        seen, places = worker.seen, worker.feed.places
        for name, count in seen.counts.items():
            whole.counts[name] = whole.counts.get(name, 0) + count
        for name, count in seen.benign.items():
            whole.benign[name] = whole.benign.get(name, 0) + count
        for name, found in seen.samples.items():
            kept = whole.samples.setdefault(name, [])
            for sample in found[: SAMPLES - len(kept)]:
                kept.append(sample)
                # The end of a traceback may lie beyond the part that it begins in, not beyond what was counted by far.
                lines[sample.at] = 1 + first + places.line(descriptor, sample.at)
        first += places.newlines
    return Looked(
        whole,
        lines,
        sum(worker.feed.read for worker in workers),
        any(worker.feed.cut for worker in workers),
        next((worker.complaint for worker in workers if worker.complaint), ""),
    )
