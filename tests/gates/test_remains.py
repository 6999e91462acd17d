"""What is left, or made again, of a run's directory that was deleted is not taken for the run."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from quantgate.errors import Refused
from quantgate.gates import ledger
from quantgate.gates.judgement import judging
from quantgate.gates.launches import launching
from quantgate.gates.traces import lookup, remains
from quantgate.launcher import container_control, execdb, launch_lock, process_control

from ..runs.building import TASK, runner
from . import made_containers
from .made_runs import until

ID = "0123456789abcdef"
CONTAINER = "client-ifbench.ifbench-20260102_030405_123456"


@pytest.fixture
def attempt(tmp_path: Path) -> ledger.Attempt:
    """A launched run whose directory holds only what a dying harness writes into its artifacts."""
    directory = tmp_path / "20260102_030405-0123456789abcdef"
    (directory / TASK / "artifacts").mkdir(parents=True)
    made = ledger.Attempt(
        "0123456789abcdef",
        "canary",
        "f" * 64,
        str(tmp_path / "eval.yaml"),
        "process",
        str(tmp_path),
        run_dir=str(directory),
        outcome="launched",
        host=socket.gethostname(),
    )
    ledger.add_attempt(made)
    return made


def test_a_directory_that_was_made_again_is_no_run_and_judges_no_canary(attempt: ledger.Attempt) -> None:
    view = judging.view(lookup.find(attempt.invocation_id))
    assert view.run.directory is None
    assert view.state == "unknown"
    assert view.gate is None


def test_a_launched_run_whose_runner_has_not_begun_is_one(attempt: ledger.Attempt) -> None:
    with launch_lock.taken(attempt.invocation_id):
        assert lookup.find(attempt.invocation_id).directory is not None


def test_a_run_that_began_is_one(attempt: ledger.Attempt) -> None:
    runner(Path(attempt.run_dir))
    view = judging.view(lookup.find(attempt.invocation_id))
    assert view.run.directory is not None
    assert view.state == "pending"


def _open(tmp_path: Path, executor: str = "process") -> ledger.Attempt:
    """A launch that its server left open, in an output directory of which nothing is to be seen."""
    made = ledger.Attempt(ID, "full", "f" * 64, str(tmp_path / "eval.yaml"), executor, str(tmp_path / "results"))
    ledger.add_attempt(made)
    return made


def _record(executor: str, task: Path, **data: str) -> None:
    file = execdb.path()
    file.parent.mkdir(parents=True, exist_ok=True)
    row = {"invocation_id": ID, "job_id": f"{ID}.0", "executor": executor, "data": {"output_dir": str(task), **data}}
    file.write_text(json.dumps(row) + "\n")


@contextmanager
def _stray(command: list[str], folder: Path) -> Iterator[None]:
    with subprocess.Popen(command, cwd=folder, start_new_session=True) as process:
        try:
            yield
        finally:
            process.kill()


def _runner_like() -> list[str]:
    """A process with the command line of a runner whose directory is not there."""
    waits = [sys.executable, "-c", "import time; time.sleep(120)"]
    return [*waits, "quantgate.launcher.process_runner", f"/unmounted/20260102_030405-{ID}"]


def test_a_launch_that_nel_recorded_in_a_place_that_is_not_there_is_open_until_that_is_back(tmp_path: Path) -> None:
    directory = tmp_path / "results" / f"20260102_030405-{ID}"
    _record("process", directory / TASK)
    attempt = _open(tmp_path)
    (tmp_path / "results").mkdir()
    view = judging.look(attempt)
    assert (view.state, ledger.open_attempts()) == ("unknown", [attempt])
    assert f"NEL recorded it in {directory}"[:60] in view.reason
    (directory / TASK / "logs").mkdir(parents=True)
    (directory / TASK / "artifacts").mkdir()
    runner(directory)
    assert judging.look(attempt).state == "pending"
    assert ledger.attempts()[0].outcome == "launched"


def test_a_launch_whose_output_directory_cannot_be_read_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = _open(tmp_path)

    def stale(path: str) -> object:
        raise OSError(116, "Stale file handle")

    with monkeypatch.context() as patched:
        patched.setattr(remains, "_listing", stale)
        view = judging.look(attempt)
        assert view.state == "unknown"
        assert "Stale file handle" in view.reason
    assert judging.look(attempt).state == "failed"


def test_a_launch_of_which_a_process_runs_is_open_and_refused_again_whatever_the_ledger_says(tmp_path: Path) -> None:
    attempt = _open(tmp_path)
    with _stray(_runner_like(), tmp_path):
        view = judging.look(attempt)
        assert view.state == "unknown"
        assert "cannot be seen, and process" in view.reason
        for outcome in ("launching", "failed", "launched"):
            with pytest.raises(Refused, match="still going on"):
                launching._require_no_strays(dataclasses.replace(attempt, outcome=outcome))
    assert judging.look(attempt).state == "failed"
    launching._require_no_strays(attempt)


def test_without_sessions_the_strays_of_a_launch_are_its_own_processes_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on Windows, where every process has the session -1.
    monkeypatch.setattr(process_control, "session_of", lambda _pid: -1)
    assert process_control.strays(ID) == []
    with _stray(_runner_like(), tmp_path):
        found = {process.pid for process in process_control.strays(ID)}
        assert found
        assert found <= {child.pid for child in psutil.Process().children(recursive=True)}
        assert os.getpid() not in found


def test_a_launch_of_which_a_container_runs_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = made_containers.Engine(tmp_path)
    monkeypatch.setenv("PATH", f"{engine.bin}{os.pathsep}{os.environ['PATH']}")
    # NEL's record names its container; the directory was seen, but not that it began.
    directory = tmp_path / "elsewhere" / f"20260102_030405-{ID}"
    directory.mkdir(parents=True)
    _record("local", directory / TASK, container=CONTAINER)
    attempt = _open(tmp_path, "local")
    (engine.state / "running" / CONTAINER).touch()
    assert (
        judging.look(attempt).reason
        == f"its directory cannot be seen, and container {CONTAINER} of it runs; cancel ends it"
    )
    (engine.state / "silent").touch()
    assert "does not answer" in judging.look(attempt).reason
    (engine.state / "silent").unlink()
    (engine.state / "running" / CONTAINER).unlink()
    assert judging.look(attempt).state == "failed"


def test_a_script_of_containers_in_a_deleted_directory_is_found(tmp_path: Path) -> None:
    folder = tmp_path / f"20260102_030405-{ID}"
    folder.mkdir()
    (folder / "run_all.sequential.sh").write_text("touch ../begun; sleep 120; true\n")
    attempt = _open(tmp_path, "process")
    with _stray(["bash", "run_all.sequential.sh"], folder):
        until((tmp_path / "begun").exists)
        (folder / "run_all.sequential.sh").unlink()
        folder.rmdir()
        assert remains.described(attempt)
        assert remains.end(attempt) == remains.Ended(True, (), ())
    assert remains.described(attempt) == []


def test_only_names_of_nel_s_own_form_and_mounts_of_this_run_are_its_containers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = CONTAINER.replace("client", "server")
    assert container_control.recorded_names(TASK, CONTAINER) == (CONTAINER, server)
    for other in ("", "database", "client-other-20260102_030405", f"{CONTAINER}9"):
        assert container_control.recorded_names(TASK, other) == ()
    lines = [
        f"{CONTAINER}\t/r/20260102_030405-{ID}/{TASK}/artifacts,/cache",
        f"notebook\t/r/20260102_030405-{ID}",
        f"client-other-20260102_030405\t/r/20260102_030405-{ID}0/t.0",
        f"{server}\t/models",
    ]
    monkeypatch.setattr(container_control, "_engine", lambda *words: "\n".join(lines))
    assert container_control.without_directory(ID, []) == [CONTAINER]
    assert container_control.without_directory(ID, [CONTAINER, server]) == [CONTAINER, server]
