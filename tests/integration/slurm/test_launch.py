"""Launches on a real cluster: found again whatever dies in between, and never submitted twice.

The jobs are held in the queue: what they would evaluate does not matter where only their number is counted.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quantgate.cluster import connection
from quantgate.demo.small_model import Endpoint
from quantgate.errors import ClusterError, LauncherError, Unreachable
from quantgate.gates import ledger
from quantgate.gates.judgement import judging
from quantgate.gates.launches import launching, submission
from quantgate.gates.permission import consent
from quantgate.gates.planning import plan
from quantgate.gates.traces import reconcile, remote_launches
from tests.gates.real_launches import until

from . import slurm_config
from .cluster import Cluster

NOBODY = Endpoint("http://127.0.0.1:9/v1/chat/completions", "small", Path("unused.gguf"), 0)
SERVER_SECONDS = 120
HELD = {"exclusive": False, "hold": True}


@pytest.fixture
def held(reached: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A config whose jobs wait for ever, with its dry run passed; the queue is empty before and after."""
    monkeypatch.setenv("USER", "somebody")
    for memory in (remote_launches._open, remote_launches._silent):
        memory.clear()
    yield _config(reached, tmp_path)
    reached.run("scancel", "--me")


def _config(cluster: Cluster, tmp_path: Path, tasks: int = 1, **changes: Any) -> Path:
    changes = {"sbatch_extra_flags": HELD, "output_dir": str(cluster.home / tmp_path.name), **changes}
    path = slurm_config.with_endpoint(cluster, tmp_path / "eval.yaml", NOBODY, tasks=tasks, **changes)
    ledger.put_gate(ledger.Gate(plan.read(str(path)).fingerprint, "dry_run", True))
    return path


def _canary(config: Path, *, again: bool = False) -> submission.Launch:
    return launching.canary(str(config), samples=3, tasks=[], again=again)


def _queue(cluster: Cluster) -> list[list[str]]:
    """Id and comment of every job that waits or runs."""
    return [line.split("|") for line in cluster.checked("squeue", "-h", "-o", "%i|%k").splitlines()]


def _directory(attempt: ledger.Attempt) -> Path:
    address, _, path = attempt.run_dir.partition(":")
    assert address == "tester@testcluster"
    return Path(path)


def test_a_launch_is_recorded_with_its_place_and_its_job_carries_the_id(reached: Cluster, held: Path) -> None:
    launch = _canary(held)
    (job,) = _queue(reached)
    attempt = launch.attempt
    assert job[1] == f"quantgate:{attempt.invocation_id}"
    assert attempt.outcome == "launched"
    assert ledger.attempts() == [attempt]
    assert attempt.output_dir == f"tester@testcluster:{reached.home / held.parent.name}"
    task = _directory(attempt) / "ifbench.ifbench.0"
    assert f"--comment='quantgate:{attempt.invocation_id}'" in (task / "run.sub").read_text("utf-8")
    assert (task / ".secrets.env").stat().st_mode & 0o077 == 0
    stamp = json.loads((_directory(attempt) / "quantgate_run.json").read_text("utf-8"))
    assert (stamp["kind"], stamp["sample_limit"]) == ("canary", 3)
    assert any("Nothing is known of the endpoint" in warning for warning in launch.warnings)
    again = _canary(held)
    assert (again.found, again.attempt.invocation_id) == (True, attempt.invocation_id)
    assert len(_queue(reached)) == 1


def test_the_users_own_comment_stays_before_the_stamp(reached: Cluster, held: Path, tmp_path: Path) -> None:
    config = _config(reached, tmp_path, sbatch_comment="nightly of team 4")
    launch = _canary(config)
    (job,) = _queue(reached)
    assert job[1] == f"nightly of team 4 quantgate:{launch.attempt.invocation_id}"


def test_a_launch_killed_between_sbatch_and_nels_record_is_found_and_not_submitted_again(
    reached: Cluster, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTGATE_FAULT", "kill:submitted")
    launch = _canary(held)
    (job,) = _queue(reached)
    assert job[1] == f"quantgate:{launch.attempt.invocation_id}"
    assert launch.attempt.outcome == "launched"
    assert any("although its launch was reported as failed" in warning for warning in launch.warnings)
    monkeypatch.delenv("QUANTGATE_FAULT")
    assert _canary(held).attempt.invocation_id == launch.attempt.invocation_id
    assert [j[0] for j in _queue(reached)] == [job[0]]


def _server(config: Path, fault: str = "") -> tuple[int, dict[str, Any], str]:
    """What a server of its own says to a canary; it may be killed in the middle."""
    argv = [sys.executable, "-m", "quantgate", "call", "canary", json.dumps({"config": str(config), "samples": 3})]
    env = {**os.environ, "QUANTGATE_FAULT": fault}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=SERVER_SECONDS, check=False)
    return done.returncode, json.loads(done.stdout) if done.returncode == 0 else {}, done.stderr


def test_a_server_killed_during_the_submission_leaves_a_launch_that_the_next_one_finds(
    reached: Cluster, held: Path
) -> None:
    code, _, _ = _server(held, "orphan:before-submission")
    assert code == -9
    # The child that talks to NEL goes on without it, and holds the launch lock until it is done.
    again, answer, told = _server(held)
    (attempt,) = ledger.attempts()
    assert again == 0 or attempt.invocation_id in told, told
    until(lambda: not reconcile.may_start(attempt), "the launch is still under way")
    settled = reconcile.settle(attempt)
    (job,) = _queue(reached)
    assert job[1] == f"quantgate:{attempt.invocation_id}"
    assert settled.outcome == "launched"
    assert not answer or answer["invocation_id"] == attempt.invocation_id


def test_a_launch_killed_before_the_submission_is_failed_only_when_nothing_can_come_any_more(
    reached: Cluster, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTGATE_FAULT", "kill:before-submission")
    with pytest.raises(LauncherError, match="may still be under way"):
        _canary(held)
    monkeypatch.delenv("QUANTGATE_FAULT")
    (attempt,) = ledger.attempts()
    assert judging.look(attempt).state == "pending"
    assert _canary(held).attempt.invocation_id == attempt.invocation_id
    assert _queue(reached) == []
    monkeypatch.setattr(remote_launches, "IN_FLIGHT_SECONDS", -1)
    remote_launches._open.clear()
    assert judging.look(attempt).state == "failed"
    launch = _canary(held)
    assert launch.attempt.invocation_id != attempt.invocation_id
    assert [j[1] for j in _queue(reached)] == [f"quantgate:{launch.attempt.invocation_id}"]


def _left_open(config: Path, monkeypatch: pytest.MonkeyPatch) -> ledger.Attempt:
    """A launch whose job was submitted, and of which nobody could see that: its server and its child were killed."""
    with monkeypatch.context() as patch:
        patch.setattr(remote_launches, "look", lambda *_, **__: remote_launches.Known("open"))
        patch.setenv("QUANTGATE_FAULT", "kill:submitted")
        with pytest.raises(LauncherError, match="may still be under way"):
            _canary(config)
    (attempt,) = ledger.attempts()
    return attempt


def test_a_job_that_was_cancelled_before_it_ran_and_before_anybody_looked_is_found(
    reached: Cluster, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = _left_open(held, monkeypatch)
    (job,) = _queue(reached)
    reached.checked("scancel", job[0])
    assert remote_launches.look(attempt).jobs == (job[0],)


def test_what_slurm_refuses_is_told_in_its_words_and_over_at_once(reached: Cluster, held: Path, tmp_path: Path) -> None:
    config = _config(reached, tmp_path, account="nobody")
    with pytest.raises(ClusterError, match=r"Slurm took 0 of 1 jobs: .*Invalid account") as refused:
        _canary(config)
    assert not isinstance(refused.value, Unreachable)
    (attempt,) = ledger.attempts()
    assert (attempt.outcome, judging.look(attempt).state) == ("failed", "failed")
    assert _queue(reached) == []


def test_a_launch_whose_cluster_is_away_afterwards_is_unreachable_and_not_made_again(
    reached: Cluster, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = _left_open(held, monkeypatch)
    reached.kill("sshd")
    reached.run("pkill", "-f", "^sshd: tester")
    try:
        seen = judging.look(attempt)
        assert seen.state == "unreachable"
        assert "cannot be reached" in seen.reason
        again = _canary(held)
        assert (again.found, again.attempt.invocation_id) == (True, attempt.invocation_id)
        with pytest.raises(Unreachable, match="nothing was launched"):
            _canary(held, again=True)
        assert len(ledger.attempts()) == 1
    finally:
        reached.start("sshd")
        until(reached._ssh_answers, "sshd did not come back")
        connection.close_all()
    remote_launches._open.clear()
    remote_launches._silent.clear()
    assert reconcile.settle(attempt).outcome == "launched"
    assert len(_queue(reached)) == 1


@pytest.fixture
def sbatch(reached: Cluster) -> Iterator[Callable[[str], None]]:
    """Puts a script before the cluster's own sbatch."""
    program = reached.base / "bin" / "sbatch"

    def put(script: str) -> None:
        program.write_text(f'#!/bin/sh\n{script}\nexec /usr/bin/sbatch "$@"\n', "utf-8")
        program.chmod(0o755)

    yield put
    program.unlink(missing_ok=True)


def test_a_link_that_breaks_during_a_submission_leaves_it_open_until_it_is_over_there(
    reached: Cluster, held: Path, sbatch: Callable[[str], None]
) -> None:
    begun, go_on = reached.home / "begun", reached.home / "go_on"
    sbatch(f"touch {begun}; while [ ! -e {go_on} ]; do sleep 0.1; done")

    def cut() -> None:
        until(begun.exists, "nothing was submitted")
        reached.run("pkill", "-f", "^sshd: tester")

    cutter = threading.Thread(target=cut)
    cutter.start()
    with pytest.raises(LauncherError, match="may still be under way: The submission got no answer"):
        _canary(held)
    cutter.join()
    (attempt,) = ledger.attempts()
    assert judging.look(attempt).state == "pending"
    assert _canary(held).attempt.invocation_id == attempt.invocation_id
    assert _queue(reached) == []
    go_on.touch()
    until(lambda: len(_queue(reached)) == 1, "the submission did not go on")
    remote_launches._open.clear()
    assert reconcile.settle(attempt).outcome == "launched"
    assert _canary(held).attempt.invocation_id == attempt.invocation_id
    assert len(_queue(reached)) == 1


def test_of_a_submission_that_is_refused_half_way_the_first_half_runs_and_is_told(
    reached: Cluster, held: Path, tmp_path: Path, sbatch: Callable[[str], None]
) -> None:
    sbatch(
        'case "$1" in */ifbench.ifbench.1/run.sub) echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2; exit 1 ;; esac'
    )
    config = _config(reached, tmp_path, tasks=2)
    launch = _canary(config)
    assert launch.attempt.outcome == "launched"
    assert any("Slurm took 1 of 2 jobs" in w and "QOSMaxSubmitJobPerUserLimit" in w for w in launch.warnings)
    assert [j[1] for j in _queue(reached)] == [f"quantgate:{launch.attempt.invocation_id}"]
    states = {t.task: t.state for t in judging.look(launch.attempt).tasks}
    assert states["ifbench.ifbench.0"] == "pending"
    assert states["ifbench.ifbench.1"] not in {"pending", "running", "succeeded"}


def _start_controller(cluster: Cluster) -> None:
    cluster.start("slurmctld")
    until(lambda: "idle" in cluster.run("sinfo", "-h", "-o", "%T").output, "slurmctld did not come back")


def test_a_refusal_is_believed_when_the_scheduler_is_back_and_the_next_launch_is_made(
    reached: Cluster, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached.kill("slurmctld", signal.SIGTERM)
    told = r"may still be under way: Slurm took 0 of 1 jobs: .*Unable to contact slurm controller"
    try:
        with pytest.raises(LauncherError, match=told):
            _canary(held)
    finally:
        _start_controller(reached)
    (attempt,) = ledger.attempts()
    assert attempt.outcome == "launching"
    monkeypatch.setattr(remote_launches, "IN_FLIGHT_SECONDS", -1)
    remote_launches._open.clear()
    assert reconcile.settle(attempt).outcome == "failed"
    launch = _canary(held)
    assert [j[1] for j in _queue(reached)] == [f"quantgate:{launch.attempt.invocation_id}"]


def test_an_open_launch_stays_open_while_the_scheduler_does_not_tell(
    reached: Cluster, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = _left_open(held, monkeypatch)
    reached.kill("slurmctld", signal.SIGTERM)
    try:
        assert judging.look(attempt).state == "unknown"
        assert "the scheduler did not answer" in remote_launches.look(attempt).why
        assert _canary(held).attempt.invocation_id == attempt.invocation_id
    finally:
        _start_controller(reached)
    remote_launches._open.clear()
    assert reconcile.settle(attempt).outcome == "launched"


def test_a_host_that_only_the_config_names_is_contacted_after_a_persons_yes(
    reached: Cluster, held: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = reached.ssh_config.read_text("utf-8")
    anywhere = tmp_path / "ssh_config"
    anywhere.write_text(plain.replace("Host testcluster", "Host *"), "utf-8")
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(anywhere))
    log = reached.base / "log" / "sshd.out"
    before = log.read_text("utf-8", "replace").count("Accepted publickey")
    with pytest.raises(consent.ConsentNeeded) as needed:
        _canary(held)
    assert needed.value.questions[0].token == ("host", "tester@testcluster")
    assert "tester@testcluster" in needed.value.questions[0].text
    assert log.read_text("utf-8", "replace").count("Accepted publickey") == before
    assert ledger.attempts() == []
    with consent.given([needed.value.questions[0].token]):
        launch = _canary(held)
    assert launch.attempt.outcome == "launched"
    assert len(_queue(reached)) == 1
