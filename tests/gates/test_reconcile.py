"""What became of a launch that a server left open: by what is on disk and by its lock, not by a clock."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quantgate import workspace
from quantgate.gates import ledger
from quantgate.gates.judgement import judging
from quantgate.gates.traces import lookup, reconcile
from quantgate.launcher import door, launch_lock

ID = "0123456789abcdef"


def _open(tmp_path: Path, **changes: Any) -> ledger.Attempt:
    """An open attempt of this machine, written to the ledger."""
    attempt = ledger.Attempt(
        **{
            "invocation_id": ID,
            "kind": "full",
            "fingerprint": "f" * 64,
            "config": str(tmp_path / "eval.yaml"),
            "executor": "process",
            "output_dir": str(tmp_path / "results"),
            **changes,
        }
    )
    ledger.add_attempt(attempt)
    return attempt


def _directory(parent: Path, *files: str) -> Path:
    directory = parent / f"20260102_030405-{ID}"
    (directory / "ifbench.ifbench.0" / "logs").mkdir(parents=True)
    (directory / "ifbench.ifbench.0" / "artifacts").mkdir()
    for name in files:
        (directory / name).write_text("{}")
    return directory


@pytest.fixture
def on_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The state directory lies on a network, so that another machine has locks of its own."""
    table = tmp_path / "mounts"
    table.write_text(f"filer:/home {workspace.state_dir().resolve()} nfs4 rw 0 0\n")
    monkeypatch.setattr(workspace, "MOUNTS", table)
    yield
    launch_lock._directory().rmdir()


def test_nothing_started_and_nobody_starting_is_failed_and_written_down(tmp_path: Path) -> None:
    settled = reconcile.settle(_open(tmp_path))
    assert (settled.outcome, settled.error, settled.run_dir) == ("failed", reconcile.LEFT, "")
    assert ledger.attempt(ID) == settled


def test_a_lock_that_is_held_keeps_it_open(tmp_path: Path) -> None:
    attempt = _open(tmp_path)
    with launch_lock.taken(ID):
        assert reconcile.settle(attempt) == attempt
        assert judging.look(attempt).state == "pending"
        assert judging.may_run(attempt)
    assert judging.look(attempt).state == "failed"
    assert not judging.may_run(attempt)


@pytest.mark.parametrize(
    "mark", ["runner.json", "script.json", "ifbench.ifbench.0/script.json", "ifbench.ifbench.0/logs/stage.pre-start"]
)
def test_whatever_began_to_run_makes_it_launched(tmp_path: Path, mark: str) -> None:
    directory = _directory(tmp_path / "results", mark)
    settled = reconcile.settle(_open(tmp_path))
    assert (settled.outcome, settled.run_dir) == ("launched", str(directory))
    assert ledger.attempt(ID) == settled


def test_a_prepared_directory_is_pending_while_it_may_start_and_no_run_after_that(tmp_path: Path) -> None:
    _directory(tmp_path / "results", "plan.json")
    attempt = _open(tmp_path)
    with launch_lock.taken(ID):
        run = lookup.run_of(attempt)
        assert run.directory is not None
    run = lookup.run_of(attempt)
    assert (run.directory, judging.view(run).state) == (None, "failed")


def test_a_run_that_nel_recorded_elsewhere_is_found_there(tmp_path: Path) -> None:
    directory = _directory(tmp_path / "moved", "runner.json")
    file = Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"])
    file.parent.mkdir(parents=True)
    row = {"invocation_id": ID, "job_id": f"{ID}.0", "executor": "process"}
    file.write_text(json.dumps({**row, "data": {"output_dir": str(directory / "ifbench.ifbench.0")}}) + "\n")
    assert reconcile.settle(_open(tmp_path)).run_dir == str(directory)


def test_a_record_of_nel_that_names_another_s_directory_is_no_evidence(tmp_path: Path) -> None:
    other = tmp_path / "20260102_030405-ffffffffffffffff"
    (other / "t.0").mkdir(parents=True)
    (other / "runner.json").touch()
    file = Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"])
    file.parent.mkdir(parents=True)
    row = {"invocation_id": ID, "job_id": f"{ID}.0", "executor": "process"}
    file.write_text(json.dumps({**row, "data": {"output_dir": str(other / "t.0")}}) + "\n")
    assert reconcile.settle(_open(tmp_path)).outcome == "failed"


@pytest.mark.parametrize("jump", [-10 * 365 * 86400.0, -3600.0, 3600.0, 10 * 365 * 86400.0])
def test_a_clock_that_jumps_changes_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    attempt = _open(tmp_path)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    with launch_lock.taken(ID):
        assert judging.look(attempt).state == "pending"
        assert judging.may_run(attempt)
    assert judging.look(attempt).state == "failed"


def test_a_launch_of_another_machine_with_locks_of_its_own_is_judged_by_its_age_and_never_called_failed(
    tmp_path: Path, on_network: None
) -> None:
    late = time.time() - door.LAUNCH_SECONDS - 60
    young = _open(tmp_path, host="another-machine")
    old = _open(tmp_path, host="another-machine", invocation_id="f" * 16, created=late)
    ahead = _open(tmp_path, host="another-machine", invocation_id="e" * 16, created=time.time() + 86400)
    assert [judging.look(a).state for a in (young, old, ahead)] == ["pending", "unknown", "unknown"]
    assert [judging.may_run(a) for a in (young, old, ahead)] == [True, False, False]
    assert {a.outcome for a in ledger.attempts()} == {"launching"}
    directory = _directory(tmp_path / "results", "runner.json")
    assert reconcile.settle(young).run_dir == str(directory)


def test_a_launch_of_another_machine_whose_locks_are_seen_is_judged_by_its_lock(tmp_path: Path) -> None:
    attempt = _open(tmp_path, host="another-container", created=time.time() - 86400)
    with launch_lock.taken(ID):
        assert judging.look(attempt).state == "pending"
    assert judging.look(attempt).state == "failed"


def test_a_launch_from_before_there_were_locks_is_given_its_time(tmp_path: Path) -> None:
    young = _open(tmp_path, host="")
    old = _open(tmp_path, host="", invocation_id="f" * 16, created=time.time() - door.LAUNCH_SECONDS - 60)
    assert [judging.look(a).state for a in (young, old)] == ["pending", "failed"]


def test_a_launch_on_a_cluster_is_left_open_and_not_known(tmp_path: Path) -> None:
    attempt = _open(tmp_path, executor="slurm", created=time.time() - 86400)
    assert reconcile.settle(attempt) == attempt
    assert judging.look(attempt).state == "unknown"


def test_every_open_launch_is_settled_at_once(tmp_path: Path) -> None:
    for number in range(3):
        _open(tmp_path, invocation_id=f"{number:016x}")
    with launch_lock.taken(f"{1:016x}"):
        reconcile.settle_all()
        assert [a.invocation_id for a in ledger.open_attempts()] == [f"{1:016x}"]
