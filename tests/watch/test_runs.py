"""`quantgate runs`: what was launched, when, by which config, and how it ended."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from quantgate import cli
from quantgate.gates import ledger
from quantgate.gates.judgement import judging
from quantgate.gates.traces import remote_views
from quantgate.launcher import execdb
from quantgate.runs.clusters.remote_status import Seen
from quantgate.watch import session

from ..gates.made_remote import attempt, told
from .live_run import REAL, TASK

INVOCATION = "5f3c9a1e7b2d4860"
KEY = "nvapi-" + "k" * 40


def _launched(invocation: str, created: float, **changes: Any) -> None:
    values: dict[str, Any] = {
        "kind": "full",
        "fingerprint": "f",
        "config": "/configs/nightly/eval.yaml",
        "executor": "process",
        "output_dir": "/nowhere",
        "outcome": "launched",
        **changes,
    }
    ledger.add_attempt(ledger.Attempt(invocation_id=invocation, created=created, **values))


@pytest.fixture
def three() -> None:
    """A canary that passed, a launch that failed, and a run of plain NEL between them in time."""
    _launched(INVOCATION, 1_795_000_000.0, kind="canary", run_dir=str(REAL))
    ledger.put_gate(ledger.Gate("f", "canary", True, (), {}, INVOCATION))
    _launched("b" * 16, 1_795_200_000.0, outcome="failed", error=f"NEL refused \x1b[31m{KEY}")
    file = execdb.path()
    file.parent.mkdir(parents=True)
    row = {"invocation_id": "c" * 16, "job_id": "c" * 16 + ".0", "timestamp": 1_795_100_000.0, "executor": "slurm"}
    file.write_text(json.dumps({**row, "data": {}, "config": {}}) + "\n\x00\xff not a record\n", encoding="latin-1")


@pytest.mark.usefixtures("three")
def test_the_newest_come_first_with_how_they_ended(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs"]) == 0
    head, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    table = [dict(zip(head, row, strict=True)) for row in rows]
    assert [(r["invocation"][0], r["kind"], r["state"]) for r in table] == [
        ("b", "full", "failed"),
        ("c", "external", "unknown"),
        ("5", "canary", "succeeded, passed"),
    ]
    assert table[2]["config"] == "nightly/eval.yaml"
    assert table[2]["samples"] == "20/20"
    assert table[2]["launched"].startswith("2026-11-")
    assert "NEL refused" in table[0]["reason"]


@pytest.mark.usefixtures("three")
def test_json_holds_the_same_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs", "--json", "--limit", "3"]) == 0
    out = capsys.readouterr().out
    rows = json.loads(out)
    assert [r["invocation_id"] for r in rows] == ["b" * 16, "c" * 16, INVOCATION]
    assert rows[2]["canary_passed"] is True
    assert rows[2]["tasks"] == [{"task": TASK, "state": "succeeded", "samples_done": 20, "samples_expected": 20}]
    assert rows[2]["config"] == "/configs/nightly/eval.yaml"
    assert rows[0]["launched"].endswith("+00:00")
    assert "kkkkkkkk" not in out
    assert "\\u001b" not in out


@pytest.mark.usefixtures("three")
def test_what_a_limit_leaves_out_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs", "--limit", "1"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 3
    assert "2 older ones are left out" in out[-1]


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1e3", "10001"])
def test_a_limit_that_is_none_is_a_wrong_argument(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["runs", "--limit", limit])
    assert end.value.code == 2
    assert "1 to 10000" in capsys.readouterr().err


def test_no_run_at_all_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs"]) == 0
    assert "No run is known here" in capsys.readouterr().out
    assert cli.main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.usefixtures("three")
def test_a_terminal_gets_a_table_without_what_would_steer_it() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "quantgate", "runs"],
        stdout=theirs,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "150", "NO_COLOR": "1"},
    )
    os.close(theirs)
    drawn = b""
    try:
        while data := os.read(ours, 65536):
            drawn += data
    except OSError:
        pass  # the other side was closed
    os.close(ours)
    assert process.wait(timeout=30) == 0
    text = drawn.decode()
    assert INVOCATION in text
    assert "\x1b[31m" not in text
    assert "kkkkkkkk" not in text


@pytest.mark.usefixtures("three")
def test_a_reader_that_stops_early_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m quantgate runs | head -n 1",
        check=True,
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith("launched\t")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("seen", "doubt", "goes_on"),
    [
        (Seen((told("running"),)), 0.0, True),
        (Seen((told("unknown"),)), 0.0, True),
        (Seen((told("unknown"),)), session.DOUBT_SECONDS, False),
        (Seen((told("unknown"),), gone=True), 0.0, False),
        (Seen((told("failed"),)), 0.0, False),
    ],
)
def test_a_run_on_a_cluster_that_does_not_answer_once_is_watched_on(
    monkeypatch: pytest.MonkeyPatch, seen: Seen, doubt: float, goes_on: bool
) -> None:
    monkeypatch.setattr(remote_views, "see", lambda _: seen)
    assert session._may_go_on(judging.look(attempt(kind="full")), doubt) is goes_on
