"""`quantgate watch` as a person starts it: a real terminal or a pipe, and a real process that is watched."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantgate import cli
from quantgate.gates import ledger

from .live_run import EXPECTED, REAL, TASK, LiveRun, live_run

SECONDS = 40
KEY = "nvapi-" + "k" * 40


@pytest.fixture
def run(tmp_path: Path) -> Iterator[LiveRun]:
    with live_run(tmp_path) as made:
        yield made


class Terminal:
    """`quantgate watch` in a terminal of 160 columns, and what it has drawn so far."""

    def __init__(self, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "160", "LINES": "40"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "quantgate", "watch", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
        )
        os.close(theirs)
        self.drawn = ""

    def until(self, pattern: str) -> str:
        """Read until a pattern was drawn (without colours)."""
        deadline = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < deadline, self.text
            assert self._read(), self.text
        return found[0]

    def end(self) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + SECONDS
        while self._read():
            assert time.monotonic() < deadline, self.text
        os.close(self._ours)
        return self.process.wait(timeout=SECONDS)

    @property
    def text(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.drawn)

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 1.0)[0]:
            return True
        try:
            data = os.read(self._ours, 65536)
        except OSError:
            return False
        self.drawn += data.decode("utf-8", "replace")
        return bool(data)


def test_a_terminal_shows_the_progress_of_a_run_until_it_has_ended(run: LiveRun) -> None:
    run.tell("answer 4")
    terminal = Terminal(str(run.path))
    assert TASK in terminal.until(rf"{re.escape(TASK)}.*running.*4/{EXPECTED}")
    run.tell("answer 9")
    terminal.until(rf"13/{EXPECTED} +\d+ \w+")
    run.tell("answer 7")
    run.tell("exit 0")
    assert terminal.end() == 0
    assert f"20/{EXPECTED}" in terminal.text
    assert terminal.text.rstrip().endswith("succeeded")


def test_ctrl_c_leaves_the_run_alone_and_says_so(run: LiveRun) -> None:
    terminal = Terminal(str(run.path))
    terminal.until("running")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert "the run goes on" in terminal.text
    assert "Traceback" not in terminal.text
    assert run.process.poll() is None
    run.tell("answer 1")


def _piped(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "quantgate", "watch", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_without_a_terminal_each_change_is_a_line(run: LiveRun) -> None:
    run.tell("answer 2")
    watching = _piped(str(run.path))
    assert watching.stdout is not None
    first = [watching.stdout.readline() for _ in range(3)]
    assert "5f3c9a1e7b2d4860" in first[0]
    assert f"{TASK}  running  2/{EXPECTED}" in first[1]
    run.tell("answer 5")
    assert f"running  7/{EXPECTED}" in watching.stdout.readline()
    run.tell("answer 13")
    run.tell("exit 0")
    rest, errors = watching.communicate(timeout=SECONDS)
    assert watching.returncode == 0
    assert rest.splitlines()[-1].endswith("  succeeded")
    assert (errors, "\x1b" in rest) == ("", False)


def test_a_failure_is_told_with_its_cause_and_exit_code_1(run: LiveRun) -> None:
    run.tell("say Traceback (most recent call last):")
    run.tell(f"say PermissionError: \\x1b[31m{KEY}\\x1b[0m was refused")
    run.tell("exit 1")
    watching = _piped(str(run.path))
    out, _ = watching.communicate(timeout=SECONDS)
    assert watching.returncode == 1
    assert "PermissionError" in out
    assert "kkkkkkkk" not in out
    assert "\x1b" not in out


def test_a_killed_run_ends_the_watch_with_exit_code_1(run: LiveRun) -> None:
    watching = _piped(str(run.path))
    assert watching.stdout is not None
    assert "5f3c9a1e7b2d4860" in watching.stdout.readline()
    run.close()
    out, _ = watching.communicate(timeout=SECONDS)
    assert watching.returncode == 1
    assert "ended without an exit record" in out


def test_names_from_the_disk_cannot_steer_the_terminal(tmp_path: Path) -> None:
    with live_run(tmp_path, "\x1b]0;owned\x07[bold]x.0") as run:
        run.tell("exit 0")
        watching = Terminal(str(run.path))
        assert watching.end() == 0
        assert "\x1b]0;" not in watching.drawn
        assert "[bold]x.0" in watching.text


@pytest.mark.parametrize("name", ["0123456789abcdef", "/no/such/run", "../../etc", "not an id"])
def test_a_run_that_does_not_exist_is_a_wrong_argument(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["watch", name]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Fix:" in captured.err or "Where:" in captured.err


def test_without_any_run_the_next_command_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["watch"]) == 2
    assert "quantgate call canary" in capsys.readouterr().err


def test_a_run_whose_state_cannot_be_known_is_neither_success_nor_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = tmp_path / "20261121_095453-5f3c9a1e7b2d4860" / TASK
    (task / "logs").mkdir(parents=True)
    (task / "run.sub").write_text("#!/bin/bash\n")
    assert cli.main(["watch", str(task.parent)]) == 3
    assert "unknown" in capsys.readouterr().out


def _launched(invocation: str, folder: Path, created: float, **changes: object) -> ledger.Attempt:
    attempt = ledger.Attempt(
        invocation_id=invocation,
        kind="full",
        fingerprint="f",
        config="/configs/eval.yaml",
        executor="process",
        output_dir=str(folder),
        outcome="launched",
        created=created,
        **changes,  # type: ignore[arg-type]
    )
    ledger.add_attempt(attempt)
    return attempt


def test_without_a_name_the_newest_run_that_goes_on_is_watched(tmp_path: Path) -> None:
    with live_run(tmp_path) as run:
        _launched("5f3c9a1e7b2d4860", tmp_path, 100.0, run_dir=str(run.path))
        _launched("a" * 16, tmp_path, 200.0, run_dir="/gone")
        watching = _piped()
        assert watching.stdout is not None
        assert "5f3c9a1e7b2d4860  full  process  configs/eval.yaml" in watching.stdout.readline()
        run.tell("exit 0")
        watching.communicate(timeout=SECONDS)
        assert watching.returncode == 0


def test_without_one_that_goes_on_it_is_the_newest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _launched("5f3c9a1e7b2d4860", REAL.parent, 100.0, run_dir=str(REAL))
    assert cli.main(["watch"]) == 0
    assert "20/20" in capsys.readouterr().out
    _launched("a" * 16, tmp_path, 200.0, run_dir="/gone/for/good")
    assert cli.main(["watch"]) == 3
    assert "/gone/for/good is gone" in capsys.readouterr().out


def test_a_canary_that_ended_and_did_not_pass_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    attempt = _launched("5f3c9a1e7b2d4860", REAL.parent, 100.0, run_dir=str(REAL))
    with ledger.store.connection() as opened:
        opened.execute("UPDATE attempts SET kind='canary'")
    ledger.put_gate(ledger.Gate(attempt.fingerprint, "canary", False, ("too few samples",), {}, attempt.invocation_id))
    assert cli.main(["watch", attempt.invocation_id]) == 1
    assert "the canary did not pass: too few samples" in capsys.readouterr().out
