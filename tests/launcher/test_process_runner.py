"""The runner of a process invocation, with a harness of a few lines: what it leaves, and that nothing outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from quantgate.launcher import (
    harness_env,
    harnesses,
    process_control,
    process_plan,
    process_runner,
    runner_record,
    script_runner,
)
from quantgate.runs.rundir import RunDir
from quantgate.runs.status import task_status


@pytest.fixture
def invocation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An invocation whose harness is installed already: an environment that has only the command's name."""
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    wheel = harnesses.require_wheel("ifbench")
    build = harness_env.environments_dir() / "builds" / "made-by-the-test"
    (build / "bin").mkdir(parents=True)
    (build / "bin" / "nemo-evaluator").touch()
    (build / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    (harness_env.environments_dir() / harness_env.key(wheel)).symlink_to(build)
    directory = tmp_path / "20260102_030405-0123456789abcdef"
    directory.mkdir()
    return directory


def _plan(invocation: Path, *commands: str) -> None:
    tasks = []
    for index, command in enumerate(commands):
        directory = invocation / f"ifbench.ifbench.{index}"
        directory.mkdir()
        (directory / "command.sh").write_text(command)
        tasks.append(process_plan.PlannedTask("ifbench.ifbench", index, "ifbench", str(directory), ["MY_VALUE"]))
    process_plan.write_plan(invocation, "0123456789abcdef", tasks)


@pytest.fixture
def start(invocation: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    made: list[subprocess.Popen[bytes]] = []

    def go() -> subprocess.Popen[bytes]:
        env = {**os.environ, "QUANTGATE_TASK_0_MY_VALUE": "declared", "SOME_PASS": "of-the-server"}
        made.append(
            subprocess.Popen(
                [sys.executable, "-P", "-m", "quantgate.launcher.process_runner", str(invocation)],
                env=env,
                start_new_session=True,
            )
        )
        return made[-1]

    yield go
    for process in made:
        process_control.stop(invocation)
        process.kill()
        process.wait()


def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _code(invocation: Path, index: int = 0) -> int:
    return int((invocation / f"ifbench.ifbench.{index}" / "logs" / "stage.exit").read_text().split()[-1])


def test_tasks_run_one_after_the_other_and_a_failed_one_does_not_stop_the_next(
    invocation: Path, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    _plan(invocation, 'echo "value=$MY_VALUE pass=$SOME_PASS"; exit 3', "echo fine")
    assert start().wait(timeout=30) == 0
    assert (_code(invocation, 0), _code(invocation, 1)) == (3, 0)
    first = invocation / "ifbench.ifbench.0"
    assert (first / "logs" / "client_stdout.log").read_text() == "value=declared pass=\n"
    assert not (first / "work").exists()
    record = json.loads((invocation / "runner.json").read_text())
    assert record == json.loads((first / "logs" / "runner.json").read_text())


def test_a_signal_ends_the_whole_harness_before_the_exit_record_is_written(
    invocation: Path, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    _plan(invocation, f"trap '' TERM; {sys.executable} -c 'import time; time.sleep(300)' & wait", "echo never")
    runner = start()
    _until(lambda: len(psutil.Process(runner.pid).children(recursive=True)) >= 2)
    family = psutil.Process(runner.pid).children(recursive=True)
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(timeout=30) == 0
    assert psutil.wait_procs(family, timeout=2)[1] == []
    assert _code(invocation) == process_runner.INTERRUPTED_CODE
    assert not (invocation / "ifbench.ifbench.1" / "logs").exists()


def test_a_harness_killed_by_a_signal_is_interrupted_not_failed(
    invocation: Path, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    _plan(invocation, "kill -KILL $$")
    start().wait(timeout=30)
    assert _code(invocation) == 137
    (task,) = RunDir.find(invocation).tasks
    assert task_status(task).state == "interrupted"


def test_a_harness_whose_runner_was_killed_alone_still_counts_as_running_and_can_be_stopped(
    invocation: Path, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    _plan(invocation, "sleep 300")
    runner = start()
    _until(lambda: bool(psutil.Process(runner.pid).children()))
    family = psutil.Process(runner.pid).children(recursive=True)
    runner.kill()
    runner.wait()
    (task,) = RunDir.find(invocation).tasks
    status = task_status(task)
    assert (status.state, "goes on" in status.reason) == ("running", True)
    assert process_control.stop(invocation)
    assert psutil.wait_procs(family, timeout=5)[1] == []
    assert task_status(task).state == "cancelled"


def test_a_stranger_with_the_runner_s_process_id_is_left_alone(invocation: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        record = runner_record.RunnerRecord(stranger.pid, time.time() + 3600, runner_record.boot_id(), "")
        runner_record.write_runner(invocation / "runner.json", record)
        assert process_control.stop(invocation)
        assert stranger.poll() is None
        stranger.kill()


def test_a_command_without_folders_is_nobody_s_run() -> None:
    assert not process_control._is_ours(["bash", "--noprofile", "--norc", "command.sh"], "0123456789abcdef")


def test_a_task_whose_runner_waits_is_not_told_as_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its runner waits for another run's installation: there is no child to end, and the task has begun."""
    logs = tmp_path / "ifbench.ifbench.0" / "logs"
    logs.mkdir(parents=True)
    (logs / "stage.pre-start").touch()
    for name in ("STOP_SECONDS", "KILL_SECONDS"):
        monkeypatch.setattr(process_control, name, 0.2)
    code = "import sys, time; from pathlib import Path; from quantgate.launcher import runner_record as r; "
    code += "r.write_runner(Path(sys.argv[1]), r.own_record()); time.sleep(60)"
    waiting = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "runner.json")], start_new_session=True)
    try:
        script_runner.await_record(tmp_path / "runner.json", waiting)
        left = process_control.cancel_some(tmp_path, ["ifbench.ifbench.0"])
        assert [process.pid for process in left] == [waiting.pid]
        (logs / "stage.exit").touch()
        assert process_control.cancel_some(tmp_path, ["ifbench.ifbench.0"]) == []
    finally:
        waiting.kill()
        waiting.wait()
