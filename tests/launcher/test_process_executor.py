"""The process executor through the real NEL, in its child process; nothing is evaluated here but what is written is looked at."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate import scratch, workspace
from quantgate.errors import BadInput, HarnessError, LauncherError
from quantgate.launcher import door, execdb, process_control

SECRET = "a-key-that-nobody-may-see-42"


def _config(tmp_path: Path, task: str = "ifbench.ifbench", **changes: Any) -> Path:
    """A config of the process executor; `changes` are merged into its sections."""
    config: dict[str, Any] = {
        "defaults": [{"execution": "local"}, {"deployment": "none"}, "_self_"],
        "execution": {"type": "process", "output_dir": str(tmp_path / "config-says")},
        "target": {
            "api_endpoint": {
                "url": "http://127.0.0.1:9/v1/chat/completions",
                "model_id": "m",
                "api_key_name": "MY_API_KEY",
            }
        },
        "evaluation": {"env_vars": {"MY_API_KEY": "host:MY_API_KEY"}, "tasks": [{"name": task}]},
    }
    for section, values in changes.items():
        config[section] = {**config.get(section, {}), **values}
    path = tmp_path / "eval.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _environment() -> dict[str, str]:
    return {**os.environ, "MY_API_KEY": SECRET, "OTHER_TOKEN": "not-declared-anywhere-1"}


def _everything_below(path: Path) -> str:
    return "\n".join(p.read_text(errors="replace") for p in path.rglob("*") if p.is_file())


def test_a_dry_run_shows_the_evaluation_and_leaves_nothing(tmp_path: Path) -> None:
    answer = door.dry_run(_config(tmp_path), _environment())
    assert "model_id: m" in answer.output_tail
    assert "<output_dir>" in answer.output
    assert SECRET not in answer.output
    assert not (tmp_path / "config-says").exists()
    assert list((workspace.state_dir() / "scratch").iterdir()) == []


def test_what_a_private_directory_of_a_killed_server_held_is_swept(tmp_path: Path) -> None:
    hold = "from quantgate import scratch as s; import time\nwith s.private_directory() as p: print(p, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        (left / ".secrets.env").write_text("x")
        door.dry_run(_config(tmp_path), _environment())
        assert left.exists(), "another server's directory was taken away while it runs"
        process.kill()
    door.dry_run(_config(tmp_path), _environment())
    assert not left.exists()


def test_what_was_left_before_a_reboot_is_swept_and_another_machine_s_is_not() -> None:
    with scratch.private_directory() as mine:
        host, boot, pid, _ = mine.name.split("-")
        before = mine.with_name(f"{host}-00000000-{pid}-a")
        elsewhere = mine.with_name(f"00000000-{boot}-4194303-a")
        for left in (before, elsewhere):
            left.mkdir()
        with scratch.private_directory():
            assert (before.exists(), elsewhere.exists(), mine.exists()) == (False, True, True)


def test_a_directory_whose_lock_is_held_stays_though_its_process_id_means_nothing_here() -> None:
    """As another container with this host's name and this state directory sees it: the id is of another namespace."""
    with scratch.private_directory() as mine:
        host, boot, _, _ = mine.name.split("-")
        theirs = mine.with_name(f"{host}-{boot}-4194303-a")
        held = scratch._held(theirs)
        theirs.mkdir()
        scratch.sweep()
        assert theirs.exists()
        os.close(held)
        scratch.sweep()
        assert not theirs.exists()
    assert list(mine.parent.iterdir()) == []


def test_a_home_that_cannot_be_written_does_not_stop_a_dry_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEMO_EVALUATOR_EXEC_DB_FILE")
    monkeypatch.setenv("HOME", "/proc/no-such-home")
    assert execdb.path().is_relative_to(workspace.state_dir())
    assert "model_id: m" in door.dry_run(_config(tmp_path), _environment()).output


def test_the_repair_of_a_dry_run_without_any_variable_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NEL 0.2.6 fails on an unbound name when a local config declares no variable at all."""
    monkeypatch.delenv("NEMO_EVALUATOR_TELEMETRY_LEVEL", raising=False)
    path = tmp_path / "bare.yaml"
    path.write_text(
        "defaults:\n  - execution: local\n  - deployment: none\n  - _self_\n"
        "execution: {output_dir: /nowhere}\n"
        "target: {api_endpoint: {url: 'http://x/v1/chat/completions', model_id: m, api_key_name: null}}\n"
        "evaluation: {tasks: [{name: ifbench.ifbench}]}\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "NEMO_EVALUATOR_TELEMETRY_LEVEL"}
    assert "docker run" in door.dry_run(path, environment).output


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"task": "nemo_skills.ns_ifbench"}, HarnessError, r"nemo_skills has no wheel.*execution\.type: local"),
        ({"deployment": {"type": "vllm"}, "target": {"api_endpoint": {}}}, BadInput, "already up"),
        ({"task": "no_such_task"}, LauncherError, "no_such_task"),
    ],
)
def test_what_it_cannot_run_is_refused(
    tmp_path: Path, change: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        door.dry_run(_config(tmp_path, **change), _environment())


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "MY_API_KEY"}
    with pytest.raises(LauncherError, match="MY_API_KEY"):
        door.dry_run(_config(tmp_path), environment)


def test_pre_cmd_needs_the_trust_of_the_server_s_own_environment(tmp_path: Path) -> None:
    config = _config(tmp_path, evaluation={"pre_cmd": "echo hello"})
    request = door.Request(config, tmp_path / "out", door.new_invocation_id())
    with pytest.raises(BadInput, match="NEMO_EVALUATOR_TRUST_PRE_CMD"):
        door.launch(request, _environment())
    assert not list((tmp_path / "out").rglob("runner.json"))


@pytest.mark.parametrize("name", ["out dir", "$(touch PWNED)", "a;b", "new\nline", "it's"])
def test_an_output_directory_that_a_shell_takes_apart_is_refused(tmp_path: Path, name: str) -> None:
    request = door.Request(_config(tmp_path), tmp_path / name, door.new_invocation_id())
    with pytest.raises(BadInput, match="shell"):
        door.launch(request, _environment())
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("variable", ["BASH_ENV", "LD_PRELOAD", "PATH", "PYTHONPATH"])
def test_a_declared_variable_that_steers_programs_is_refused(tmp_path: Path, variable: str) -> None:
    declared = {"MY_API_KEY": "host:MY_API_KEY", variable: "lit:/x/evil"}
    with pytest.raises(BadInput, match=variable):
        door.dry_run(_config(tmp_path, evaluation={"env_vars": declared}), _environment())


def test_an_auxiliary_deployment_is_refused(tmp_path: Path) -> None:
    judge = {"judge": {"type": "vllm", "env_prefix": "A}|x|;$(touch PWNED)"}}
    with pytest.raises(BadInput, match="judge"):
        door.dry_run(_config(tmp_path, auxiliary_deployments=judge), _environment())


def test_a_pre_cmd_may_not_touch_the_container_s_results_on_this_machine(tmp_path: Path) -> None:
    trusting = {**_environment(), "NEMO_EVALUATOR_TRUST_PRE_CMD": "1"}
    with pytest.raises(BadInput, match="/results"):
        door.dry_run(_config(tmp_path, evaluation={"pre_cmd": "mkdir -p /results && echo hi > /results/x"}), trusting)


def test_a_module_in_the_working_directory_does_not_stand_in_for_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hydra.py").write_text("raise RuntimeError('shadowed')")
    monkeypatch.chdir(tmp_path)
    assert "shadowed" not in door.dry_run(_config(tmp_path), _environment()).output


def test_a_config_that_changed_since_it_was_judged_is_not_launched(tmp_path: Path) -> None:
    request = door.Request(_config(tmp_path), tmp_path / "out", door.new_invocation_id(), digest="0" * 64)
    with pytest.raises(BadInput, match="changed while"):
        door.launch(request, _environment())


def test_a_launch_takes_our_id_keeps_secrets_off_the_disk_and_results_off_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = {"params": {"extra": {"cache_dir": "/results/native_cache"}}}
    config_file = _config(tmp_path, evaluation={"nemo_evaluator_config": {"config": params}})
    # An installation that cannot even begin: what is looked at here is written before it.
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").write_text("in the way")
    invocation_id = door.new_invocation_id()
    request = door.Request(config_file, tmp_path / "out", invocation_id, limit=3)
    answer = door.launch(request, _environment())
    assert answer.invocation_id == invocation_id
    (directory,) = (tmp_path / "out").glob(f"*-{invocation_id}")
    assert re.fullmatch(r"\d{8}_\d{6}-[0-9a-f]{16}", directory.name)
    task = directory / "ifbench.ifbench.0"
    deadline = time.monotonic() + 20
    while not (task / "logs" / "stage.exit").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (task / "logs" / "stage.exit").read_text().split()[-1] == "1"
    assert "could not be installed" in (task / "logs" / "stdout.log").read_text()

    written = _everything_below(directory)
    command = (task / "command.sh").read_text()
    config = base64.b64decode(
        re.findall(r'echo "([A-Za-z0-9+/=]+)" \| base64 -d > config_ef\.yaml', command)[0]
    ).decode()
    for text in (written, config, Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"]).read_text()):
        assert SECRET not in text
    assert f"output_dir: {task / 'artifacts'}" in config
    assert f"cache_dir: {task / 'artifacts' / 'native_cache'}" in config
    assert "limit_samples: 3" in config
    assert not re.search(
        r"[ =]/results", config.replace("/results/native_cache", "", 0).split("launcher_resolved_config")[0]
    )
    assert execdb.jobs(invocation_id)[f"{invocation_id}.0"].output_dir == str(task)
    assert process_control.stop(directory)


def test_an_undeclared_secret_of_the_server_does_not_reach_the_harness(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from quantgate.launcher import process_plan, process_runner

    monkeypatch.setenv("OTHER_TOKEN", "not-declared-anywhere-1")
    monkeypatch.setenv("QUANTGATE_TASK_0_MY_API_KEY", SECRET)
    monkeypatch.setenv("QUANTGATE_TASK_1_MY_API_KEY", "of-another-task")
    (tmp_path / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    task = process_plan.PlannedTask("ifbench.ifbench", 0, "ifbench", str(tmp_path), ["MY_API_KEY"])
    seen = process_runner._task_environment(task, tmp_path)
    assert seen["MY_API_KEY"] == SECRET
    assert "OTHER_TOKEN" not in seen
    assert not [name for name in seen if name.startswith("QUANTGATE_TASK_")]
    assert seen["PATH"].startswith(str(tmp_path / "bin"))


def test_a_broken_line_of_nel_s_database_is_passed_over(tmp_path: Path) -> None:
    file = Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"])
    file.parent.mkdir(parents=True)
    good = {"job_id": "ab12.0", "invocation_id": "ab12", "executor": "local", "data": {"output_dir": "/x/t.0"}}
    file.write_text(f'{{"job_id": "ab12.0", "invoc\n{json.dumps(good)}\n[1]\n"ab12"\n')
    assert execdb.jobs("ab12")["ab12.0"].output_dir == "/x/t.0"
    assert execdb.jobs("ffff") == {}
