"""Many and large logs: 1 TB stands as names of one file of 1 GB, so that every byte is read and the disk holds it once."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

from quantgate.runs.rundir import RunDir
from quantgate.runs.scanning import scan
from quantgate.tools.status import status

from . import made
from .figures import Figure, milliseconds, processor

GIGABYTES = (1, 10, 1_000)
FILES = (1_000, 10_000, 100_000)
"""Empty ones: names are what costs."""
OF_A_TASK = 200
_LINES = (
    "INFO engine.py:{n}] Avg prompt throughput: {a}.{b} tokens/s, Running: {a} reqs",
    'INFO api_server.py: 127.0.0.1:{n} - "POST /v1/chat/completions HTTP/1.1" 200 OK',
    "INFO scoring sample {a} of {n}: score 0.{b}, tokenizer and judge are well",
)
_FAILURE = "ERROR torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"


def measure(*, quick: bool = False) -> Iterator[Figure]:
    """Scans by size, and what a directory with many files costs."""
    with made.own_home() as home:
        run = home / "20261121_100000-00000000000000aa"
        log = run / "t.0" / "logs" / "client-0.log"
        log.parent.mkdir(parents=True)
        _write(log, 64 if quick else 1000)
        for size in GIGABYTES[: 2 if quick else None]:
            for number in range(1, size):
                logs = run / f"t.{number // OF_A_TASK}" / "logs"
                logs.mkdir(parents=True, exist_ok=True)
                if not (logs / f"client-{number}.log").exists():
                    os.link(log, logs / f"client-{number}.log")
            yield from _scan(run, size)
    for count in FILES[: 1 if quick else None]:
        yield from _many_files(count)


def _write(path: Path, megabytes: int) -> None:
    """A log of which one line in a thousand shows a failure."""
    dice = random.Random(7)
    lines = []
    for _ in range(100_000):
        text = _FAILURE if dice.random() < 0.001 else dice.choice(_LINES)
        lines.append(text.format(n=dice.randrange(60_000), a=dice.randrange(900), b=dice.randrange(100)))
    block = ("\n".join(lines) + "\n").encode()
    with path.open("wb") as file:
        for _ in range(megabytes * 1_000_000 // len(block) + 1):
            file.write(block)


def _scan(run: Path, gigabytes: int) -> Iterator[Figure]:
    tasks = RunDir.find(run).tasks
    # What the process held at most is counted anew: the log was written by it too.
    Path("/proc/self/clear_refs").write_text("5")
    started, worked = time.perf_counter(), processor()
    report = scan.scan(tasks)
    took, worked = time.perf_counter() - started, processor() - worked
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    counted = getattr(report, "unread_logs", len(report.unread))
    note = f"{counted} logs are said not to be read to their end" if counted else ""
    if gigabytes == 1:
        yield Figure("logs", "a scan of one log", gigabytes, "GB", took, "s", note)
    yield Figure("logs", "a scan", gigabytes, "GB", took, "s", note)
    yield Figure("logs", "a scan", gigabytes, "GB", report.bytes_scanned / 1e9, "GB read")
    yield Figure("logs", "a scan", gigabytes, "GB", worked / report.bytes_scanned * 1e9, "s of processor time per GB")
    yield Figure("logs", "a scan", gigabytes, "GB", peak, "MB of memory at most")


def _many_files(count: int) -> Iterator[Figure]:
    for place in ("logs", "artifacts"):
        with made.own_home() as home:
            run = home / "20261121_100000-00000000000000aa"
            for name in ("logs", "artifacts"):
                (run / "t.0" / name).mkdir(parents=True)
            (run / "t.0" / "logs" / "stage.running").write_text("2026-11-21T09:00:00Z\n")
            for number in range(count):
                (run / "t.0" / place / f"client-{number}.log").touch()
            yield from _costs_of(run, f"so many files in {place}/", count)


def _costs_of(run: Path, with_files: str, count: int) -> Iterator[Figure]:
    tasks = RunDir.find(run).tasks
    told = milliseconds(lambda: status([str(run)]))
    yield Figure("logs", f"status of a task with {with_files}", count, "files", told, "ms")
    yield Figure("logs", f"a scan with {with_files}", count, "files", milliseconds(lambda: scan.scan(tasks), 1), "ms")
