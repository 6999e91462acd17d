"""From Nemotron's YAML, env.toml and command line to a launcher config and its snapshots."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.errors import BadInput, ConfigError, QuantgateError, UnknownName
from quantgate.evalconfig import compose
from quantgate.nemotron import compiling, env_toml, provenance
from quantgate.nemotron.compiling import Compiled, Request

ENV_TOML = """
[wandb]
project = "nemotron"
entity = "team"

[base]
executor = "slurm"
account = "research"
partition = "batch"
mounts = ["/lustre:/lustre"]

[cluster]
extends = "base"
host = "login1"
"""
CHAT: dict[str, Any] = {
    "dry_run": False,
    "output_dir": "./output",
    "execution": {"type": "local"},
    "deployment": {"type": "none"},
    "target": {
        "api_endpoint": {"url": "http://127.0.0.1:1/v1/chat/completions", "model_id": "m", "api_key_name": None}
    },
    "evaluation": {"tasks": [{"name": "ifeval"}, {"name": "mmlu_instruct"}]},
}
SERVED: dict[str, Any] = {
    "run": {
        "model": "rl:latest",
        "env": {
            "executor": "slurm",
            "host": "localhost",
            "account": None,
            "nodes": 2,
            "image": "nvcr.io/nvidia/nemo:25.11",
        },
        "wandb": {"entity": None, "project": None},
    },
    "execution": {
        "type": "${run.env.executor}",
        "hostname": "${run.env.host}",
        "account": "${run.env.account}",
        "num_nodes": "${run.env.nodes}",
        "output_dir": "/lustre/results",
        "env_vars": {"deployment": {"HF_HOME": "/lustre/hf"}},
        "auto_export": {"enabled": True, "destinations": ["wandb"]},
    },
    "deployment": {
        "type": "generic",
        "multiple_instances": True,
        "image": "${run.env.image}",
        "checkpoint_path": "${art:model,path}",
        "port": 1235,
        "served_model_name": "m",
        "command": "serve --port ${deployment.port}",
    },
    "evaluation": {"tasks": [{"name": "adlr_mmlu"}]},
    "export": {"wandb": {"entity": "${run.wandb.entity}", "project": "${run.wandb.project}"}},
}


class Store:
    """Stands in for a store of artifacts."""

    def resolve(self, reference: str, field: str) -> str:
        return f"/lustre/{reference.replace(':', '/')}/iter_0000500"


class Forbidden:
    """A store that must not be asked."""

    def resolve(self, reference: str, field: str) -> str:
        raise AssertionError(reference)


@pytest.fixture(autouse=True)
def _no_other_env_toml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(env_toml.VARIABLE, raising=False)
    monkeypatch.setenv("USER", "someone")


def _compiled(folder: Path, config: dict[str, Any], artifacts: Any = None, **request: Any) -> Compiled:
    path = folder / "given.yaml"
    path.write_text(yaml.safe_dump(config))
    (folder / "env.toml").write_text(ENV_TOML)
    environment = {"HOME": str(folder), "USER": "someone", "WANDB_API_KEY": "of-the-test"}
    return compiling.compile_request(
        Request(config=str(path), start=folder, **request), environment, artifacts or Store()
    )


def test_a_served_checkpoint_on_a_cluster_compiles_and_composes(tmp_path: Path) -> None:
    compiled = _compiled(tmp_path, SERVED, profile="cluster", overrides=("run.env.time=08:00:00",))
    config = compiled.launcher_config
    assert config["execution"]["account"] == "research"
    assert config["execution"]["walltime"] == "08:00:00"
    assert config["execution"]["num_instances"] == 2
    assert config["execution"]["mounts"]["evaluation"] == {"/lustre": "/lustre"}
    assert config["deployment"]["checkpoint_path"] == "/lustre/rl/latest/iter_0000500"
    assert config["deployment"]["env_vars"] == {"HF_HOME": "lit:/lustre/hf"}
    assert config["export"]["wandb"] == {"entity": "team", "project": "nemotron"}
    assert config["export"]["env_vars"]["WANDB_API_KEY"] == "host:WANDB_API_KEY"
    assert "run" not in config
    saved = provenance.save(compiled, base=tmp_path)
    composed = compose.compose(saved.launcher_config)
    assert composed.executor == "slurm"
    assert composed.config["deployment"]["command"] == "serve --port 1235"
    assert composed.config["execution"]["ntasks_per_node"] == 1


def test_every_change_says_why(tmp_path: Path) -> None:
    changes = _compiled(tmp_path, SERVED, profile="cluster").changes
    assert all(change.what and change.why for change in changes)
    done = {"execution_env_vars", "multiple_instances", "auto_export_enabled", "composition", "bare_values"}
    assert done <= {change.row for change in changes}


def test_an_explicit_path_never_asks_a_store(tmp_path: Path) -> None:
    compiled = _compiled(
        tmp_path, SERVED, Forbidden(), profile="cluster", overrides=("deployment.checkpoint_path=/ckpt/iter_7",)
    )
    assert compiled.launcher_config["deployment"]["checkpoint_path"] == "/ckpt/iter_7"


def test_the_version_behind_latest_stands_among_the_changes(tmp_path: Path) -> None:
    class Versioned(Store):
        asked = ("rl:latest is rl:v7",)

    changes = _compiled(tmp_path, SERVED, Versioned(), profile="cluster").changes
    assert "artifact rl:latest is rl:v7" in [change.what for change in changes]


def test_a_limit_of_samples_becomes_the_run_s(tmp_path: Path) -> None:
    limited = {
        **CHAT,
        "evaluation": {**CHAT["evaluation"], "nemo_evaluator_config": {"config": {"params": {"limit_samples": 1}}}},
    }
    compiled = _compiled(tmp_path, limited)
    assert compiled.sample_limit == 1
    assert "limit_samples" not in repr(compiled.launcher_config)
    assert any("max_samples=1" in change.what for change in compiled.changes)
    assert "limit_samples" in repr(compiled.job_config)


def test_a_limit_of_one_task_stays_where_the_gates_see_it(tmp_path: Path) -> None:
    tasks = [
        {"name": "ifeval", "nemo_evaluator_config": {"config": {"params": {"limit_samples": 1}}}},
        {"name": "mmlu_instruct"},
    ]
    compiled = _compiled(tmp_path, {**CHAT, "evaluation": {"tasks": tasks}})
    assert compiled.sample_limit == 0
    assert compiled.launcher_config["evaluation"]["tasks"] == tasks


def test_output_dir_is_only_the_default_of_the_explicit_one(tmp_path: Path) -> None:
    assert _compiled(tmp_path, CHAT).launcher_config["execution"]["output_dir"] == str(tmp_path / "output")
    explicit = {**CHAT, "execution": {"type": "local", "output_dir": "/explicit"}}
    assert _compiled(tmp_path, explicit).launcher_config["execution"]["output_dir"] == "/explicit"


def test_flags_and_filters_select_tasks_that_are_configured(tmp_path: Path) -> None:
    assert _compiled(tmp_path, CHAT, overrides=("task_filters=[ifeval]",)).task_filters == ("ifeval",)
    assert _compiled(tmp_path, CHAT, overrides=("task_filters=[ifeval]",), tasks=("mmlu_instruct",)).task_filters == (
        "mmlu_instruct",
    )
    with pytest.raises(UnknownName, match="configured: ifeval, mmlu_instruct"):
        _compiled(tmp_path, CHAT, tasks=("hellaswag",))


def test_the_job_snapshot_compiles_to_the_same_launcher_config(tmp_path: Path) -> None:
    first = _compiled(tmp_path, SERVED, profile="cluster", overrides=("run.env.time=02:00:00",), tasks=("adlr_mmlu",))
    again = _compiled(tmp_path, yaml.safe_load(provenance.save(first, base=tmp_path).job_config.read_text()))
    assert again.launcher_config == first.launcher_config
    assert again.task_filters == first.task_filters


def test_snapshots_lie_in_dated_folders_side_by_side(tmp_path: Path) -> None:
    compiled = _compiled(tmp_path, CHAT)
    first, second = provenance.save(compiled, base=tmp_path), provenance.save(compiled, base=tmp_path)
    assert first.launcher_config.parent != second.launcher_config.parent
    assert first.launcher_config.name == "eval.yaml"
    assert first.job_config == first.launcher_config.with_name("job.yaml")
    assert re.fullmatch(r"\d{8}-\d{6}-eval(-\d+)?", first.launcher_config.parent.name)
    assert first.launcher_config.parent.parent == tmp_path / ".nemotron" / "jobs"
    assert yaml.safe_load(first.launcher_config.read_text()) == compiled.launcher_config


def test_an_output_is_written_and_a_foreign_file_is_left_alone(tmp_path: Path) -> None:
    compiled = _compiled(tmp_path, CHAT)
    saved = provenance.save(compiled, str(tmp_path / "out" / "mine.yaml"))
    assert saved.job_config.name == "mine.job.yaml"
    assert provenance.save(compiled, str(saved.launcher_config)) == saved
    foreign = tmp_path / "foreign.yaml"
    foreign.write_text("a: 1\n")
    with pytest.raises(ConfigError, match="left alone"):
        provenance.save(compiled, str(foreign))
    assert foreign.read_text() == "a: 1\n"
    with pytest.raises(ConfigError, match=r"must end in .yaml"):
        provenance.save(compiled, str(tmp_path / "x.txt"))


def test_images_are_squashed_only_for_a_launch(tmp_path: Path) -> None:
    overrides = ("run.env.remote_job_dir=/lustre/jobs", "run.env.tunnel=ssh")
    seen = _compiled(tmp_path, SERVED, profile="cluster", overrides=overrides)
    assert seen.squashed.images == ()
    launched = _compiled(tmp_path, SERVED, profile="cluster", overrides=overrides, launching=True)
    assert launched.launcher_config["deployment"]["image"] == "/lustre/jobs/nvcr_io_nvidia_nemo_25_11.sqsh"
    dry = _compiled(tmp_path, SERVED, profile="cluster", overrides=(*overrides, "dry_run=true"), launching=True)
    assert dry.squashed.images == ()
    assert dry.dry_run


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"profile": "gone"}, "available: base, cluster"),
        ({"overrides": ("run.a=${run.b}", "run.b=${run.a}", "deployment.x=${run.a}")}, "refers to itself"),
        ({"overrides": ("evaluation.env_vars.HF_TOKEN=hf_abcdefghij0123456789",)}, "in clear"),
        ({"overrides": ("--frobnicate",)}, "frobnicate"),
        ({"overrides": ("execution.env_vars=[1]",)}, "env_vars"),
        ({"overrides": ("task_filters=[gone]",)}, "configured: ifeval"),
        ({"overrides": ("execution=3",)}, "must be a section"),
        ({"overrides": ("evaluation=[]",), "tasks": ("ifeval",)}, "No task is configured"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path: Path, request_: dict[str, Any], says: str) -> None:
    with pytest.raises(QuantgateError, match=says) as refused:
        _compiled(tmp_path, CHAT, **request_)
    assert "abcdefghij0123456789" not in str(refused.value)
    assert not (tmp_path / ".nemotron").exists()


def test_without_config_and_recipe_it_asks_for_one() -> None:
    with pytest.raises(BadInput, match="No config is given"):
        compiling.compile_request(Request())
