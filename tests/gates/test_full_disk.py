"""The disk of the ledger is full, a real small file system: nothing unwritten is started, and no run is lost."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import StorageError
from quantgate.gates import ledger
from quantgate.gates.judgement import judging
from quantgate.gates.launches import starting
from quantgate.gates.traces import reconcile
from quantgate.launcher import door, launch_lock
from tests.gates import real_launches
from tests.requirements import require

FILLING = "filling"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory on a file system of one megabyte."""
    require(os.geteuid() == 0, "a file system is mounted, which only root may do")
    path = tmp_path / "small"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    require(mounted.returncode == 0, f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    monkeypatch.setenv("QUANTGATE_HOME", str(path))
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _fill(home: Path) -> None:
    with (home / FILLING).open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


def _attempt(tmp_path: Path) -> ledger.Attempt:
    place = {"config": "/c.yaml", "executor": "process", "output_dir": str(tmp_path / "results")}
    return ledger.Attempt(invocation_id=door.new_invocation_id(), kind="full", fingerprint="f" * 64, **place)


def _start(attempt: ledger.Attempt, same: Any = lambda: None) -> starting.Started:
    request = door.Request(Path(attempt.config), Path(attempt.output_dir), attempt.invocation_id)
    return starting.start(attempt, request, {}, same)


def test_a_launch_that_cannot_be_written_down_is_not_made(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[door.Request] = []
    monkeypatch.setattr(door, "launch", lambda request, env: asked.append(request))
    assert ledger.attempts() == []
    with pytest.raises(StorageError, match="free disk space"):
        _start(_attempt(tmp_path), lambda: _fill(home))
    assert asked == []
    (home / FILLING).unlink()
    assert ledger.attempts() == []


def test_a_launch_whose_end_cannot_be_written_down_is_told_and_found_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = _attempt(tmp_path)
    directory = tmp_path / "results" / f"20260102_030405-{attempt.invocation_id}"

    def launch(request: door.Request, env: Any) -> None:
        """Stands in for NEL: the run starts, and something else takes the rest of the disk."""
        (directory / "t.0" / "logs").mkdir(parents=True)
        (directory / "t.0" / "logs" / "stage.running").write_text("2026-01-02T03:04:06Z")
        _fill(home)

    monkeypatch.setattr(door, "launch", launch)
    started = _start(attempt)
    assert (started.attempt.invocation_id, started.attempt.outcome) == (attempt.invocation_id, "launched")
    assert "could not note" in started.warnings[0]
    (home / FILLING).unlink()
    assert [a.outcome for a in ledger.attempts()] == ["launching"]
    assert judging.look(ledger.attempts()[0]).state in {"running", "unknown"}
    (noted,) = ledger.attempts()
    assert (noted.outcome, noted.run_dir) == ("launched", str(directory))


def test_what_is_found_while_the_disk_is_full_holds_and_is_written_later(home: Path, tmp_path: Path) -> None:
    attempt = dataclasses.replace(_attempt(tmp_path), invocation_id="a" * 16)
    ledger.add_attempt(attempt)
    _fill(home)
    assert reconcile.settle(attempt).outcome == "failed"
    (home / FILLING).unlink()
    assert [a.outcome for a in ledger.attempts()] == ["launching"]
    reconcile.settle_all()
    assert [a.outcome for a in ledger.attempts()] == ["failed"]


def test_a_full_disk_leaves_no_lock_behind(home: Path, tmp_path: Path) -> None:
    _fill(home)
    attempt = _attempt(tmp_path)
    with pytest.raises(StorageError):
        _start(attempt)
    assert not launch_lock.held(attempt.invocation_id)


def test_a_real_server_on_a_full_disk_refuses_and_starts_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    http = real_launches.endpoint()
    try:
        stage = real_launches.made(tmp_path, http.server_port)
        _fill(home)
        code, _, error = stage.ask()
        assert code != 0
        assert "free disk space" in error
        assert "Traceback" not in error
        assert (stage.directories(), stage.harness_starts()) == ([], 0)
    finally:
        http.shutdown()
        http.server_close()
