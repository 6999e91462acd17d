"""Cancelling runs of the process executor: real runners and real processes; the harness is a line of shell."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from quantgate.errors import Refused, UnknownName
from quantgate.gates import ledger
from quantgate.gates.cancel import cancelling
from quantgate.launcher import execdb, exporting, launch_lock, process_control, runner_record
from quantgate.runs.exports import records
from quantgate.runs.rundir import RunDir

from . import made_runs
from .made_runs import TASKS, start_by_hand, starts, states, until

FOREVER = "echo $$ >> ../starts; sleep 300"
SHORT = "echo $$ >> ../starts"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    made_runs.install_harness(tmp_path / "cache")
    yield tmp_path
    made_runs.end_everything(tmp_path)


def _family(attempt: ledger.Attempt) -> list[psutil.Process]:
    family = process_control.living(made_runs.directory(attempt))
    assert len(family) >= 2
    return family


def test_everything_that_a_run_started_is_ended_and_a_second_call_finds_nothing_to_end(folder: Path) -> None:
    attempt = start_by_hand(folder, [f"{sys.executable} -c 'import time; time.sleep(300)' & wait", FOREVER])
    until(lambda: len(process_control.living(made_runs.directory(attempt))) >= 3)
    family = _family(attempt)
    done = cancelling.cancel(attempt.invocation_id, [])
    assert (done.cancelled, done.still_running, done.finished) == (TASKS, (), ())
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert states(attempt) == ["cancelled", "cancelled"]
    assert starts(made_runs.directory(attempt), 1) == 0
    again = cancelling.cancel(attempt.invocation_id, [])
    assert (again.cancelled, again.still_running) == ((), ())
    assert again.finished == ((TASKS[0], "cancelled"), (TASKS[1], "cancelled"))


def test_one_running_task_is_cancelled_and_the_next_one_runs(folder: Path) -> None:
    attempt = start_by_hand(folder, [FOREVER, SHORT])
    done = cancelling.cancel(attempt.invocation_id, [TASKS[0]])
    assert (done.cancelled, done.still_running) == ((TASKS[0],), ())
    until(lambda: states(attempt) == ["cancelled", "succeeded"])


def test_a_task_that_is_cancelled_before_its_turn_is_skipped(folder: Path) -> None:
    attempt = start_by_hand(folder, ["while [ ! -e ../../go ]; do sleep 0.05; done", SHORT])
    done = cancelling.cancel(attempt.invocation_id, [TASKS[1]])
    assert (done.cancelled, done.still_running) == ((TASKS[1],), ())
    assert states(attempt) == ["running", "cancelled"]
    (made_runs.directory(attempt) / "go").touch()
    until(lambda: states(attempt)[0] == "succeeded")
    until(lambda: not process_control.living(made_runs.directory(attempt)))
    assert states(attempt) == ["succeeded", "cancelled"]
    assert starts(made_runs.directory(attempt), 1) == 0


def test_a_task_that_has_ended_is_left_as_it_is_and_said_so(folder: Path) -> None:
    attempt = start_by_hand(folder, [f"{SHORT}; exit 3", FOREVER])
    until(lambda: states(attempt) == ["failed", "running"])
    done = cancelling.cancel(attempt.invocation_id, [TASKS[0]])
    assert (done.cancelled, done.finished) == ((), ((TASKS[0], "failed"),))
    assert states(attempt) == ["failed", "running"]
    assert cancelling.cancel(attempt.invocation_id, []).cancelled == (TASKS[1],)
    assert states(attempt) == ["failed", "cancelled"]


@pytest.mark.parametrize("tasks", [[], [TASKS[0]]], ids=["the whole run", "one task"])
def test_a_harness_that_ignores_the_signal_is_ended_all_the_same(folder: Path, tasks: list[str]) -> None:
    attempt = start_by_hand(folder, [f"trap '' TERM; {FOREVER} & wait", SHORT])
    until(lambda: starts(made_runs.directory(attempt), 0) == 1)
    family = [p for p in _family(attempt) if "sleep" in p.name()]
    assert family
    done = cancelling.cancel(attempt.invocation_id, tasks)
    assert (TASKS[0] in done.cancelled, done.still_running) == (True, ())
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("tasks", [[], [TASKS[0]]], ids=["the whole run", "one task"])
def test_a_harness_whose_runner_was_killed_alone_is_ended(folder: Path, tasks: list[str]) -> None:
    attempt = start_by_hand(folder, [FOREVER])
    record = runner_record.read_runner(made_runs.directory(attempt) / "runner.json")
    assert record is not None
    family = [p for p in _family(attempt) if p.pid != record.pid]
    psutil.Process(record.pid).kill()
    until(lambda: runner_record.alive(record) is False)
    assert states(attempt) == ["running"]
    done = cancelling.cancel(attempt.invocation_id, tasks)
    assert (done.cancelled, done.still_running) == ((TASKS[0],), ())
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("runner_too", [False, True], ids=["with its runner", "its runner was killed"])
def test_what_goes_on_after_its_run_directory_was_deleted_is_ended(folder: Path, runner_too: bool) -> None:
    attempt = start_by_hand(folder, [FOREVER])
    record = runner_record.read_runner(made_runs.directory(attempt) / "runner.json")
    # A shell that has not opened its script yet ends by itself when the script is gone.
    until(lambda: any("sleep" in process.name() for process in _family(attempt)))
    family = _family(attempt)
    assert record is not None
    if runner_too:
        psutil.Process(record.pid).kill()
    shutil.rmtree(attempt.run_dir)
    done = cancelling.cancel(attempt.invocation_id, [])
    assert done.still_running == ()
    assert done.cancelled
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_another_server_ends_the_run_of_the_first_and_names_its_jobs(folder: Path) -> None:
    attempt = start_by_hand(folder, [FOREVER])
    call = [sys.executable, "-m", "quantgate", "call", "cancel", json.dumps({"invocation_id": attempt.run_dir})]
    answer = json.loads(subprocess.run(call, check=True, capture_output=True, timeout=60).stdout)
    assert answer["cancelled"] == [{"task": TASKS[0], "job_ids": [f"{attempt.invocation_id}.0"]}]
    assert answer["still_running"] == []
    assert states(attempt) == ["cancelled"]


def test_a_run_of_another_machine_is_refused_by_its_name(folder: Path) -> None:
    attempt = ledger.Attempt("ab" * 8, "full", "f", "/c", "process", str(folder), host="node7", outcome="launched")
    ledger.add_attempt(attempt)
    with pytest.raises(Refused, match="node7"):
        cancelling.cancel(attempt.invocation_id, [])


def test_a_process_that_got_the_runner_s_id_after_a_reboot_is_left_alone(folder: Path) -> None:
    attempt = start_by_hand(folder, [FOREVER])
    cancelling.cancel(attempt.invocation_id, [])
    logs = made_runs.directory(attempt) / TASKS[0] / "logs"
    for name in ("exit", "cancelled"):
        (logs / f"stage.{name}").unlink(missing_ok=True)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        before = runner_record.RunnerRecord(
            stranger.pid, psutil.Process(stranger.pid).create_time(), "another-boot", ""
        )
        for place in (made_runs.directory(attempt), logs):
            runner_record.write_runner(place / "runner.json", before)
        assert states(attempt) == ["interrupted"]
        assert cancelling.cancel(attempt.invocation_id, []).finished == ((TASKS[0], "interrupted"),)
        assert stranger.poll() is None
        stranger.kill()


def test_a_launch_that_is_under_way_is_not_cancelled_but_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancelling, "START_SECONDS", 0.5)
    attempt = start_by_hand(folder, [FOREVER])
    with launch_lock.taken(attempt.invocation_id), pytest.raises(Refused, match="being launched"):
        cancelling.cancel(attempt.invocation_id, [])
    assert states(attempt) == ["running"]


def test_a_run_of_plain_nel_is_left_to_nel(folder: Path) -> None:
    file = execdb.path()
    file.parent.mkdir(parents=True, exist_ok=True)
    task = folder / "20260102_030405-feedfeedfeedfeed" / "ifbench.0"
    (task / "logs").mkdir(parents=True)
    row = {
        "job_id": "feedfeedfeedfeed.0",
        "invocation_id": "feedfeedfeedfeed",
        "executor": "local",
        "data": {"output_dir": str(task)},
    }
    file.write_text(json.dumps(row) + "\n")
    with pytest.raises(Refused, match="nel kill feedfeedfeedfeed"):
        cancelling.cancel("feedfeedfeedfeed", [])


def test_an_unknown_task_is_named_and_nothing_is_ended(folder: Path) -> None:
    attempt = start_by_hand(folder, [FOREVER])
    with pytest.raises(UnknownName, match=TASKS[0]):
        cancelling.cancel(attempt.invocation_id, ["no_such_task"])
    assert states(attempt) == ["running"]


def test_two_calls_at_once_end_it_once(folder: Path) -> None:
    attempt = start_by_hand(folder, [FOREVER, FOREVER])
    call = [sys.executable, "-m", "quantgate", "call", "cancel", json.dumps({"invocation_id": attempt.invocation_id})]
    both = [subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    answers = [json.loads(p.communicate(timeout=60)[0]) for p in both]
    assert [a["still_running"] for a in answers] == [[], []]
    assert states(attempt) == ["cancelled", "cancelled"]
    assert process_control.living(made_runs.directory(attempt)) == []


def test_a_process_that_cannot_be_ended_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in an uninterruptible wait cannot be made here; a stopped runner and signals that get lost stand for it."""
    attempt = start_by_hand(folder, [FOREVER])
    record = runner_record.read_runner(made_runs.directory(attempt) / "runner.json")
    assert record is not None
    psutil.Process(record.pid).suspend()
    monkeypatch.setattr(process_control, "STOP_SECONDS", 0.3)
    monkeypatch.setattr(process_control, "KILL_SECONDS", 0.3)
    with monkeypatch.context() as deaf:
        deaf.setattr(process_control, "send_signal", lambda process, signum: None)
        done = cancelling.cancel(attempt.invocation_id, [])
    assert done.cancelled == ()
    assert any(f"process {p.pid} " in row for p in _family(attempt) for row in done.still_running), done
    assert f"{TASKS[0]} is running" in done.still_running


def test_a_run_of_which_only_an_export_goes_on_can_be_ended(folder: Path) -> None:
    attempt = start_by_hand(folder, ["while [ ! -e ../../go ]; do sleep 0.05; done"], destinations=("mlflow", "wandb"))
    invocation = made_runs.directory(attempt)
    with socket.socket() as hangs:
        hangs.bind(("127.0.0.1", 0))
        hangs.listen(8)
        settings = {"export": {"mlflow": {"tracking_uri": f"http://127.0.0.1:{hangs.getsockname()[1]}"}}}
        (invocation / exporting.CONFIG).write_text(json.dumps(settings))
        (invocation / "go").touch()
        until(lambda: states(attempt) == ["succeeded"])
        until((invocation / TASKS[0] / "logs" / exporting.LOG).exists)
        family = _family(attempt)
        done = cancelling.cancel(attempt.invocation_id, [])
    assert (done.cancelled, done.still_running, done.finished) == ((), (), ((TASKS[0], "succeeded"),))
    assert done.notes == (cancelling.EXPORTS_ENDED,)
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    said = records.told(RunDir.find(invocation))
    assert "ended with the run" in said[0]
    assert "was never made" in said[1]
    assert cancelling.cancel(attempt.invocation_id, []).notes == ()
