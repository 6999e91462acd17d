"""From Nemotron's YAML, env.toml and command line to a launcher config and its snapshots."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate import credentials
from quantgate.errors import BadInput, ConfigError, QuantgateError, UnknownName
from quantgate.evalconfig import compose
from quantgate.evalconfig.document import ConfigDocument
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


def test_a_limit_that_a_variable_says_is_a_number(tmp_path: Path) -> None:
    override = "evaluation.nemo_evaluator_config.config.params.limit_samples=${oc.env:NOT_SET_HERE,7}"
    compiled = _compiled(tmp_path, CHAT, overrides=(override,))
    assert compiled.sample_limit == 7
    assert "limit_samples" not in repr(compiled.launcher_config)


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


def test_a_short_name_of_a_task_is_the_configured_one(tmp_path: Path) -> None:
    tasks = [{"name": "lm-evaluation-harness.ifeval"}, {"name": "a.mmlu"}, {"name": "b.mmlu"}, {"name": "mmlu_pro"}]
    config = {**CHAT, "evaluation": {"tasks": tasks}}
    compiled = _compiled(tmp_path, config, tasks=("ifeval", "mmlu_pro"))
    assert compiled.task_filters == ("lm-evaluation-harness.ifeval", "mmlu_pro")
    assert any("lm-evaluation-harness.ifeval" in change.what for change in compiled.changes)
    with pytest.raises(BadInput, match=r"means several.*a\.mmlu, b\.mmlu"):
        _compiled(tmp_path, config, tasks=("mmlu",))
    with pytest.raises(UnknownName):
        _compiled(tmp_path, config, tasks=("eval",))


def test_words_that_omegaconf_reads_as_booleans_are_booleans_and_it_is_said(tmp_path: Path) -> None:
    served = yaml.safe_dump(SERVED).replace("multiple_instances: true", "multiple_instances: yes")
    (tmp_path / "env.toml").write_text(ENV_TOML)
    path = tmp_path / "given.yaml"
    path.write_text(served)
    compiled = compiling.compile_request(
        Request(config=str(path), start=tmp_path, profile="cluster"), {"USER": "someone"}, Store()
    )
    assert compiled.launcher_config["execution"]["num_instances"] == 2
    assert "deployment.multiple_instances: yes is read as true" in [change.what for change in compiled.changes]


def test_an_export_to_wandb_takes_entity_and_project_of_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "given.yaml"
    bare = {**CHAT, "execution": {"type": "local", "auto_export": {"destinations": ["wandb"]}}}
    for config in (bare, {**bare, "run": SERVED["run"], "export": SERVED["export"]}):
        path.write_text(yaml.safe_dump(config))
        environment = {
            "WANDB_ENTITY": "us",
            "WANDB_PROJECT": "evals",
            "WANDB_API_KEY": "of-the-test",
            "USER": "someone",
        }
        done = compiling.compile_request(Request(config=str(path), start=tmp_path), environment).launcher_config
        assert done["export"]["wandb"] == {"entity": "us", "project": "evals"}
        assert done["execution"]["auto_export"]["destinations"] == ["wandb"]
        assert done["export"]["env_vars"]["WANDB_PROJECT"] == "host:WANDB_PROJECT"


@pytest.mark.parametrize(
    "text", ["12345e67", "1.5e5", ".5e3", "-1_0e3", "0o17", "yes", "0x1f", "010", "1:30", "null", "1.", "~"]
)
def test_a_text_that_looks_like_a_number_is_still_a_text_for_the_launcher(tmp_path: Path, text: str) -> None:
    from omegaconf import OmegaConf

    override = f"target.api_endpoint.model_id='{text}'"
    saved = provenance.save(_compiled(tmp_path, CHAT, overrides=(override,)), base=tmp_path)
    assert OmegaConf.load(saved.launcher_config).target.api_endpoint.model_id == text
    assert ConfigDocument.load(saved.launcher_config).plain["target"]["api_endpoint"]["model_id"] == text


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
        ({"overrides": ("run.env=3",)}, "must be a section"),
        ({"overrides": ("run.artifacts=[1]",)}, "must be a section"),
        ({"overrides": ("dry_run=yes",)}, "neither true nor false"),
        ({"overrides": ("dry_run=1",)}, "neither true nor false"),
        ({"overrides": ("run.env.env_vars=[A]",)}, "no mapping of variables"),
        ({"overrides": ("run.wandb.api_key=abcdefghij0123456789",)}, r"given\.yaml or .*env\.toml or the overrides"),
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


@pytest.mark.parametrize(
    ("override", "dry"),
    [
        ("dry_run=true", True),
        ('dry_run="true"', True),
        ("dry_run=${oc.env:NOT_SET_HERE,true}", True),
        ("dry_run=${oc.env:NOT_SET_HERE,false}", False),
        ("dry_run=null", False),
    ],
)
def test_a_dry_run_is_one_however_true_is_written(tmp_path: Path, override: str, dry: bool) -> None:
    compiled = _compiled(tmp_path, CHAT, overrides=(override,))
    assert compiled.dry_run is dry
    assert "dry_run" not in compiled.launcher_config


def test_the_profile_s_variables_reach_every_job_and_the_config_s_own_stay(tmp_path: Path) -> None:
    served = {
        **SERVED,
        "env_vars": {"MINE": "lit:yaml"},
        "run": {
            **SERVED["run"],
            "env": {**SERVED["run"]["env"], "env_vars": {"MINE": "profile", "HF_HOME": "/lustre/hf"}},
        },
    }
    overrides = ("run.env.env_vars.HF_TOKEN=${oc.env:HF_TOKEN}",)
    compiled = _compiled(tmp_path, served, profile="cluster", overrides=overrides)
    assert compiled.launcher_config["env_vars"] == {
        "MINE": "lit:yaml",
        "HF_HOME": "lit:/lustre/hf",
        "HF_TOKEN": "host:HF_TOKEN",
    }
    assert "env_vars.HF_HOME: taken from run.env.env_vars" in [change.what for change in compiled.changes]


def test_a_profile_of_a_cluster_does_not_move_a_local_config_and_this_is_said(tmp_path: Path) -> None:
    overrides = ("run.env.tunnel=ssh", "run.env.remote_job_dir=/lustre/jobs", "deployment.image=a/b:1")
    compiled = _compiled(tmp_path, CHAT, profile="cluster", overrides=overrides, launching=True)
    assert compiled.launcher_config["execution"]["type"] == "local"
    assert compiled.squashed.images == ()
    assert "execution.type: stays local, though run.env.executor is slurm" in [c.what for c in compiled.changes]


def test_force_squash_that_imports_nothing_says_why(tmp_path: Path) -> None:
    said = [c for c in _compiled(tmp_path, CHAT, force_squash=True).changes if c.what.startswith("squash")]
    assert [change.why for change in said] == [
        "images are imported only for a launch (--run or --batch without --dry-run)"
    ]
    assert not [c for c in _compiled(tmp_path, CHAT).changes if c.what.startswith("squash")]


def test_a_variable_of_the_env_file_beside_the_config_fills_what_is_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_MODEL", raising=False)
    monkeypatch.setenv("MY_URL", "http://127.0.0.1:1/v1/chat/completions")
    (tmp_path / ".env").write_text(
        "MY_MODEL=org/model\nMY_URL=http://other\nMY_API_KEY=swordfish-of-a-file\nPATH=/evil\n"
    )
    endpoint = {"url": "${oc.env:MY_URL}", "model_id": "${oc.env:MY_MODEL}", "api_key_name": "MY_API_KEY"}
    path = tmp_path / "eval.yaml"
    path.write_text(yaml.safe_dump({**CHAT, "target": {"api_endpoint": endpoint}, "x": "${oc.env:PATH}"}))
    compiled = compiling.compile_request(Request(config=str(path), start=tmp_path))
    given = compiled.launcher_config["target"]["api_endpoint"]
    assert (given["model_id"], given["url"]) == ("org/model", "http://127.0.0.1:1/v1/chat/completions")
    assert compiled.launcher_config["x"] == os.environ["PATH"]


def test_the_env_file_beside_the_user_s_config_counts_for_the_snapshot_and_no_key_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_API_KEY", raising=False)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / ".env").write_text("MY_API_KEY=swordfish-of-a-file\n")
    path = mine / "eval.yaml"
    path.write_text(
        yaml.safe_dump(
            {**CHAT, "target": {"api_endpoint": {**CHAT["target"]["api_endpoint"], "api_key_name": "MY_API_KEY"}}}
        )
    )
    compiled = compiling.compile_request(Request(config=str(path), start=tmp_path))
    saved = provenance.save(compiled, base=tmp_path)
    assert credentials.environment(saved.launcher_config)["MY_API_KEY"] == "swordfish-of-a-file"
    (found,) = credentials.locate(["MY_API_KEY"], saved.launcher_config)
    assert found.found_in == str(mine / ".env")
    for file in (*tmp_path.rglob("*.yaml"), *Path(os.environ["QUANTGATE_HOME"]).rglob("*.json")):
        assert "swordfish" not in file.read_text()
    copied = tmp_path / "copied.yaml"
    copied.write_bytes(saved.launcher_config.read_bytes())
    assert "MY_API_KEY" not in credentials.environment(copied)


@pytest.mark.parametrize(("group", "kind"), [("slurm/default", "slurm"), ("local", "local")])
def test_a_type_that_only_the_defaults_list_says_is_kept(tmp_path: Path, group: str, kind: str) -> None:
    execution = (
        {"account": "a", "partition": "b", "hostname": "login", "output_dir": "/shared/out"} if kind == "slurm" else {}
    )
    config = {
        "defaults": [{"execution": group}, {"deployment": "vllm"}, "_self_"],
        "run": {"env": {"executor": "local"}},
        "execution": execution,
        "deployment": {"image": "a/b:1", "checkpoint_path": "/shared/m"},
        "evaluation": {"tasks": [{"name": "ifeval"}]},
    }
    compiled = _compiled(tmp_path, config)
    assert compiled.launcher_config["execution"]["type"] == kind
    assert compiled.launcher_config["deployment"]["type"] == "vllm"
    assert compiled.launcher_config["defaults"] == config["defaults"]
    assert compiled.launcher_config["execution"].get("account") == execution.get("account")
    moved = _compiled(tmp_path, config, overrides=("execution.type=process",))
    assert moved.launcher_config["execution"]["type"] == "process"
    assert moved.launcher_config["defaults"][0] == {"execution": "local"}
