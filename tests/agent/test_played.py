"""The scripted agent plays scenarios in their real worlds: worlds, commands, checker and clean-up work without a model."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.integration.slurm.cluster import missing
from tests.requirements import require

from . import plays, recording, trial, world
from .scripted import Step, steps

ROOT = Path(__file__).parents[2]
PLAYED = ("mmlu_pro_endpoint", "fp8_slurm", "noise")
START_SECONDS = 120
MOST_CALLS = 25

# The first test waits for all scenarios: about a minute and a half, several times that on a busy machine.
pytestmark = pytest.mark.timeout(1200)


@dataclass
class Played:
    """A trial that was played, or why it could not be."""

    directory: Path
    problem: str = ""
    seconds: float = 0.0


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.agent.trial", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


def _play(name: str, played: Played) -> None:
    started = time.monotonic()
    try:
        done = _command("start", name, str(played.directory))
        if done.returncode:
            played.problem = done.stderr[-2000:]
            return
        plays.play(name, played.directory)
    except (AssertionError, subprocess.TimeoutExpired, KeyError) as error:
        played.problem = f"{type(error).__name__}: {error}"
    played.seconds = time.monotonic() - started


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Played]]:
    """The scenarios, played side by side: most of their time is waiting for runs."""
    names = [n for n in PLAYED if n != "fp8_slurm" or not missing()]
    played = {n: Played(tmp_path_factory.mktemp("trial") / n) for n in names}
    threads = [threading.Thread(target=_play, args=item) for item in played.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield played
    for one in played.values():
        if (one.directory / world.PRIVATE / "world.json").exists():
            _command("stop", str(one.directory))


def _of(trials: dict[str, Played], name: str) -> Played:
    if name == "fp8_slurm":
        require(not missing(), missing())
    return trials[name]


@pytest.mark.parametrize("name", PLAYED)
def test_the_scripted_agent_passes_in_the_real_world(trials: dict[str, Played], name: str) -> None:
    played = _of(trials, name)
    assert played.problem == ""
    judged = trial.grade(played.directory)
    assert judged.failed == [], "\n".join(judged.lines())
    assert judged.calls <= MOST_CALLS
    assert judged.tokens > 1000


@pytest.mark.parametrize("name", PLAYED)
def test_a_played_trial_is_recorded_with_its_grade_and_stopped_without_a_trace(
    trials: dict[str, Played], name: str, tmp_path: Path
) -> None:
    played = _of(trials, name)
    assert played.problem == ""
    kept = recording.record(played.directory, "kept", by="a test", folder=tmp_path)
    assert str(played.directory) not in kept.read_text(encoding="utf-8")
    done = _command("stop", str(played.directory))
    assert done.returncode == 0, done.stderr
    for pid, started in world.Built.load(played.directory).processes:
        assert not psutil.pid_exists(pid) or psutil.Process(pid).create_time() != pytest.approx(started, abs=1)
    assert _command("grade", str(played.directory)).returncode == 0


def test_a_directory_that_holds_something_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(FileExistsError, match="not empty"):
        trial.start("noise", tmp_path)


def test_the_calls_of_a_next_step_are_read_with_their_arguments() -> None:
    text = (
        "edit_config(config='/w/a (1).yaml', set=['a.b=<value>', 'c=[1, 2]']), then dry_run(config='/w/a (1).yaml'): the first; "
        "canary(config='e.yaml', again=true). No verify_run here."
    )
    found = steps(text)
    assert found == [
        Step("edit_config", {"config": "/w/a (1).yaml", "set": ["a.b=<value>", "c=[1, 2]"]}),
        Step("dry_run", {"config": "/w/a (1).yaml"}),
        Step("canary", {"config": "e.yaml", "again": True}),
    ]
    assert [step.open for step in found] == [True, False, False]
