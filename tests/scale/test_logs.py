"""Logs that are larger than the time of a call: what was not read is counted, and told in the answer."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from quantgate.gates.views import waiting
from quantgate.runs.rundir import RunDir
from quantgate.runs.scanner import program
from quantgate.runs.scanning import scan
from quantgate.tools import grep_slurm_logs

LOG_BYTES = 1000


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of three tasks with 60 logs each."""
    place = tmp_path / "20261121_100000-00000000000000aa"
    for task in range(3):
        logs = place / f"t.{task}" / "logs"
        logs.mkdir(parents=True)
        for number in range(60):
            (logs / f"client-{number}.log").write_text("x" * (LOG_BYTES - 1) + "\n")
    return place


def test_a_scan_ends_before_a_client_gives_it_up() -> None:
    assert scan.SECONDS <= waiting.LONGEST_WAIT


def test_every_log_and_byte_that_was_not_read_is_counted_and_few_are_named(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "SECONDS", -1.0)
    report = scan.scan(RunDir.find(run).tasks)
    assert (report.unread_logs, report.unread_bytes, len(report.unread)) == (180, 180 * LOG_BYTES, scan.MOST_NAMED)
    assert report.verdict == "suspicious"
    asked = scan.request([scan.described_task(t) for t in RunDir.find(run).tasks], "", (), "")
    assert len(program.scan(asked)["cut"]) == program.MOST_CUT


def test_the_answer_says_how_much_was_read_of_how_much(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    ticks = iter(range(10_000))
    # A clock on which every look takes a second: time is up in the middle.
    monkeypatch.setattr(program.time, "monotonic", lambda: begun + next(ticks))
    answer = grep_slurm_logs.grep_slurm_logs(str(run))
    (told,) = [w for w in answer.warnings if w.startswith("Time was up")]
    assert 0 < answer.files < 180
    assert "of 0.00 GB were read" in told
    named = re.search(r"Not to their end: (.*) and (\d+) more\.", told)
    assert named is not None
    left = named[1].count(", ") + 1 + int(named[2])
    # The log in the middle of which time was up is read and not read to its end.
    assert left - (180 - answer.files) in {0, 1}
    assert answer.verdict == "suspicious"
