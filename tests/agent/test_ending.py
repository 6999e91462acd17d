"""`stop` ends what was started for a trial and nothing else, and keeps how the world stood."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from . import ending, recorder, world

CONFIG = "execution: {type: process}\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A trial's directory."""
    for part in (world.PRIVATE, "work", "home"):
        (tmp_path / part).mkdir()
    recorder.append(tmp_path, {"kind": "opening", "facts": {}})
    return tmp_path


@pytest.fixture
def sleeping() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Sleeping processes that a test starts; whatever still runs at the end is ended."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait(timeout=10)


def _sleep(sleeping: list[subprocess.Popen[bytes]], **env: str) -> int:
    words = [sys.executable, "-c", "import time; time.sleep(120)"]
    sleeping.append(subprocess.Popen(words, env={**os.environ, **env}, start_new_session=True))
    return sleeping[-1].pid


def _saved(directory: Path, processes: list[tuple[int, float]], end: list[list[str]] | None = None) -> None:
    work = str(directory / "work")
    env = world.base_env(directory)
    world.Built("mmlu_pro_endpoint", time.time(), env, {}, processes, end or [], [], work).save(directory)


def _alive(sleeping: list[subprocess.Popen[bytes]]) -> list[bool]:
    return [process.poll() is None for process in sleeping]


def test_the_worlds_processes_and_the_marked_ones_end_and_others_live(
    directory: Path, sleeping: list[subprocess.Popen[bytes]]
) -> None:
    leader = _sleep(sleeping)
    marked = _sleep(sleeping, **{world.MARK: str(directory)})
    _sleep(sleeping, **{world.MARK: str(directory) + "-another"})
    _sleep(sleeping)
    _saved(directory, world.processes([leader]))
    assert set(ending.stop(directory)) == {leader, marked}
    assert _alive(sleeping) == [False, False, True, True]
    assert ending.stop(directory) == []


def test_a_process_id_that_was_used_again_is_not_ended(
    directory: Path, sleeping: list[subprocess.Popen[bytes]]
) -> None:
    pid = _sleep(sleeping)
    _saved(directory, [(pid, psutil.Process(pid).create_time() - 60)])
    assert ending.stop(directory) == []
    assert _alive(sleeping) == [True]


def test_the_end_commands_run_in_the_worlds_environment(directory: Path) -> None:
    word = "import os, pathlib; pathlib.Path('ended').write_text(os.environ['QUANTGATE_HOME'])"
    _saved(directory, [], [[sys.executable, "-c", word]])
    ending.stop(directory)
    assert (directory / "ended").read_text(encoding="utf-8") == str(directory / "home" / "quantgate")


def test_the_end_is_kept_as_it_was_when_the_world_was_stopped(directory: Path) -> None:
    _saved(directory, [])
    config = directory / "work" / "eval.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    recorder.append(directory, {"kind": "call", "tool": "check_config", "exit": 0, "config": str(config)})
    ending.stop(directory)
    config.write_text("changed: true\n", encoding="utf-8")
    assert ending.entries(directory)[-1] == {"kind": "end", "configs": {str(config): CONFIG}, "runs": []}
