"""`make bench` leaves nothing behind, and a benchmark that fails takes no earlier result with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from benchmarks.measured import Growth, Point, Result, alone, compared

from benchmarks import __main__ as driver
from benchmarks import kept


def test_a_benchmark_that_fails_is_told_and_leaves_no_directory_and_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(driver.tempfile, "mkdtemp", lambda **_: str(_made(tmp_path / "scratch")))
    assert not driver.run("no_such_benchmark", quick=False, load=0.0)
    assert not (tmp_path / "scratch").exists()
    assert not (tmp_path / "results").exists()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_process_that_outlives_its_benchmark_is_ended_and_no_other(tmp_path: Path) -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    left = subprocess.Popen(
        sleep, env={"QUANTGATE_HOME": str(tmp_path / "of-a-benchmark" / "state")}, start_new_session=True
    )
    other = subprocess.Popen(sleep, env={"QUANTGATE_HOME": str(tmp_path / "of-a-benchmark-too" / "state")})
    try:
        driver.end_all(str(tmp_path / "of-a-benchmark"))
        assert left.wait(timeout=10) == -9
        assert psutil.pid_exists(other.pid)
        assert other.poll() is None
    finally:
        for process in (left, other):
            process.kill()
            process.wait()


def test_an_unknown_benchmark_is_refused_with_the_names_there_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "log_scam"])
    with pytest.raises(SystemExit) as refused:
        driver.main()
    assert refused.value.code == 2
    assert "log_scan" in capsys.readouterr().err


def test_what_is_kept_is_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "FOLDER", tmp_path)
    monkeypatch.setattr(kept, "NAMES", ("one", "two"))
    rows = (
        compared("a", "ours", "theirs", [(1.0, 2.0), (1.5, 2.0)], limit=1.3),
        alone("b", "memory", [2.0], unit="MB"),
    )
    growth = Growth("g", "title", "runs", "s", (Point("1", 1.0, {"ours": 0.5}), Point("10", 10.0, {"ours": 5.0})))
    kept.write("two", Result(rows, (growth,)), "a machine", 3.4)
    (found,) = kept.everything()
    assert (found.name, found.machine, found.seconds) == ("two", "a machine", 3)
    assert found.result == Result(rows, (growth,))
