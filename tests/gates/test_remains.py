"""What is left, or made again, of a run's directory that was deleted is not taken for the run."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from quantgate.gates import judging, ledger, lookup
from quantgate.launcher import launch_lock

from ..runs.building import TASK, runner


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
