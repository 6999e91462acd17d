"""A config's own commands, through the real NEL: only what a person confirmed runs, and only the launch's child learns of it."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from quantgate import children, faults, workspace
from quantgate.errors import BadInput, LauncherError, NoAnswer, Refused
from quantgate.launcher import child, commands, door, process_control, stamp

STAMP = stamp.Stamp("", "subset", 3, ("ifbench.ifbench",), 1, "f" * 64, "d" * 64, "the user is in a hurry")


def _config(tmp_path: Path, executor: str = "process", **evaluation: Any) -> Path:
    endpoint = {"url": "http://127.0.0.1:9/v1/chat/completions", "model_id": "m", "api_key_name": "MY_API_KEY"}
    config = {
        "defaults": [{"execution": "local"}, {"deployment": "none"}, "_self_"],
        "execution": {"output_dir": "/nowhere", **({"type": "process"} if executor == "process" else {})},
        "target": {"api_endpoint": endpoint},
        "evaluation": {
            "env_vars": {"MY_API_KEY": "host:MY_API_KEY"},
            "tasks": [{"name": "ifbench.ifbench"}],
            **evaluation,
        },
    }
    path = tmp_path / "eval.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    # An installation that cannot even begin: nothing is evaluated here, what is looked at is written before it.
    (tmp_path / "cache").write_text("in the way")
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(commands.TRUST_TASKS, raising=False)
    return {**os.environ, "MY_API_KEY": "a-key-that-nobody-may-see-42"}


def _request(config: Path, tmp_path: Path, **changes: Any) -> door.Request:
    return door.Request(config, tmp_path / "out", door.new_invocation_id(), **changes)


def _plain(config: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(config.read_text())
    return loaded


def _ended(directory: Path) -> bool:
    exit_file = directory / "ifbench.ifbench.0" / "logs" / "stage.exit"
    deadline = time.monotonic() + 20
    while not exit_file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return exit_file.exists()


def test_confirmed_commands_are_launched_and_the_server_s_own_environment_stays_as_it_was(
    tmp_path: Path, env: dict[str, str]
) -> None:
    config = _config(tmp_path, pre_cmd="echo prepared")
    trusted = commands.Trusted(commands.digest(commands.with_variables(_plain(config))))
    request = _request(config, tmp_path, trusted=trusted)
    door.launch(request, env)
    (directory,) = (tmp_path / "out").glob("*")
    assert _ended(directory)
    assert "echo prepared" in (directory / "ifbench.ifbench.0" / "command.sh").read_text()
    assert commands.TRUST_COMMANDS not in os.environ
    process_control.stop(directory)


def test_commands_that_nobody_confirmed_are_not_launched(tmp_path: Path, env: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=commands.TRUST_COMMANDS):
        door.launch(_request(_config(tmp_path, post_cmd="echo x"), tmp_path), env)


def test_commands_that_changed_after_the_yes_are_not_launched(tmp_path: Path, env: dict[str, str]) -> None:
    shown = commands.digest(commands.with_variables(_plain(_config(tmp_path, pre_cmd="echo harmless"))))
    config = _config(tmp_path, pre_cmd="echo other")
    with pytest.raises(Refused, match=r"not those that were confirmed.*evaluation\.pre_cmd"):
        door.launch(_request(config, tmp_path, trusted=commands.Trusted(shown)), env)
    assert not (tmp_path / "out").exists()


def test_a_variable_that_came_between_the_yes_and_the_launch_changes_the_commands(
    tmp_path: Path, env: dict[str, str]
) -> None:
    shown = commands.digest(commands.with_variables(_plain(_config(tmp_path, pre_cmd="echo shown"))))
    config = _config(tmp_path, pre_cmd="echo ${oc.env:WORD}")
    for word, launched in (("shown", True), ("hidden; rm -rf /nothing", False)):
        request = _request(config, tmp_path, trusted=commands.Trusted(shown))
        if launched:
            door.launch(request, {**env, "WORD": word})
        else:
            with pytest.raises(Refused, match="not those that were confirmed"):
                door.launch(request, {**env, "WORD": word})


def test_every_place_of_a_command_is_found_and_a_local_run_s_deployment_is_none() -> None:
    config: dict[str, Any] = {
        "execution": {"type": "slurm"},
        "deployment": {"pre_cmd": "a"},
        "auxiliary_deployments": {"judge": {"pre_cmd": "b"}},
        "evaluation": {"pre_cmd": "c", "post_cmd": "", "tasks": [{"name": "x"}, {"name": "y", "post_cmd": "d"}]},
    }
    found = [(c.place, c.text) for c in commands.commands(config)]
    own = [("evaluation.pre_cmd", "c"), ("evaluation.tasks[1].post_cmd", "d")]
    assert found == [*own, ("deployment.pre_cmd", "a"), ("auxiliary_deployments.judge.pre_cmd", "b")]
    assert [(c.place, c.text) for c in commands.commands({**config, "execution": {"type": "local"}})] == own


def test_a_variable_that_decides_which_programs_run_counts_as_a_command_of_a_process_run() -> None:
    config: dict[str, Any] = {
        "execution": {"type": "process"},
        "env_vars": {"BASH_ENV": "lit:/tmp/x.sh"},
        "evaluation": {
            "env_vars": {"HF_TOKEN": "host:HF_TOKEN"},
            "tasks": [{"name": "x", "env_vars": {"PATH": "lit:/x"}}],
        },
    }
    places = [c.place for c in commands.commands(config)]
    assert places == ["env_vars.BASH_ENV", "evaluation.tasks[0].env_vars.PATH"]
    assert commands.commands({**config, "execution": {"type": "local"}}) == ()


def test_the_digest_tells_places_apart_and_is_empty_without_commands() -> None:
    a, b = commands.Command("evaluation.pre_cmd", "x"), commands.Command("evaluation.post_cmd", "x")
    assert commands.digest((a,)) != commands.digest((b,))
    assert commands.digest(()) == ""


def test_a_variable_that_a_command_could_use_belongs_to_the_yes() -> None:
    def digest(**variables: Any) -> str:
        config = {"execution": {"type": "slurm"}, "evaluation": {"pre_cmd": 'eval "$SETUP"', "tasks": []}}
        return commands.digest(commands.with_variables({**config, **variables}))

    declared = {
        "top": digest(env_vars={"SETUP": "lit:echo"}),
        "changed": digest(env_vars={"SETUP": "lit:touch /tmp/x"}),
        "host": digest(env_vars={"SETUP": "host:SETUP"}),
        "deployment": digest(deployment={"env_vars": {"SETUP": "lit:echo"}}),
        "auxiliary": digest(auxiliary_deployments={"judge": {"env_vars": {"SETUP": "lit:echo"}}}),
        "none": digest(),
    }
    assert len(set(declared.values())) == len(declared)
    assert commands.with_variables({"env_vars": {"SETUP": "lit:echo"}}) == ()


def test_a_value_that_a_variable_brings_into_the_command_line_after_the_plan_is_not_launched(
    tmp_path: Path, env: dict[str, str]
) -> None:
    params = {"config": {"params": {"extra": {"args": "${oc.env:WORD}"}}}}
    config = _config(tmp_path, nemo_evaluator_config=params)
    with pytest.raises(BadInput, match=r"nobody confirmed.*params\.extra\.args"):
        door.launch(_request(config, tmp_path), {**env, "WORD": "--a; touch /nothing"})
    assert not (tmp_path / "out").exists()
    assert door.dry_run(config, {**env, "WORD": "--a; touch /nothing"})


def test_the_stamp_lies_in_the_directory_before_anything_runs(tmp_path: Path, env: dict[str, str]) -> None:
    request = _request(_config(tmp_path), tmp_path)
    laid = stamp.from_json({**STAMP.as_json(), "invocation_id": request.invocation_id})
    door.launch(door.Request(request.config, request.output_dir, request.invocation_id, stamp=laid), env)
    (directory,) = (tmp_path / "out").glob(f"*-{request.invocation_id}")
    assert stamp.read(directory) == laid
    file = directory / stamp.FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # The runner's record is the first thing that a started run writes.
    assert _ended(directory)
    assert file.stat().st_mtime_ns <= (directory / "runner.json").stat().st_mtime_ns


def test_a_run_that_cannot_be_stamped_is_not_started(tmp_path: Path, env: dict[str, str]) -> None:
    config = _config(tmp_path, executor="docker")
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    # Stands in for a container engine: it only says that it was called.
    (bin_dir / "docker").write_text(f"#!/bin/sh\ntouch {tmp_path / 'called'}\n")
    (bin_dir / "docker").chmod(0o755)
    request = _request(config, tmp_path)
    laid = stamp.from_json({**STAMP.as_json(), "invocation_id": request.invocation_id})
    assert laid is not None
    hook = tmp_path / "site" / "sitecustomize.py"
    hook.parent.mkdir()
    hook.write_text("import os\ndef full(handle):\n    raise OSError(28, 'No space left on device')\nos.fsync = full\n")
    broken = {**env, "PATH": f"{bin_dir}:{env['PATH']}", "PYTHONPATH": str(hook.parent)}
    with pytest.raises(LauncherError, match="No space left"):
        door.launch(door.Request(config, request.output_dir, request.invocation_id, stamp=laid), broken)
    assert not (tmp_path / "called").exists()


def test_the_secrets_of_a_docker_run_are_for_the_user_only_and_telemetry_is_off(
    tmp_path: Path, env: dict[str, str]
) -> None:
    """Real NEL, its own executor; `docker` does nothing and the run ends at once, its directory stays."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "docker").write_text("#!/bin/sh\nexit 0\n")
    (bin_dir / "docker").chmod(0o755)
    door.launch(_request(_config(tmp_path, executor="docker"), tmp_path), {**env, "PATH": f"{bin_dir}:{env['PATH']}"})
    secrets = list((tmp_path / "out").rglob(".secrets.env"))
    assert secrets
    for file in secrets:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "a-key-that-nobody-may-see-42" in file.read_text()
    level = next(line for line in secrets[0].read_text().splitlines() if "TELEMETRY_LEVEL" in line)
    assert level.split("=", 1)[1].strip("\"'") == "0"


def _in_a_server_that_dies(code: str, place: str, env: dict[str, str]) -> None:
    """Run code in a process that is killed when its child comes to a place."""
    process = subprocess.run(
        [sys.executable, "-c", code], env={**env, faults.VARIABLE: f"orphan:{place}"}, check=False, timeout=120
    )
    assert process.returncode == -signal.SIGKILL


def test_a_run_whose_server_was_killed_during_the_launch_is_stamped(tmp_path: Path, env: dict[str, str]) -> None:
    invocation_id = door.new_invocation_id()
    laid = {**STAMP.as_json(), "invocation_id": invocation_id}
    code = (
        "import os, pathlib\nfrom quantgate.launcher import door, stamp\n"
        f"door.launch(door.Request(pathlib.Path({str(_config(tmp_path))!r}), pathlib.Path({str(tmp_path / 'out')!r}), "
        f"{invocation_id!r}, stamp=stamp.from_json({laid!r})), dict(os.environ))"
    )
    _in_a_server_that_dies(code, "directory-written", env)
    deadline = time.monotonic() + 30
    while not list((tmp_path / "out").glob("*/runner.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    (directory,) = (tmp_path / "out").glob(f"*-{invocation_id}")
    found = stamp.read(directory)
    assert found is not None
    assert found.skip_reason == STAMP.skip_reason
    assert _ended(directory)


def test_the_keys_of_a_docker_dry_run_are_gone_after_it_and_after_a_kill_in_the_middle_of_it(
    tmp_path: Path, env: dict[str, str]
) -> None:
    config = _config(tmp_path, executor="docker")
    home = workspace.state_dir()
    assert "docker run" in door.dry_run(config, env).output
    assert _with_the_key(home) == []
    code = (
        "import os, pathlib\nfrom quantgate.launcher import door\n"
        f"door.dry_run(pathlib.Path({str(config)!r}), dict(os.environ))"
    )
    _in_a_server_that_dies(code, "before-answer", env)
    (left,) = _with_the_key(home)
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    door.dry_run(config, env)
    assert _with_the_key(home) == []


def _with_the_key(directory: Path) -> list[Path]:
    return [p for p in directory.rglob("*") if p.is_file() and b"a-key-that-nobody-may-see-42" in p.read_bytes()]


def test_telemetry_is_off_unless_the_user_chose_a_level(tmp_path: Path, env: dict[str, str]) -> None:
    """By what NEL's own dry run passes on to the containers."""
    config = _config(tmp_path, executor="docker")
    assert re.search(r"TELEMETRY_LEVEL[^=\n]*=[\"']?0\b", door.dry_run(config, env).output)
    chosen = {**env, "NEMO_EVALUATOR_TELEMETRY_LEVEL": "2"}
    assert re.search(r"TELEMETRY_LEVEL[^=\n]*=[\"']?2\b", door.dry_run(config, chosen).output)


def test_a_canary_is_launched_with_the_yes_to_the_commands_of_its_whole_config(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A canary exports nothing; the yes was to the command of its export too."""
    export = {"destinations": ["mlflow"], "launcher_install_cmd": "pip install x"}
    config = OmegaConf.create({"execution": {"type": "slurm", "auto_export": export}})
    shown = commands.digest(commands.with_variables({"execution": {"type": "slurm", "auto_export": export}}))
    assert shown
    monkeypatch.setenv(commands.TRUST_COMMANDS, "")
    monkeypatch.setattr(stamp, "write_before_start", lambda laid: None)
    request = {"trusted": {"commands": shown, "tasks": False}, "stamp": {**STAMP.as_json(), "kind": child.CANARY}}
    child._allow(request, config, dry_run=False)
    assert "auto_export" not in config.execution


def test_a_run_that_nel_started_under_another_id_is_not_taken_for_the_one_asked_for(
    tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer stands for that of a NEL that makes its ids in another place than those that quantgate knows."""

    def answered(*_: Any, stdin: bytes, **__: Any) -> children.Finished:
        Path(json.loads(stdin)["answer"]).write_text(json.dumps({"ok": True, "invocation_id": "f" * 16}))
        return children.Finished(0, "", timed_out=False)

    monkeypatch.setattr(children, "run", answered)
    with pytest.raises(NoAnswer, match="ffffffffffffffff, not under the id that it was given"):
        door.launch(_request(_config(tmp_path), tmp_path), env)
