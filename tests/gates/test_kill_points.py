"""A process of a launch is killed at each of its points; then another server asks for the same. One run, no more, none lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from quantgate.gates import ledger
from quantgate.gates.traces import lookup
from quantgate.launcher import execdb
from quantgate.launcher.runner_record import RUNNER_FILE, alive, read_runner
from tests.gates import real_launches

OF_THE_SERVER = ("before-lock", "lock-taken", "attempt-written", "answered", "before-ledger", "ledger-closed")
OF_THE_CHILD = ("child-started", "directory-written", "jobs-recorded", "runner-started", "before-answer")
OF_THE_RUNNER = ("runner-before-record",)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[real_launches.Stage]:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    http = real_launches.endpoint()
    made = real_launches.made(tmp_path, http.server_port)
    yield made
    made.end()
    http.shutdown()
    http.server_close()


def _require_one_run(stage: real_launches.Stage, invocation_id: str) -> None:
    """One runner lives, one harness was started, the ledger names its directory, and its state is the true one."""
    stage.wait_for_harness()
    (directory,) = stage.directories()
    record = read_runner(directory / RUNNER_FILE)
    assert record is not None
    assert alive(record)
    assert stage.harness_starts() == 1
    assert directory.name.endswith(invocation_id)
    states = real_launches.states()
    assert {i: s for i, s in states.items() if i != invocation_id} == {
        i: "failed" for i in states if i != invocation_id
    }
    assert states[invocation_id] == "running"
    launched = [a for a in ledger.attempts() if a.outcome != "failed"]
    assert [(a.invocation_id, a.outcome, a.run_dir) for a in launched] == [(invocation_id, "launched", str(directory))]


@pytest.mark.parametrize("point", OF_THE_SERVER)
def test_a_server_killed_at_any_point_of_a_launch_leaves_one_run_at_most(
    stage: real_launches.Stage, point: str
) -> None:
    code, _, _ = stage.ask(f"kill:{point}")
    assert code == -9, "the point was never reached"
    code, second, error = stage.ask()
    assert code == 0, error
    _require_one_run(stage, second["invocation_id"])


@pytest.mark.parametrize("point", [*OF_THE_CHILD, *OF_THE_RUNNER])
def test_the_child_or_the_runner_killed_at_any_point_of_a_launch_leaves_one_run_at_most(
    stage: real_launches.Stage, point: str
) -> None:
    before = stage.ask(f"kill:{point}")
    runs = len(stage.directories())
    attempts = ledger.attempts()
    assert [a.outcome for a in attempts] == (["launched"] if runs else ["failed"]), before
    code, second, error = stage.ask()
    assert code == 0, error
    assert (second["invocation_id"] == attempts[0].invocation_id) is bool(runs)
    _require_one_run(stage, second["invocation_id"])


@pytest.mark.parametrize("point", OF_THE_CHILD)
def test_a_launch_whose_server_was_killed_goes_on_and_is_found_by_the_next_one(
    stage: real_launches.Stage, point: str
) -> None:
    code, _, _ = stage.ask(f"orphan:{point}")
    assert code == -9, "the point was never reached"
    code, second, error = stage.ask()
    assert code == 0, error
    assert len(ledger.attempts()) == 1
    _require_one_run(stage, second["invocation_id"])


def test_a_runner_that_starts_late_is_waited_for(stage: real_launches.Stage) -> None:
    """NEL has answered and its child is gone; only the runner has the lock still, which went through both."""
    code, found, error = stage.ask("late:runner-before-record")
    assert code == 0, error
    _require_one_run(stage, found["invocation_id"])


def test_a_broken_record_of_nel_stops_no_launch(stage: real_launches.Stage) -> None:
    file = Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"])
    file.parent.mkdir(parents=True)
    file.write_bytes(
        b'{"invocation_id": "half\n\x00\xff\xfe binary\nnull\n[1]\n' + b"[" * 100_000 + b'\n{"invocation_id": "ha'
    )
    code, found, error = stage.ask()
    assert code == 0, error
    _require_one_run(stage, found["invocation_id"])
    assert list(execdb.jobs(found["invocation_id"])) == [f"{found['invocation_id']}.0"]


def test_a_directory_that_was_prepared_but_never_started_is_no_run(stage: real_launches.Stage) -> None:
    stage.ask("kill:jobs-recorded")
    (prepared,) = stage.results.iterdir()
    assert not (prepared / RUNNER_FILE).exists()
    (attempt,) = ledger.attempts()
    run = lookup.find(attempt.invocation_id)
    assert (run.directory, run.attempt.outcome if run.attempt else "") == (None, "failed")
    assert real_launches.states() == {attempt.invocation_id: "failed"}


def test_two_servers_that_ask_at_once_start_one_run_and_both_name_it(stage: real_launches.Stage) -> None:
    servers = [stage.server() for _ in range(2)]
    answers = [real_launches.answer(server) for server in servers]
    assert [code for code, _, _ in answers] == [0, 0], answers
    assert len({found["invocation_id"] for _, found, _ in answers}) == 1
    assert len(ledger.attempts()) == 1
    _require_one_run(stage, answers[0][1]["invocation_id"])


def test_two_full_runs_at_once_start_one_and_the_other_is_told_that_it_goes_on(stage: real_launches.Stage) -> None:
    code, canary, error = stage.ask()
    assert code == 0, error
    attempt = ledger.attempt(canary["invocation_id"])
    assert attempt is not None
    stage.end()
    stage.starts.unlink()
    ledger.put_gate(ledger.Gate(attempt.fingerprint, "canary", True, (), {}, attempt.invocation_id))
    servers = [stage.server(tool="run") for _ in range(2)]
    answers = [real_launches.answer(server) for server in servers]
    assert [code for code, _, _ in answers] == [0, 0], answers
    (invocation_id,) = {found["invocation_id"] for _, found, _ in answers}
    told = [any("already going on" in warning for warning in found["warnings"]) for _, found, _ in answers]
    assert sorted(told) == [False, True]
    stage.wait_for_harness()
    assert [a.kind for a in ledger.attempts()] == ["full", "canary"]
    assert stage.harness_starts() == 1
    assert [d.name.endswith(invocation_id) for d in stage.directories()].count(True) == 1
    assert len([p for p in psutil.process_iter() if _is_runner_of(p, invocation_id)]) == 1


def _is_runner_of(process: psutil.Process, invocation_id: str) -> bool:
    try:
        line = process.cmdline()
    except psutil.Error:
        return False
    return "quantgate.launcher.process_runner" in line and invocation_id in line[-1]
