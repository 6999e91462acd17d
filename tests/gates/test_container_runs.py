"""Cancelling and resuming runs of NEL's own local executor; its scripts are real, the container engine is a stand-in."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from quantgate.errors import LauncherError
from quantgate.gates import cancelling, judging, ledger, plan, resuming, submission
from quantgate.launcher import container_control, launch_lock, runner_record

from . import made_containers, made_runs
from .made_runs import TASKS, directory, states, until

KEY = "key-of-the-container-test"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> made_containers.Engine:
    found = made_containers.Engine(tmp_path)
    monkeypatch.setenv("PATH", f"{found.bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("MY_API_KEY", KEY)
    return found


@pytest.fixture
def launch(tmp_path: Path, engine: made_containers.Engine) -> Iterator[Callable[..., ledger.Attempt]]:
    with made_runs.models() as server:

        def go(mode: str = "sequential", first: int = 1) -> ledger.Attempt:
            config = made_containers.write_config(tmp_path, server.server_port, mode)
            attempt = submission.submit(plan.read(str(config)), "full", [], 0, lambda: None).attempt
            until(lambda: len(engine.starts()) >= first)
            return attempt

        yield go
        (engine.state / "finish").touch()
        made_runs.end_everything(tmp_path)


def _config_in(script: Path) -> bytes:
    """What a script hands to nemo-evaluator."""
    found = re.search(r'echo "([A-Za-z0-9+/=]+)" \| base64 -d > config_ef\.yaml', script.read_text())
    assert found
    return base64.b64decode(found[1])


def _gone(processes: list[psutil.Process]) -> bool:
    return not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_the_script_and_its_containers_are_ended_and_the_next_task_never_starts(
    launch: Callable[..., ledger.Attempt], engine: made_containers.Engine
) -> None:
    attempt = launch()
    assert states(attempt) == ["running", "pending"]
    family = container_control.living(directory(attempt))
    assert family
    done = cancelling.cancel(attempt.invocation_id, [])
    assert (done.cancelled, done.still_running) == (TASKS, ())
    assert _gone(family)
    assert (engine.present(), len(engine.starts())) == ([], 1)
    assert states(attempt) == ["cancelled", "cancelled"]
    assert cancelling.cancel(attempt.invocation_id, []).cancelled == ()


def test_one_task_is_cancelled_and_the_script_goes_on_with_the_next(
    launch: Callable[..., ledger.Attempt], engine: made_containers.Engine
) -> None:
    attempt = launch()
    done = cancelling.cancel(attempt.invocation_id, [TASKS[0]])
    assert (done.cancelled, done.still_running) == ((TASKS[0],), ())
    until(lambda: states(attempt) == ["cancelled", "running"])
    (engine.state / "finish").touch()
    until(lambda: states(attempt) == ["cancelled", "succeeded"])


def test_a_task_that_is_cancelled_before_its_turn_is_skipped_by_nel_s_script(
    launch: Callable[..., ledger.Attempt], engine: made_containers.Engine
) -> None:
    attempt = launch()
    done = cancelling.cancel(attempt.invocation_id, [TASKS[1]])
    assert (done.cancelled, done.still_running) == ((TASKS[1],), ())
    assert states(attempt) == ["running", "cancelled"]
    (engine.state / "finish").touch()
    until(lambda: not container_control.living(directory(attempt)))
    assert (states(attempt), len(engine.starts())) == (["succeeded", "cancelled"], 1)


def test_a_task_whose_image_is_still_being_fetched_can_be_cancelled(
    launch: Callable[..., ledger.Attempt], engine: made_containers.Engine
) -> None:
    (engine.state / "pulling").touch()
    attempt = launch(first=0)
    until(lambda: states(attempt)[0] == "running")
    done = cancelling.cancel(attempt.invocation_id, [TASKS[0]])
    assert (done.cancelled, done.still_running) == ((TASKS[0],), ())


def test_of_parallel_tasks_one_is_cancelled_and_the_other_is_untouched(
    launch: Callable[..., ledger.Attempt], engine: made_containers.Engine
) -> None:
    attempt = launch("parallel", first=2)
    until(lambda: len(engine.running()) == 2)
    assert cancelling.cancel(attempt.invocation_id, [TASKS[1]]).cancelled == (TASKS[1],)
    assert states(attempt) == ["running", "cancelled"]
    assert engine.running() == [n for n in container_control.names(directory(attempt) / TASKS[0]) if "client" in n]
    assert cancelling.cancel(attempt.invocation_id, []).cancelled == (TASKS[0],)
    assert engine.present() == []


def test_only_what_did_not_finish_is_run_again_with_fresh_private_secrets(
    launch: Callable[..., ledger.Attempt], engine: made_containers.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = launch()
    path = directory(attempt)
    cancelling.cancel(attempt.invocation_id, [TASKS[1]])
    finished_script = (path / TASKS[0] / "run.sh").read_bytes()
    (engine.state / "finish").touch()
    until(lambda: states(attempt) == ["succeeded", "cancelled"])
    until(lambda: not container_control.living(path))
    monkeypatch.setenv("MY_API_KEY", "a-key-that-was-renewed")
    (engine.state / "finish").unlink()
    done = resuming.resume(attempt.invocation_id, [])
    assert done.resumed == (TASKS[1],)
    assert [r.task for r in done.refused] == [TASKS[0]]
    until(lambda: states(attempt) == ["succeeded", "running"])
    refused = resuming.resume(attempt.invocation_id, [])
    assert (refused.resumed, len(engine.starts())) == ((), 2)
    secrets = path / TASKS[1] / ".secrets.env"
    assert "a-key-that-was-renewed" in secrets.read_text()
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    (engine.state / "finish").touch()
    until(lambda: states(attempt) == ["succeeded", "succeeded"])
    assert (path / TASKS[0] / "run.sh").read_bytes() == finished_script
    assert str(path) in (path / TASKS[1] / "run.sh").read_text()
    assert _config_in(path / TASKS[1] / "run.sh") == _config_in(path / TASKS[0] / "run.sh")
    assert not list(path.glob(".*"))


def test_a_container_that_outlived_its_script_is_ended_by_cancel_and_replaced_by_resume(
    launch: Callable[..., ledger.Attempt], engine: made_containers.Engine
) -> None:
    attempt = launch()
    for process in container_control.living(directory(attempt)):
        process.kill()
    until(lambda: not container_control.living(directory(attempt)))
    (view,) = [judging.look(attempt)]
    assert [t.state for t in view.tasks] == ["interrupted", "interrupted"]
    assert "a container of it may live on" in view.tasks[0].reason
    (left,) = engine.running()
    done = resuming.resume(attempt.invocation_id, [TASKS[0]])
    assert done.resumed == (TASKS[0],)
    until(lambda: len(engine.running()) == 1)
    assert left not in engine.present()
    for process in container_control.living(directory(attempt)):
        process.kill()
    until(lambda: not container_control.living(directory(attempt)))
    (left,) = engine.running()
    ended = cancelling.cancel(attempt.invocation_id, [])
    assert (ended.cancelled, ended.leftovers, ended.still_running) == ((TASKS[0],), (left,), ())
    assert engine.present() == []


@pytest.mark.parametrize("fault", ["kill:scripts-written", "kill:scripts-started", "orphan:scripts-started"])
def test_a_resume_that_is_killed_in_the_middle_never_runs_a_container_twice(
    launch: Callable[..., ledger.Attempt], engine: made_containers.Engine, fault: str
) -> None:
    attempt = launch()
    cancelling.cancel(attempt.invocation_id, [])
    before = len(engine.starts())
    call = [sys.executable, "-m", "quantgate", "call", "resume", json.dumps({"invocation_id": attempt.invocation_id})]
    killed = subprocess.Popen(
        call,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "QUANTGATE_FAULT": fault},
        start_new_session=True,
    )
    killed.wait(timeout=120)
    until(lambda: not launch_lock.held(attempt.invocation_id), 60)
    seen = states(attempt)
    done = resuming.resume(attempt.invocation_id, [])
    assert bool(done.resumed) == set(seen).issubset({"cancelled", "interrupted"}), (seen, done)
    until(lambda: states(attempt) == ["running", "resuming"])
    until(lambda: len(engine.starts()) > before)
    assert (len(engine.starts()), len(engine.running())) == (before + 1, 1)


def test_a_run_with_quiet_logs_is_running_while_its_script_lives(
    launch: Callable[..., ledger.Attempt], engine: made_containers.Engine
) -> None:
    attempt = launch()
    for file in (directory(attempt) / TASKS[0] / "logs").iterdir():
        os.utime(file, (1, 1))
    assert states(attempt) == ["running", "pending"]
    record = runner_record.read_runner(directory(attempt) / "script.json")
    assert record is not None
    assert psutil.Process(record.pid).name() == "bash"


def test_only_names_of_nel_s_own_form_for_this_task_are_taken_from_a_script(tmp_path: Path) -> None:
    task = tmp_path / "ifbench.ifbench.0"
    task.mkdir()
    own = "client-ifbench.ifbench-20260102_030405_123456"
    lines = [
        f'    CLIENT_CONTAINER_NAME="{own}"',
        'SERVER_CONTAINER_NAME="the-database"',
        '    SERVER_CONTAINER_NAME="server-other.task-20260102_030405_123456"',
        f'echo CLIENT_CONTAINER_NAME="{own}9"',
    ]
    (task / "run.sh").write_text("\n".join(lines))
    assert container_control.names(task) == (own,)
    assert container_control.names(tmp_path / "missing.0") == ()


def test_an_engine_that_does_not_answer_is_said_and_not_taken_for_an_end(
    launch: Callable[..., ledger.Attempt], engine: made_containers.Engine
) -> None:
    attempt = launch()
    program = (engine.bin / "docker").read_text()
    (engine.bin / "docker").write_text("#!/bin/bash\necho 'Cannot connect to the daemon' >&2\nexit 1\n")
    try:
        with pytest.raises(LauncherError, match="does not answer"):
            cancelling.cancel(attempt.invocation_id, [])
    finally:
        (engine.bin / "docker").write_text(program)
    assert cancelling.cancel(attempt.invocation_id, []).still_running == ()
    assert engine.running() == []
