"""Run directories for tests: a copy of a real one (20 IFBench prompts on Gemma 3 270M), and bare ones to be filled."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from pathlib import Path

import psutil

from quantgate.runs.rundir import RunDir, TaskDir
from quantgate.system.machine import boot_id

DATA = Path(__file__).parents[1] / "data" / "runs"
REAL = DATA / "20261121_095453-5f3c9a1e7b2d4860"
NAME = "20261121_095453-5f3c9a1e7b2d4860"
TASK = "ifbench.ifbench.0"


def real_copy(folder: Path) -> RunDir:
    """A copy of the real run that a test may damage."""
    shutil.copytree(REAL, folder / NAME)
    return RunDir.find(folder / NAME)


def empty_task(folder: Path, name: str = TASK) -> TaskDir:
    """A task that has been laid out and not begun."""
    for part in ("logs", "artifacts"):
        (folder / NAME / name / part).mkdir(parents=True, exist_ok=True)
    task = RunDir.find(folder / NAME).task(name)
    assert task is not None
    return task


def stage(task: TaskDir, name: str, text: str = "2026-11-21T09:54:53Z\n") -> None:
    """Write a stage file."""
    (task.logs / f"stage.{name}").write_text(text)


def runner(folder: Path, **changes: object) -> None:
    """Write the record of this very process as the runner, with changes."""
    process = psutil.Process()
    record = {
        "pid": process.pid,
        "create_time": process.create_time(),
        "boot_id": boot_id(),
        "host": socket.gethostname(),
        **changes,
    }
    (folder / "runner.json").write_text(json.dumps(record))


def age(folder: Path, seconds: float) -> None:
    """Make everything directly inside a folder, and the folder, older."""
    then = time.time() - seconds
    for path in [*folder.iterdir(), folder]:
        os.utime(path, (then, then))
