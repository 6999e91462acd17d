from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from quantgate.launcher.runner_record import RunnerRecord, alive, own_record, read_runner
from quantgate.runs.process import runner_of
from quantgate.system.machine import process_namespace, start_ticks

from .building import empty_task, runner


@pytest.fixture
def mine(tmp_path: Path) -> RunnerRecord:
    runner(tmp_path)
    record = read_runner(tmp_path / "runner.json")
    assert record is not None
    return record


def test_this_very_process_is_alive(mine: RunnerRecord) -> None:
    assert alive(mine) is True


def test_a_process_id_that_was_used_again_is_not_the_runner(mine: RunnerRecord) -> None:
    assert alive(replace(mine, create_time=mine.create_time - 60)) is False


def test_a_clock_that_was_set_does_not_end_a_runner(mine: RunnerRecord) -> None:
    record = replace(mine, start_ticks=start_ticks(mine.pid))
    assert record.start_ticks > 0
    assert alive(replace(record, create_time=record.create_time - 3600)) is True
    assert alive(replace(record, start_ticks=record.start_ticks - 1)) is False


def test_nothing_of_an_earlier_boot_is_alive(mine: RunnerRecord) -> None:
    assert alive(replace(mine, boot_id="00000000-0000-0000-0000-000000000000")) is False


def test_a_process_of_another_host_is_not_known(mine: RunnerRecord) -> None:
    assert alive(replace(mine, host="elsewhere")) is None


def test_a_process_of_another_container_on_this_host_is_not_known(mine: RunnerRecord) -> None:
    """It may have this host's name and boot, and a process id that means another process here."""
    assert own_record().namespace == process_namespace() != ""
    assert alive(own_record()) is True
    assert alive(replace(mine, namespace="pid:[1]", pid=2**22)) is None
    assert alive(replace(mine, namespace="")) is True, "a record of before"


def test_a_process_that_ended_is_dead_even_before_it_is_reaped(mine: RunnerRecord) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    started = psutil.Process(child.pid).create_time()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    record = replace(mine, pid=child.pid, create_time=started)
    assert alive(record) is False
    child.wait()
    assert alive(record) is False


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"pid": "x", "create_time": 1}', '{"pid": 1}', '{"pid": 0, "create_time": 1}', "[" * 9000],
)
def test_a_half_written_record_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "runner.json").write_text(text)
    assert read_runner(tmp_path / "runner.json") is None


def test_the_tasks_own_record_comes_before_the_invocations(tmp_path: Path) -> None:
    task = empty_task(tmp_path)
    assert runner_of(task) is None
    runner(task.path.parent, pid=11)
    found = runner_of(task)
    assert found is not None
    assert found.pid == 11
    runner(task.logs, pid=22)
    found = runner_of(task)
    assert found is not None
    assert found.pid == 22
