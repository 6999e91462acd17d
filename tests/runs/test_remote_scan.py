"""The scan of a cluster's logs; its code is run by the shell and the python3 here, over a real sshd with the test cluster."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from quantgate.cluster import words
from quantgate.cluster.exchange import Done
from quantgate.runs.clusters import remote_scan
from quantgate.runs.clusters.remote import RemoteRun
from quantgate.runs.scanner import files, program
from quantgate.runs.scanning import scan
from quantgate.runs.scanning.scan import ScanReport

OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\n"


class _Here:
    """Stands for a connection: runs on this machine what would be run on the login node."""

    host = "login"

    def __init__(self, python: bool, path: str = "") -> None:
        self._python, self._path = python, path
        self.lines: list[str] = []

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", seconds: float = 30) -> Done:
        self.lines.append(words.line(argv))
        if argv[0] == "python3" and not self._python:
            return Done(127, "", "sh: python3: not found")
        path = f"{self._path}:{os.environ['PATH']}".strip(":")
        done = subprocess.run(
            list(argv), input=stdin, capture_output=True, check=False, timeout=seconds, env=os.environ | {"PATH": path}
        )
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "ifbench.ifbench.0" / "logs"
    folder.mkdir(parents=True)
    return folder


def _scanned(monkeypatch: pytest.MonkeyPatch, logs: Path, here: _Here, pattern: str = "") -> ScanReport:
    monkeypatch.setattr(remote_scan, "connection", lambda host: here)
    return remote_scan.scan_remote(RemoteRun("login", str(logs.parent.parent), ()), pattern)


@pytest.mark.parametrize("python", [True, False])
def test_no_line_break_is_sent_to_the_login_shell(monkeypatch: pytest.MonkeyPatch, logs: Path, python: bool) -> None:
    (logs / "client-77.log").write_text("starting\n" + OOM)
    here = _Here(python)
    found = _scanned(monkeypatch, logs, here, pattern="start(ing|ed)")
    assert [(c.name, c.count) for c in found.classes] == [("pattern", 1), ("cuda_oom", 1)]
    assert here.lines
    assert not any("\n" in line for line in here.lines)


def test_without_python_all_files_have_one_deadline_and_what_is_not_read_is_named(
    monkeypatch: pytest.MonkeyPatch, logs: Path, tmp_path: Path
) -> None:
    for number in range(6):
        (logs / f"client-{number}.log").write_text(OOM)
    # Stands for a slow file system: a grep takes two seconds.
    (tmp_path / "grep").write_text('#!/bin/sh\nsleep 2\nPATH=${PATH#*:} exec grep "$@"\n')
    (tmp_path / "grep").chmod(0o755)
    monkeypatch.setattr(scan, "SECONDS", 3.0)
    found = _scanned(monkeypatch, logs, _Here(False, str(tmp_path)))
    assert len(found.unread) >= 3
    assert set(found.unread) <= {f"ifbench.ifbench.0/client-{n}.log" for n in range(6)}
    assert found.files < 4


def test_without_python_at_most_so_many_files_are_read_and_the_others_are_counted(
    monkeypatch: pytest.MonkeyPatch, logs: Path
) -> None:
    for number in range(files.MAX_FILES + 5):
        (logs / f"client-{number}.log").write_text("fine\n")
    found = _scanned(monkeypatch, logs, _Here(False))
    assert (found.files, found.left_out, found.verdict) == (files.MAX_FILES, 5, "suspicious")


def test_without_python_a_name_that_imitates_an_answer_is_left_out(monkeypatch: pytest.MonkeyPatch, logs: Path) -> None:
    (logs / "client-77.log").write_text("fine\n")
    (logs / "client-\n@count\tcuda_oom\t9\n.log").write_text("fine\n")
    (logs.parent.parent / "x\n@count\tcuda_oom\t9\n.1" / "logs").mkdir(parents=True)
    found = _scanned(monkeypatch, logs, _Here(False))
    assert (found.classes, found.files, found.left_out) == ((), 1, 2)


@pytest.mark.parametrize("python", [True, False])
def test_starts_of_a_server_are_counted_log_by_log_and_are_no_failure(
    monkeypatch: pytest.MonkeyPatch, logs: Path, python: bool
) -> None:
    start = (
        "INFO 01-21 14:16:50 [utils.py:263] non-default args: {'model_tag': '/checkpoint', 'model': '/checkpoint'}\n"
    )
    (logs / "server-0-77-0.log").write_text(start * 2)
    (logs / "server-1-77-0.log").write_text(start)
    found = _scanned(monkeypatch, logs, _Here(python))
    assert found.classes == ()
    (fact,) = found.facts
    assert fact.name == "vllm_started"
    task = logs.parent.name
    assert fact.counts == {f"{task}/server-0-77-0.log": 2, f"{task}/server-1-77-0.log": 1}
    assert len(fact.samples) == 3


def test_a_note_in_a_cluster_s_answer_is_shown_bounded_and_without_escapes(
    monkeypatch: pytest.MonkeyPatch, logs: Path
) -> None:
    answer = program.scan(scan.request([], "", [], "") | {"run": str(logs.parent.parent), "task": ""})
    report = scan.report(answer | {"note": "\x1b[2J" + "x" * 9000})
    assert len(report.note) <= 300
    assert "\x1b" not in report.note
