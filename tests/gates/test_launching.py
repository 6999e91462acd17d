"""What a launch must find before it. NEL's child is stood in for: what it would be asked is recorded, nothing is evaluated."""

from __future__ import annotations

import dataclasses
import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.errors import BadInput, CheckpointError, EndpointError, LauncherError, Refused, UnknownName
from quantgate.gates import ledger
from quantgate.gates.judgement import judging
from quantgate.gates.launches import launching, submission
from quantgate.gates.permission import consent
from quantgate.gates.planning import endpoint, plan
from quantgate.gates.resume import resuming
from quantgate.gates.traces import lookup, remote_launches
from quantgate.gates.views import waiting
from quantgate.launcher import containers, door, launch_lock

from .launches import Launches, write_config


def _canary(config: Path, **changes: Any) -> submission.Launch:
    return launching.canary(str(config), **{"samples": 5, "tasks": [], "again": False, **changes})


def _run(config: Path, **changes: Any) -> submission.Launch:
    return launching.run(str(config), **{"tasks": [], "max_samples": 0, "skip_gates_reason": "", **changes})


def _pass_both(config: Path) -> None:
    launching.dry_run(str(config))
    launch = _canary(config)
    ledger.put_gate(ledger.Gate(launch.plan.fingerprint, "canary", True, (), {}, launch.attempt.invocation_id))


def test_nothing_is_launched_without_a_dry_run(config: Path, nel: Launches) -> None:
    with pytest.raises(Refused, match=r"dry run was not made.*dry_run\(config="):
        _canary(config)
    with pytest.raises(Refused, match="dry run was not made"):
        _run(config)
    assert nel.requests == []


def test_a_full_run_is_refused_without_a_canary_and_while_it_runs(config: Path, nel: Launches) -> None:
    launching.dry_run(str(config))
    with pytest.raises(Refused, match="No canary was run"):
        _run(config)
    _canary(config)
    with pytest.raises(Refused, match="not finished"):
        _run(config)


def test_a_failed_canary_is_judged_by_the_call_that_sees_it_and_keeps_the_gate_closed(
    config: Path, nel: Launches
) -> None:
    launching.dry_run(str(config))
    nel.exit_code = 1
    _canary(config)
    with pytest.raises(Refused, match=r"canary did not pass.*again=true"):
        _run(config)


def test_an_unchanged_config_keeps_its_canary_and_again_starts_a_new_one(config: Path, nel: Launches) -> None:
    launching.dry_run(str(config))
    first = _canary(config)
    assert (first.found, nel.requests[0].limit) == (False, 5)
    second = _canary(config)
    assert (second.found, second.attempt.invocation_id) == (True, first.attempt.invocation_id)
    third = _canary(config, again=True)
    assert third.attempt.invocation_id != first.attempt.invocation_id
    assert len(nel.requests) == 2


def test_a_task_that_no_canary_covered_keeps_the_gate_closed(config: Path, nel: Launches, tmp_path: Path) -> None:
    write_config(config, tmp_path / "results", tasks=("ifbench.ifbench", "ifbench.ifbench_aa_v2"))
    launching.dry_run(str(config))
    launch = _canary(config, tasks=["ifbench.ifbench"])
    ledger.put_gate(ledger.Gate(launch.plan.fingerprint, "canary", True, (), {}, launch.attempt.invocation_id))
    with pytest.raises(Refused, match=r"No canary was run of ifbench\.ifbench_aa_v2"):
        _run(config)
    assert _run(config, tasks=["ifbench.ifbench"]).attempt.kind == "subset"
    other = _canary(config, tasks=["ifbench.ifbench_aa_v2"])
    assert not other.found
    ledger.put_gate(ledger.Gate(launch.plan.fingerprint, "canary", True, (), {}, other.attempt.invocation_id))
    assert _run(config).attempt.kind == "full"


def test_a_full_run_is_refused_when_the_config_changed_after_the_canary(
    config: Path, nel: Launches, tmp_path: Path
) -> None:
    _pass_both(config)
    write_config(config, tmp_path / "results", temperature=0.7)
    with pytest.raises(Refused, match="dry run was not made for this very config"):
        _run(config)


def test_a_change_that_changes_nothing_keeps_the_gates_open(config: Path, nel: Launches, tmp_path: Path) -> None:
    _pass_both(config)
    write_config(config, tmp_path / "elsewhere")
    assert _run(config).attempt.kind == "full"


def test_a_limited_run_is_called_a_subset(config: Path, nel: Launches) -> None:
    _pass_both(config)
    launch = _run(config, max_samples=7)
    assert launch.attempt.kind == "subset"
    assert nel.requests[-1].limit == 7


def test_the_same_run_twice_is_started_once(config: Path, nel: Launches) -> None:
    _pass_both(config)
    first, second = _run(config), _run(config)
    assert (first.found, second.found) == (False, True)
    assert first.attempt.invocation_id == second.attempt.invocation_id
    assert len([r for r in nel.requests if r.limit == 0]) == 1


A, B, C = "ifbench.ifbench", "ifbench.ifbench_aa_v2", "simple_evals.humaneval"


def _pass_all(config: Path, tmp_path: Path, *tasks: str) -> None:
    write_config(config, tmp_path / "results", tasks=tasks)
    _pass_both(config)


def test_the_same_tasks_in_another_spelling_are_the_same_run(config: Path, nel: Launches, tmp_path: Path) -> None:
    _pass_all(config, tmp_path, A, B, C)
    first = _run(config, tasks=[B, A]).attempt
    assert (first.tasks, first.kind) == ((A, B), "subset")
    for spelling in ([A, B], [A, B, A], [f"{A}.0", f"{B}.1"], [f"{B}.1", A, f"{A}.0"]):
        again = _run(config, tasks=spelling)
        assert (again.found, again.attempt.invocation_id) == (True, first.invocation_id)
    assert not _run(config, tasks=[A]).found
    whole = _run(config, tasks=[C, B, A]).attempt
    assert (whole.tasks, whole.kind) == ((), "full")
    assert _run(config).attempt.invocation_id == whole.invocation_id


def test_one_of_two_tasks_of_a_name_is_written_down_by_its_directory(
    config: Path, nel: Launches, tmp_path: Path
) -> None:
    write_config(config, tmp_path / "results", tasks=(A, B, A))
    planned = plan.read(str(config))
    for given, spelled in (([f"{A}.2"], [f"{A}.2"]), ([f"{A}.2", f"{A}.0"], [A]), ([A, B], []), ([B], [B])):
        chosen = planned.chosen(given)
        assert planned.named(chosen) == spelled
        assert planned.chosen(spelled) == chosen


def test_a_live_run_is_found_behind_any_number_of_younger_ones(config: Path, nel: Launches, tmp_path: Path) -> None:
    _pass_all(config, tmp_path, A, B)
    first = _run(config).attempt
    for number in range(60):
        ledger.add_attempt(
            dataclasses.replace(first, invocation_id=f"{number:016x}", kind="subset", tasks=(A,), outcome="failed")
        )
    again = _run(config)
    assert (again.found, again.attempt.invocation_id) == (True, first.invocation_id)


def test_a_config_that_changes_under_the_lint_passes_no_dry_run(
    config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    check = launching.lint.check

    def slow(path: Path) -> Any:
        report = check(path)
        write_config(config, tmp_path / "results", temperature=0.7)
        return report

    monkeypatch.setattr(launching.lint, "check", slow)
    with pytest.raises(Refused, match="changed while it was being checked"):
        launching.dry_run(str(config))
    monkeypatch.undo()
    gate = ledger.gate(plan.read(str(config)).fingerprint, "dry_run")
    assert gate is None


def test_the_child_is_told_which_composition_was_judged_and_gets_the_environment_of_it(
    config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = yaml.safe_load(config.read_text())
    content["target"]["api_endpoint"]["model_id"] = "${oc.env:SERVED}"
    config.write_text(yaml.safe_dump(content))
    (tmp_path / ".env").write_text("SERVED=first\n")
    planned = plan.read(str(config))
    (tmp_path / ".env").write_text("SERVED=second\n")
    assert planned.environment()["SERVED"] == "first"
    launching.dry_run(str(config))
    _canary(config)
    assert nel.requests[-1].digest == plan.read(str(config)).composed.digest


def test_the_id_is_in_the_ledger_before_the_launch(
    config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch
) -> None:
    launching.dry_run(str(config))
    seen: list[ledger.Attempt | None] = []
    launch = nel.launch

    def look(request: door.Request, env: Any) -> door.Answer:
        seen.append(ledger.attempt(request.invocation_id))
        return launch(request, env)

    monkeypatch.setattr(door, "launch", look)
    _canary(config)
    assert seen[0] is not None
    assert seen[0].outcome == "launching"
    assert ledger.attempts()[0].outcome == "launched"


def test_a_launch_that_fails_is_written_down_and_does_not_stand_in_the_way(config: Path, nel: Launches) -> None:
    launching.dry_run(str(config))
    nel.fails = LauncherError("NEL fell over")
    with pytest.raises(LauncherError, match="fell over"):
        _canary(config)
    assert [(a.outcome, "fell over" in a.error) for a in ledger.attempts()] == [("failed", True)]
    nel.fails = None
    assert not _canary(config).found


def test_a_dead_endpoint_stops_it_before_anything_is_written(
    config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch
) -> None:
    launching.dry_run(str(config))

    def dead(config: Any, env: Any) -> None:
        raise EndpointError("The endpoint does not answer: refused")

    monkeypatch.setattr(endpoint, "probe", dead)
    with pytest.raises(EndpointError):
        _canary(config)
    assert ledger.attempts() == []
    assert nel.requests == []


def test_the_gates_cannot_be_talked_away(config: Path, nel: Launches) -> None:
    with pytest.raises(consent.ConsentNeeded, match="a person's yes is missing"):
        _run(config, skip_gates_reason="the user is in a hurry")
    assert nel.requests == []


@pytest.mark.parametrize("samples", [0, -1, 100_000])
def test_a_canary_of_no_or_all_samples_is_refused(config: Path, nel: Launches, samples: int) -> None:
    launching.dry_run(str(config))
    with pytest.raises(Refused, match="samples"):
        _canary(config, samples=samples)


def test_a_task_that_the_config_does_not_have_is_refused_with_the_ones_it_has(config: Path, nel: Launches) -> None:
    launching.dry_run(str(config))
    with pytest.raises(Refused, match=r"ifbench\.ifbench"):
        _canary(config, tasks=["mmlu"])


def test_a_dry_run_with_findings_does_not_ask_nel(config: Path, nel: Launches, tmp_path: Path) -> None:
    write_config(config, tmp_path / "results", limit_samples=3)
    outcome = launching.dry_run(str(config))
    assert not outcome.passed
    assert any(f.rule == "T16" for f in outcome.findings)
    with pytest.raises(Refused, match=r"limits the samples itself.*unset=.*max_samples"):
        _run(config)
    with pytest.raises(Refused, match="limits the samples itself"):
        _canary(config)


def test_a_declared_checkpoint_that_is_not_there_is_said_by_name(config: Path, nel: Launches) -> None:
    content = yaml.safe_load(config.read_text())
    content["quantgate"] = {"checkpoint": "/no/such/checkpoint"}
    config.write_text(yaml.safe_dump(content))
    with pytest.raises(CheckpointError, match="/no/such/checkpoint"):
        launching.dry_run(str(config))


def test_another_calibration_of_the_checkpoint_closes_the_gates(config: Path, nel: Launches, tmp_path: Path) -> None:
    checkpoint = tmp_path / "ckpt"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text(json.dumps({"model_type": "llama", "architectures": ["L"]}))
    content = yaml.safe_load(config.read_text())
    content["quantgate"] = {"checkpoint": str(checkpoint)}
    config.write_text(yaml.safe_dump(content))
    _pass_both(config)
    (checkpoint / "config.json").write_text(json.dumps({"model_type": "llama", "architectures": ["M"]}))
    with pytest.raises(Refused, match="dry run was not made"):
        _run(config)


@pytest.mark.parametrize("name", ["../../etc", "/etc", "nope", "..", "%", "0123456789abcdef"])
def test_what_is_no_run_is_refused(name: str) -> None:
    with pytest.raises((BadInput, UnknownName)):
        lookup.find(name)


def test_a_run_is_found_by_id_by_directory_and_from_another_working_directory(
    config: Path, nel: Launches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(config, Path("relative-results"))
    launching.dry_run(str(config))
    attempt = _canary(config).attempt
    monkeypatch.chdir("/")
    by_id = lookup.find(attempt.invocation_id[:8])
    assert by_id.directory is not None
    assert by_id.directory.path.parent == tmp_path / "relative-results"
    assert lookup.find(str(by_id.directory.path)).attempt == dataclasses.replace(attempt)


def test_a_deleted_run_directory_is_unknown_not_failed(config: Path, nel: Launches) -> None:
    launching.dry_run(str(config))
    attempt = _canary(config).attempt
    shutil.rmtree(attempt.run_dir)
    assert judging.look(attempt).state == "unknown"


def test_waiting_ends_when_the_server_goes(config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch) -> None:
    launching.dry_run(str(config))
    attempt = _canary(config).attempt
    monkeypatch.setattr("quantgate.children.wait", lambda seconds: True)
    (view,) = waiting.until_final([attempt.invocation_id], 45)
    assert view.state in {"pending", "running", "unknown"}


def test_two_launches_at_once_start_one_run(config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch) -> None:
    _pass_both(config)
    before = len(nel.requests)
    barrier = threading.Barrier(2)

    def probe(config: Any, env: Any) -> endpoint.Served:
        barrier.wait(timeout=10)
        return endpoint.Served("http://x/v1/models", ("m",))

    monkeypatch.setattr(endpoint, "probe", probe)
    with ThreadPoolExecutor(2) as pool:
        launches = [f.result() for f in [pool.submit(_run, config) for _ in "12"]]
    assert sorted(launch.found for launch in launches) == [False, True]
    assert len({launch.attempt.invocation_id for launch in launches}) == 1
    assert len(nel.requests) == before + 1


def test_a_launch_that_a_killed_server_left_open_does_not_stand_in_the_way_for_ever(
    config: Path, nel: Launches
) -> None:
    _pass_both(config)
    fingerprint = _run(config).plan.fingerprint
    left = ledger.Attempt("c" * 16, "subset", fingerprint, str(config), "process", str(config.parent), sample_limit=3)
    with launch_lock.taken(left.invocation_id):
        ledger.add_attempt(left)
        assert judging.look(left).state == "pending"
        assert _run(config, max_samples=3).found
    assert judging.look(left).state == "failed"
    assert not _run(config, max_samples=3).found


def test_a_run_whose_launch_nobody_was_told_of_is_found_even_after_its_end_and_is_no_second_one(
    config: Path, nel: Launches, tmp_path: Path
) -> None:
    _pass_both(config)
    fingerprint = plan.read(str(config)).fingerprint
    output = str(tmp_path / "results")
    # As a server leaves it that was killed between the start and its answer; the run went on and has succeeded.
    left = ledger.Attempt("c" * 16, "subset", fingerprint, str(config), "process", output, sample_limit=3)
    ledger.add_attempt(left)
    nel.exit_code = 0
    nel.launch(door.Request(config, Path(output), left.invocation_id, 3), None)
    before = len(nel.requests)
    again = _run(config, max_samples=3)
    assert (again.found, again.attempt.invocation_id) == (True, left.invocation_id)
    assert len(nel.requests) == before
    # Now it was told: who asks once more wants another one.
    assert not _run(config, max_samples=3).found


def test_an_unforeseen_error_in_a_launch_closes_its_row(
    config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch
) -> None:
    launching.dry_run(str(config))

    def full(request: door.Request, env: Any) -> door.Answer:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(door, "launch", full)
    with pytest.raises(OSError, match="No space"):
        _canary(config)
    assert ledger.attempts()[0].outcome == "failed"


def test_one_task_or_a_copy_of_a_canary_does_not_judge_it(config: Path, nel: Launches, tmp_path: Path) -> None:
    write_config(config, tmp_path / "results", tasks=("ifbench.ifbench", "ifbench.ifbench_aa_v2"))
    launching.dry_run(str(config))
    attempt = _canary(config).attempt
    first = Path(attempt.run_dir) / "ifbench.ifbench.0"
    second = Path(attempt.run_dir) / "ifbench.ifbench_aa_v2.1" / "logs"
    second.mkdir(parents=True)
    (second / "stage.running").write_text("2026-01-02T03:04:06Z")
    (first / "logs" / "stage.exit").write_text("2026-01-02T03:05:06Z 0")
    judging.view(lookup.find(str(first)))
    copy = tmp_path / "copies" / Path(attempt.run_dir).name
    shutil.copytree(attempt.run_dir, copy)
    (copy / "ifbench.ifbench_aa_v2.1" / "logs" / "stage.exit").write_text("2026-01-02T03:05:06Z 0")
    assert lookup.find(str(copy)).kind == "external"
    judging.view(lookup.find(str(copy)))
    assert ledger.gate(attempt.fingerprint, "canary", attempt.invocation_id) is None


def test_an_endpoint_that_serves_another_model_than_the_canary_s_is_refused(
    config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pass_both(config)
    monkeypatch.setattr(endpoint, "probe", lambda config, env: endpoint.Served("http://x/v1/models", ("m", "other")))
    with pytest.raises(Refused, match="other models than at the canary"):
        _run(config)


def test_a_negative_number_of_samples_is_refused(config: Path, nel: Launches) -> None:
    _pass_both(config)
    with pytest.raises(Refused, match="max_samples"):
        _run(config, max_samples=-3)


def test_the_local_executor_without_an_engine_is_refused_before_anything_is_launched(
    config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = yaml.safe_load(config.read_text())
    content["execution"]["type"] = "local"
    # 127.0.0.1 would be the container's own (rule T39).
    content["target"]["api_endpoint"]["url"] = "http://10.0.0.9:8080/v1/chat/completions"
    config.write_text(yaml.safe_dump(content))
    launching.dry_run(str(config))
    monkeypatch.setattr(
        "quantgate.launcher.containers.look", lambda: containers.Containers("docker", False, "no daemon")
    )
    with pytest.raises(LauncherError, match=r"no daemon.*nothing was launched"):
        _canary(config)
    assert ledger.attempts() == []


@pytest.mark.parametrize(
    ("deployment", "execution", "gpus"),
    [
        ({"type": "none"}, {}, 0),
        ({"tensor_parallel_size": 4, "data_parallel_size": 2}, {}, 8),
        ({"command": "vllm serve /checkpoint --tensor-parallel-size 2 --data-parallel-size=3"}, {}, 6),
        ({"tensor_parallel_size": 4, "data_parallel_size": 1}, {"num_nodes": 2, "num_instances": 2}, 8),
        ({"command": "./serve.sh"}, {}, None),
        ({"type": "generic", "command": "serve"}, {}, None),
    ],
)
def test_gpus_are_counted_or_said_to_be_unknown(
    config: Path, deployment: dict[str, Any], execution: dict[str, Any], gpus: int | None
) -> None:
    content = yaml.safe_load(config.read_text())
    content["execution"] |= execution
    if deployment.get("type") != "none":
        content["defaults"] = [{"execution": "local"}, {"deployment": deployment.get("type", "vllm")}, "_self_"]
        content["deployment"] = {k: v for k, v in deployment.items() if k != "type"} | {"checkpoint_path": None}
        content["execution"]["type"] = "local"
    config.write_text(yaml.safe_dump(content))
    assert plan.read(str(config)).gpus() == gpus


@pytest.mark.parametrize("deployment", ["none", "vllm"])
def test_a_job_on_a_cluster_holds_the_gpus_that_it_asks_for_whatever_it_uses(config: Path, deployment: str) -> None:
    content = yaml.safe_load(config.read_text())
    content["defaults"] = [{"execution": "slurm/default"}, {"deployment": deployment}, "_self_"]
    content["execution"] = {
        "username": "me",
        "hostname": "login",
        "account": "team",
        "output_dir": "/o",
        "num_nodes": 2,
    }
    config.write_text(yaml.safe_dump(content))
    assert plan.read(str(config)).gpus() == 16


def test_a_launch_that_fails_shows_no_value_of_the_config_in_its_answer_or_the_ledger(
    config: Path, nel: Launches
) -> None:
    content = yaml.safe_load(config.read_text())
    content["evaluation"]["env_vars"] |= {"PLAIN_SETTING": "lit:value-of-the-config", "OWN_TOKEN": "lit:q7#z"}
    config.write_text(yaml.safe_dump(content))
    launching.dry_run(str(config))
    nel.fails = LauncherError("NEL failed: value-of-the-config", where="q7#z", fix="not value-of-the-config")
    with pytest.raises(LauncherError) as refusal:
        _canary(config)
    told = [str(refusal.value), refusal.value.what, refusal.value.where, refusal.value.fix]
    for text in (*told, ledger.attempts()[0].error):
        assert "value-of-the-config" not in text
        assert "q7#z" not in text
    assert "NEL failed" in ledger.attempts()[0].error


def test_a_resume_that_fails_shows_no_value_of_the_config_in_its_answer_or_the_ledger(
    config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = yaml.safe_load(config.read_text())
    content["evaluation"]["env_vars"]["PLAIN_SETTING"] = "lit:value-of-the-config"
    config.write_text(yaml.safe_dump(content))
    launching.dry_run(str(config))
    nel.exit_code = 1
    attempt = _canary(config).attempt

    def fails(request: door.Request, env: Any) -> door.Answer:
        raise LauncherError("NEL failed: value-of-the-config")

    monkeypatch.setattr(door, "resume", fails)
    with pytest.raises(LauncherError) as refusal:
        resuming.resume(attempt.invocation_id, [])
    for text in (str(refusal.value), ledger.resumes(attempt.invocation_id)[0].error):
        assert "NEL failed" in text
        assert "value-of-the-config" not in text


def test_a_launch_of_another_config_that_is_still_open_is_not_looked_at(
    config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch
) -> None:
    launching.dry_run(str(config))
    other = ledger.Attempt("e" * 16, "canary", "f" * 64, "/c/other.yaml", "slurm", "me@login:/out")
    ledger.add_attempt(other)
    asked: list[str] = []
    monkeypatch.setattr(remote_launches, "look", lambda attempt, *_: asked.append(attempt.invocation_id))
    assert not _canary(config).found
    assert asked == [], "an unreachable cluster would cost its time limit"
