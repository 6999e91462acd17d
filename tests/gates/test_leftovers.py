"""The keys that NEL lays beside a run in containers, and when they go."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from quantgate.gates import ledger
from quantgate.gates.traces import leftovers, lookup
from quantgate.launcher import door, launch_lock

INVOCATION = "5f3c9a1e7b2d4860"


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """The directory of a task as NEL's local executor leaves it."""
    directory = tmp_path / "results" / f"20260102_030405-{INVOCATION}" / "ifbench.ifbench.0"
    (directory / "logs").mkdir(parents=True)
    (directory / "run.sh").write_text("docker run …\n")
    (directory / leftovers.SECRETS).write_text("export KEY=x\n")
    return directory


def _run(task: Path) -> lookup.Run:
    run = task.parent
    ledger.add_attempt(
        ledger.Attempt(INVOCATION, "full", "f" * 64, "/e.yaml", "local", str(run.parent), str(run), outcome="launched")
    )
    return lookup.find(INVOCATION)


def _aged(file: Path, seconds: float) -> None:
    os.utime(file, (time.time() - seconds,) * 2)


def _ended(task: Path, code: int) -> None:
    for name in ("pre-start", "running"):
        (task / "logs" / f"stage.{name}").write_text("2026-01-02T03:04:06Z")
    (task / "logs" / "stage.exit").write_text(f"2026-01-02T03:05:06Z {code}")


@pytest.mark.parametrize("code", [0, 1, 143])
def test_the_first_look_at_a_run_that_ended_removes_its_keys(task: Path, code: int) -> None:
    from quantgate.tools.status import status

    _aged(task / leftovers.SECRETS, 60)
    _ended(task, code)
    _run(task)
    assert status([INVOCATION]).runs[0].state in {"succeeded", "failed", "interrupted"}
    assert not (task / leftovers.SECRETS).exists()
    assert (task / "run.sh").exists()


def test_the_keys_of_a_run_that_goes_on_stay(task: Path) -> None:
    from quantgate.tools.status import status

    (task / "logs" / "stage.running").write_text("2026-01-02T03:04:06Z")
    _run(task)
    assert status([INVOCATION]).runs[0].state == "running"
    assert (task / leftovers.SECRETS).exists()


def test_keys_that_a_resume_has_just_written_stay(task: Path) -> None:
    _ended(task, 1)
    _aged(task / "logs" / "stage.exit", 60)
    leftovers.remove_secrets(_run(task))
    assert (task / leftovers.SECRETS).exists()


def _killed_in_a_resume(task: Path) -> list[Path]:
    """What a resume leaves that is killed while it prepares its scripts and puts them into place."""
    aside = task.parent / leftovers.ASIDE / "fresh" / task.name
    aside.mkdir(parents=True)
    files = [aside / leftovers.SECRETS, task / f".{leftovers.SECRETS}.4711"]
    for file in files:
        file.write_text("export KEY=x\n")
    return files


def test_the_keys_that_a_killed_resume_left_go_once_nobody_holds_its_lock(task: Path) -> None:
    _ended(task, 1)
    _aged(task / "logs" / "stage.exit", 60)
    files = _killed_in_a_resume(task)
    run = _run(task)
    with launch_lock.taken(INVOCATION):
        leftovers.remove_secrets(run)
        assert all(file.exists() for file in files)
    leftovers.remove_secrets(run)
    assert not any(file.exists() for file in files)
    assert not (task.parent / leftovers.ASIDE).exists()
    # Put into place before the kill: nobody will read them any more once a launch of then must be over.
    assert (task / leftovers.SECRETS).exists()
    _aged(task / leftovers.SECRETS, door.LAUNCH_SECONDS + 5)
    _aged(task / "logs" / "stage.exit", door.LAUNCH_SECONDS + 60)
    leftovers.remove_secrets(run)
    assert not (task / leftovers.SECRETS).exists()


def test_a_link_in_the_place_of_a_resume_s_folder_is_not_followed(task: Path, tmp_path: Path) -> None:
    _ended(task, 1)
    elsewhere = tmp_path / "elsewhere" / "fresh" / task.name / leftovers.SECRETS
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text("export KEY=x\n")
    (task.parent / leftovers.ASIDE).symlink_to(tmp_path / "elsewhere")
    leftovers.remove_secrets(_run(task))
    assert elsewhere.exists()


def test_without_an_end_on_record_only_old_keys_go(task: Path) -> None:
    (task / "logs" / "stage.running").write_text("2026-01-02T03:04:06Z")
    run = _run(task)
    leftovers.remove_secrets(run)
    assert (task / leftovers.SECRETS).exists()
    _aged(task / leftovers.SECRETS, door.LAUNCH_SECONDS + 5)
    leftovers.remove_secrets(run)
    assert not (task / leftovers.SECRETS).exists()


def test_the_keys_of_a_colleague_s_run_are_not_touched(task: Path) -> None:
    _ended(task, 0)
    _aged(task / leftovers.SECRETS, 60)
    leftovers.remove_secrets(lookup.find(str(task.parent)))
    assert (task / leftovers.SECRETS).exists()
