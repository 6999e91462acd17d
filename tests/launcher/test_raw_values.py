"""Values that decide which programs run on this machine, though the config does not call them commands."""

from __future__ import annotations

from typing import Any

import pytest

from quantgate.launcher import commands


def _found(config: dict[str, Any]) -> list[tuple[str, str]]:
    return [(c.place, c.text) for c in commands.commands(config)]


def _process(target: dict[str, Any] | None = None, params: Any = None, **evaluator: Any) -> dict[str, Any]:
    endpoint = {"url": "http://127.0.0.1:8000/v1/chat/completions", "model_id": "org/Name-1.0:free", **(target or {})}
    own = {"config": {"params": params or {}}, **evaluator}
    tasks = [{"name": "ifbench"}, {"name": "gpqa", "nemo_evaluator_config": own}]
    return {
        "execution": {"type": "process"},
        "target": {"api_endpoint": endpoint},
        "evaluation": {"nemo_evaluator_config": {"config": {"params": {"temperature": 0.6}}}, "tasks": tasks},
    }


@pytest.mark.parametrize(
    "value",
    [
        "m; touch /tmp/x #",
        "m&reboot",
        "$(id)",
        "`id`",
        "m\ntouch x",
        "m touch",
        "a|b",
        "a>b",
        "{{ target }}",
        "{% set x %}",
    ],
)
def test_a_model_s_name_that_a_shell_takes_apart_is_a_command_of_a_process_run_only(value: str) -> None:
    config = _process({"model_id": value})
    assert _found(config) == [("target.api_endpoint.model_id", value)]
    assert _found({**config, "execution": {"type": "slurm"}}) == []


def test_every_part_of_the_evaluator_s_config_is_looked_at() -> None:
    params = {
        "task": "x y",
        "extra": {"args": "--a 'b'", "judge": {"api_key": "KEY touch /tmp/x"}, "of": ["fine", "a;b"], "a;b": 1},
    }
    config = _process(None, params, command="sh /tmp/x")
    at = "evaluation.tasks[1].nemo_evaluator_config"
    assert [place.removeprefix(at) for place, _ in _found(config)] == [
        ".config.params.task",
        ".config.params.extra.args",
        ".config.params.extra.judge.api_key",
        ".config.params.extra.of[1]",
        ".config.params.extra",
        ".command",
    ]


def test_ordinary_values_are_no_commands() -> None:
    params = {
        "task": "ifbench",
        "max_new_tokens": 4096,
        "extra": {
            "args": "--judge_type=comet --trust_remote_code -x 3",
            "tokenizer": "/models/Größe_1",
            "custom_config": {"regex": r"answer is \\(([a-z])\\)"},
        },
    }
    adapter = {"custom_system_prompt": "Think; then answer & stop.", "discovery": {"dirs": [], "modules": []}}
    url = "https://host.example:8000/v1/chat/completions?api-version=2024-10-21"
    assert _found(_process({"url": url, "adapter_config": adapter}, params)) == []


def test_a_jinja_mark_in_a_quoted_value_is_a_command() -> None:
    place = "evaluation.tasks[1].nemo_evaluator_config.config.params.extra.custom_config.prompt"
    config = _process(None, {"extra": {"custom_config": {"prompt": "{{ x }}"}}})
    assert _found(config) == [(place, "{{ x }}")]


@pytest.mark.parametrize("name", ["adapter_config", "global_adapter_config"])
def test_python_code_that_the_adapter_imports_is_a_command(name: str) -> None:
    held = {name: {"discovery": {"dirs": ["/tmp/evil"]}}}
    config = _process(target={"api_endpoint": held}) if name == "adapter_config" else _process(None, None, **held)
    ((place, text),) = _found(config)
    assert place.endswith(f"{name}.discovery")
    assert "/tmp/evil" in text


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ("-v /:/host --privileged", True),
        ("--gpus all; touch /tmp/x", True),
        ("--network host -v /:/host", True),
        ("--network $NET", True),
        ("--network container:other", True),
        ("", False),
        ("--network host", False),
        ("--network=host --gpus all --shm-size 16g", False),
        ("--gpus '\"device=0,1\"'", False),
    ],
)
def test_options_of_the_container_engine_are_a_command_of_a_local_run(options: str, asked: bool) -> None:
    config = {"execution": {"type": "local", "extra_docker_args": options}}
    assert _found(config) == ([("execution.extra_docker_args", options)] if asked else [])


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("vllm serve /checkpoint; touch /tmp/x", True),
        ("vllm serve /checkpoint\ntouch /tmp/x", True),
        ("vllm serve $(id)", True),
        ('vllm serve "$(id)"', True),
        ('vllm serve "\'" ; touch /tmp/x "\'"', True),
        ("vllm serve \\' ; touch /tmp/x \\'", True),
        ("vllm serve 'open", True),
        ("vllm serve $'\\' ' ; touch /tmp/x '", True),
        ("vllm serve # '\n touch /tmp/x #'", True),
        ("vllm serve /checkpoint \\\n  --port 8000\n", False),
        ("bash -c 'pip install x && vllm serve /checkpoint'", False),
        ('vllm serve /checkpoint --json "{\\"a\\": 1; 2}" --name "$NAME"', False),
    ],
)
def test_a_server_s_command_that_leaves_its_container_is_a_command_of_a_local_run(command: str, asked: bool) -> None:
    config = {"execution": {"type": "local"}, "deployment": {"type": "vllm", "command": command}}
    assert _found(config) == ([("deployment.command", command)] if asked else [])
    assert _found({**config, "execution": {"type": "slurm"}}) == []


def _slurm(**execution: Any) -> dict[str, Any]:
    return {
        "execution": {
            "type": "slurm",
            "account": "a,b",
            "gres": "gpu:a100:8(S:0-1)",
            "walltime": "01:00:00",
            **execution,
        }
    }


@pytest.mark.parametrize("executor", ["slurm", "local"])
@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"deployment": {"image": "i; id"}}, "deployment.image"),
        ({"deployment": {"checkpoint_path": "$(id)"}}, "deployment.checkpoint_path"),
        ({"deployment": {"port": "8000 --privileged"}}, "deployment.port"),
        ({"deployment": {"endpoints": {"health": "/h`id`"}}}, "deployment.endpoints.health"),
        ({"deployment": {"env_vars": {"A=1; id #": "lit:x"}}}, "deployment.env_vars.A=1; id #"),
        ({"evaluation": {"env_vars": {"A": "runtime:B}$(id)"}}}, "evaluation.env_vars.A"),
        ({"evaluation": {"tasks": [{"name": "x y"}]}}, "evaluation.tasks[0].name"),
        ({"evaluation": {"tasks": [{"name": "x", "container": "-v"}]}}, "evaluation.tasks[0].container"),
        ({"evaluation": {"tasks": [{"name": "x", "env_vars": {"a b": "lit:x"}}]}}, "evaluation.tasks[0].env_vars.a b"),
        ({"auxiliary_deployments": {"judge": {"image": "i|id"}}}, "auxiliary_deployments.judge.image"),
        ({"auxiliary_deployments": {"judge": {"command": "serve; id"}}}, "auxiliary_deployments.judge.command"),
        ({"auxiliary_deployments": {"j;id": {"image": "i"}}}, "auxiliary_deployments"),
    ],
)
def test_what_a_launchers_script_would_not_take_for_one_word_is_a_command(
    executor: str, config: Any, place: str
) -> None:
    assert [p for p, _ in _found({**config, "execution": {"type": executor}})] == [place]


@pytest.mark.parametrize(
    ("execution", "place"),
    [
        ({"account": "a\ntouch x"}, "execution.account"),
        ({"sbatch_extra_flags": {"qos": "a\nid"}}, "execution.sbatch_extra_flags"),
        ({"sbatch_extra_flags": {"qos x\nid": "a"}}, "execution.sbatch_extra_flags"),
        ({"max_walltime": '1"; id'}, "execution.max_walltime"),
        ({"mounts": {"evaluation": {"/a b": "/c"}}}, "execution.mounts.evaluation"),
        ({"proxy": {"image": "h $(id)"}}, "execution.proxy.image"),
        ({"env_vars": {"deployment": {"A;id": "lit:x"}}}, "execution.env_vars.deployment.A;id"),
        ({"auto_export": {"launcher_install_cmd": "pip install x"}}, "execution.auto_export.launcher_install_cmd"),
    ],
)
def test_what_leaves_its_place_in_a_jobs_script_is_a_command(execution: dict[str, Any], place: str) -> None:
    assert [p for p, _ in _found(_slurm(**execution))] == [place]


def test_ordinary_values_of_a_cluster_are_no_commands() -> None:
    execution = {
        "sbatch_comment": "it's mine; really",
        "sbatch_extra_flags": {"qos": "high prio", "exclusive": True},
        "mounts": {"deployment": {"/shared/hf": "/hf"}, "mount_home": False},
        "hostname": "login-1.cluster.example",
        "env_vars": {"evaluation": {"A": "lit:a b; c"}},
        "output_dir": "/lustre/me/results",
    }
    deployment = {
        "image": "nvcr.io#nvidia/vllm:25.1",
        "command": "bash -c 'a; b'",
        "extra_args": "--json '{\"a\": 1}'",
        "env_vars": {"A": "lit:$(id) stays text"},
        "pre_cmd": None,
    }
    assert _found({**_slurm(**execution), "deployment": deployment}) == []
    assert _found({"execution": {"type": "local", "output_dir": "/home/me/my results"}}) == []
    assert _found({"execution": {"type": "local", "output_dir": "/tmp/$(id)"}}) == [
        ("execution.output_dir", "/tmp/$(id)")
    ]
