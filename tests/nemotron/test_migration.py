"""One test for each way in which Nemotron's configs break with NEL 0.2.6."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import ConfigError
from quantgate.nemotron import incompatibilities, migration, variables, wandb_env
from quantgate.nemotron.change import Config

SET = {"HF_TOKEN": "a", "WANDB_API_KEY": "b"}


def migrated(config: Config, environment: dict[str, str] | None = None) -> Config:
    return migration.migrate(config, SET if environment is None else environment).config


def rows(config: Config) -> set[str]:
    return {change.row for change in migration.migrate(config, SET).changes}


def slurm(**execution: Any) -> Config:
    return {"execution": {"type": "slurm", "account": "a", **execution}, "deployment": {"type": "vllm"}}


def test_every_row_of_the_table_has_a_test_here() -> None:
    named = set(re.findall(r"def test_row_(\w+?)__", Path(__file__).read_text()))
    assert named == set(incompatibilities.table())


def test_the_sixteen_that_were_known_before_stand_first_in_the_table() -> None:
    known = "execution_env_vars bare_values unset_host local_parallel multiple_instances composition required_null proxy_null"
    known += " export_wandb_null local_tokenizer trailing_slash top_level_tasks target_with_deployment hosted_endpoint"
    known += " export_variables iteration_directory"
    assert list(incompatibilities.table())[:16] == known.split()


@pytest.mark.parametrize("given", [None, {}, {"evaluation": {}}, {"evaluation": None}])
def test_row_execution_env_vars__empty_forms_leave_nothing(given: Any) -> None:
    config = migrated(slurm(env_vars=given))
    assert "env_vars" not in config["execution"]
    assert "evaluation" not in config


def test_row_execution_env_vars__groups_and_flat_variables_go_to_their_places() -> None:
    given = {"deployment": {"A": "host:HF_TOKEN"}, "evaluation": ["HF_TOKEN", "B=lit:2"], "C": "lit:3"}
    config = migrated(slurm(env_vars=given))
    assert config["deployment"]["env_vars"] == {"A": "host:HF_TOKEN"}
    assert config["evaluation"]["env_vars"] == {"HF_TOKEN": "host:HF_TOKEN", "B": "lit:2"}
    assert config["env_vars"] == {"C": "lit:3"}


def test_row_execution_env_vars__what_stands_in_the_new_place_stays() -> None:
    config = slurm(env_vars={"evaluation": {"A": "lit:old"}})
    config["evaluation"] = {"env_vars": {"A": "lit:new"}}
    assert migrated(config)["evaluation"]["env_vars"] == {"A": "lit:new"}


@pytest.mark.parametrize("given", ["A=1", 3, {"serving": {"A": "1"}}, [{"A": "1"}], {"evaluation": [1]}, {"A": [1]}])
def test_row_execution_env_vars__forms_that_mean_nothing_are_refused(given: Any) -> None:
    with pytest.raises(ConfigError, match="env_vars"):
        migrated(slurm(env_vars=given))


@pytest.mark.parametrize(
    ("value", "new"),
    [
        ("host:X", "host:X"),
        ("lit:X", "lit:X"),
        ("runtime:X", "runtime:X"),
        ("HF_TOKEN", "host:HF_TOKEN"),
        ("/lustre/hf", "lit:/lustre/hf"),
        ("word", "lit:word"),
        ("INFO", "lit:INFO"),
        (1, "lit:1"),
        (True, "lit:true"),
        ("", "lit:"),
        ("${oc.env:HF_TOKEN}", "host:HF_TOKEN"),
        ("${oc.env:UNSET,}", "lit:"),
        ("${oc.env:UNSET,/x}", "lit:/x"),
        ("${oc.env:HF_TOKEN,/x}", "host:HF_TOKEN"),
    ],
)
def test_row_bare_values__get_the_prefix_that_they_mean(value: Any, new: str) -> None:
    config = {**slurm(), "evaluation": {"env_vars": {"A": value}, "tasks": [{"name": "t", "env_vars": {"B": value}}]}}
    evaluation = migrated(config)["evaluation"]
    assert evaluation["env_vars"] == {"A": new}
    assert evaluation["tasks"][0]["env_vars"] == {"B": new}


def test_row_bare_values__a_setting_in_capitals_is_a_variable_where_one_of_that_name_is_set() -> None:
    prefixed = [variables.prefixed_value("INFO", "at", environment) for environment in ({}, {"INFO": "x"})]
    assert prefixed == ["lit:INFO", "host:INFO"]


def test_row_bare_values__prefixing_twice_changes_nothing_more() -> None:
    once = variables.prefixed({"env_vars": {"A": "HF_TOKEN", "B": "x", "C": None}}, SET)
    assert variables.prefixed(once.config, SET).changes == ()


def test_row_unset_host__only_variables_that_exist_are_mapped() -> None:
    config = {"export": {"wandb": {"entity": "e", "project": "p"}}}
    both = wandb_env.apply(config, {"WANDB_API_KEY": "k", "WANDB_ENTITY": "e"}).config
    assert both["export"]["env_vars"] == {"WANDB_API_KEY": "host:WANDB_API_KEY", "WANDB_ENTITY": "host:WANDB_ENTITY"}
    assert wandb_env.apply(config, {}).config["export"] == {"wandb": {"entity": "e", "project": "p"}}


def test_row_unset_host__a_mapping_that_the_config_brings_goes_when_it_is_not_set() -> None:
    config = {**slurm(), "export": {"env_vars": {"WANDB_PROJECT": "host:WANDB_PROJECT", "OTHER": "host:OTHER"}}}
    assert migrated(config)["export"]["env_vars"] == {"OTHER": "host:OTHER"}


def test_row_local_parallel__a_deployment_runs_task_after_task() -> None:
    config = {"execution": {"type": "local", "mode": "parallel"}, "deployment": {"type": "generic"}}
    assert migrated(config)["execution"]["mode"] == "sequential"
    hosted = {"execution": {"type": "local", "mode": "parallel"}, "deployment": {"type": "none"}}
    assert migrated(hosted)["execution"]["mode"] == "parallel"


@pytest.mark.parametrize(("wanted", "instances"), [(True, 4), (False, None)])
def test_row_multiple_instances__becomes_a_number(wanted: bool, instances: int | None) -> None:
    config = slurm(num_nodes=4)
    config["deployment"]["multiple_instances"] = wanted
    new = migrated(config)
    assert "multiple_instances" not in new["deployment"]
    assert new["execution"].get("num_instances") == instances


@pytest.mark.parametrize(
    ("executor", "deployment", "group"),
    [("slurm", "generic", "slurm/default"), ("local", "none", "local"), ("process", "none", "local")],
)
def test_row_composition__nel_s_packaged_groups_are_below(executor: str, deployment: str, group: str) -> None:
    config = migrated({"execution": {"type": executor, "account": "a"}, "deployment": {"type": deployment}})
    assert config["defaults"] == [{"execution": group}, {"deployment": deployment}, "_self_"]
    assert migration.composition(config).changes == ()


def test_row_composition__a_list_for_another_executor_is_corrected() -> None:
    config = {"defaults": [{"execution": "slurm/default"}, "_self_"], "execution": {"type": "local"}}
    assert migrated(config)["defaults"][0] == {"execution": "local"}


@pytest.mark.parametrize("key", ["account", "partition"])
def test_row_required_null__is_asked_for(key: str) -> None:
    with pytest.raises(ConfigError, match=f"execution.{key} is null"):
        migrated(slurm(**{key: None}))
    assert key not in migrated({"execution": {"type": "local", key: None}})["execution"]


def test_row_proxy_null__nel_s_own_image_holds() -> None:
    assert migrated(slurm(proxy={"image": None, "type": "haproxy"}))["execution"]["proxy"] == {"type": "haproxy"}
    assert "proxy" not in migrated(slurm(proxy=None))["execution"]


def test_row_export_wandb_null__is_dropped_with_its_destination() -> None:
    config = {
        **slurm(auto_export={"destinations": ["wandb", "mlflow"]}),
        "export": {"wandb": {"entity": None, "project": None}, "mlflow": {"tracking_uri": "x"}},
    }
    new = migrated(config)
    assert new["export"] == {"mlflow": {"tracking_uri": "x"}}
    assert new["execution"]["auto_export"]["destinations"] == ["mlflow"]


def test_row_export_wandb_null__one_of_the_two_is_not_enough() -> None:
    with pytest.raises(ConfigError, match=r"export.wandb has no entity"):
        migrated({**slurm(), "export": {"wandb": {"entity": None, "project": "p"}}})


def _tokenizer(path: str, **task: Any) -> Config:
    extra = {"config": {"params": {"extra": {"tokenizer": path}}}}
    return {
        "execution": {"type": "local"},
        "evaluation": {"tasks": [{"name": "t", "nemo_evaluator_config": extra, **task}]},
    }


def test_row_local_tokenizer__a_path_that_is_not_mounted_is_refused() -> None:
    with pytest.raises(ConfigError, match="tokenizer"):
        migrated(_tokenizer("/ckpt/tokenizer"))
    assert migrated(_tokenizer("org/model"))
    assert migrated(_tokenizer("/datasets/tokenizer", dataset_dir="/data"))


def test_row_trailing_slash__is_stripped() -> None:
    config = slurm()
    config["deployment"]["endpoints"] = {
        "chat": "/v1/chat/completions/",
        "health": "/",
        "completions": "/v1/completions",
    }
    assert migrated(config)["deployment"]["endpoints"] == {
        "chat": "/v1/chat/completions",
        "health": "/",
        "completions": "/v1/completions",
    }


def test_row_top_level_tasks__are_refused() -> None:
    with pytest.raises(ConfigError, match=r"move it to evaluation\.tasks"):
        migrated({**slurm(), "tasks": [{"name": "mmlu"}]})


def test_row_target_with_deployment__address_and_model_go() -> None:
    endpoint = {"url": "http://x", "model_id": "m", "type": "chat"}
    assert migrated({**slurm(), "target": {"api_endpoint": endpoint}})["target"] == {"api_endpoint": {"type": "chat"}}
    hosted = {"deployment": {"type": "none"}, "target": {"api_endpoint": endpoint}}
    assert migrated(hosted)["target"]["api_endpoint"] == endpoint


def test_row_hosted_endpoint__nothing_but_the_defaults_list_is_added() -> None:
    config = {
        "execution": {"type": "local", "output_dir": "/x"},
        "deployment": {"type": "none"},
        "target": {"api_endpoint": {"url": "u", "model_id": "m", "api_key_name": "NVIDIA_API_KEY"}},
        "evaluation": {"tasks": [{"name": "mmlu_instruct"}]},
    }
    new = migrated(config)
    assert new.pop("defaults")
    assert new == config
    assert rows(config) == {"composition"}


def test_row_export_variables__are_kept() -> None:
    config = migrated(slurm(env_vars={"export": {"WANDB_API_KEY": "WANDB_API_KEY"}}))
    assert config["export"]["env_vars"] == {"WANDB_API_KEY": "host:WANDB_API_KEY"}


@pytest.mark.parametrize("path", ["/ckpt/iter_0005000", "/ckpt/iter_0005000/"])
def test_row_iteration_directory__stays_as_it_is(path: str) -> None:
    config = slurm()
    config["deployment"]["checkpoint_path"] = path
    assert migrated(config)["deployment"]["checkpoint_path"] == path


@pytest.mark.parametrize(("enabled", "left"), [(True, {"destinations": ["mlflow"]}), (False, None)])
def test_row_auto_export_enabled__means_what_it_says(enabled: bool, left: Any) -> None:
    config = migrated(slurm(auto_export={"enabled": enabled, "destinations": ["mlflow"]}))
    assert config["execution"].get("auto_export") == left


@pytest.mark.parametrize("executor", ["local", "process"])
def test_row_slurm_keys__go_where_nothing_is_submitted(executor: str) -> None:
    execution = {"type": executor, "output_dir": "/x", "hostname": "h", "walltime": "1:00:00", "num_nodes": 1}
    assert migrated({"execution": execution})["execution"] == {"type": executor, "output_dir": "/x"}
    assert migrated(slurm(walltime="1:00:00"))["execution"]["walltime"] == "1:00:00"


def test_no_step_changes_the_config_that_it_was_given() -> None:
    config = slurm(env_vars={"evaluation": {"A": "B"}}, proxy={"image": None})
    before = repr(config)
    migrated(config)
    assert repr(config) == before


@pytest.mark.parametrize("place", ["export", "execution.mounts", "execution.sbatch_extra_flags", "evaluation.env_vars"])
def test_row_null_section__is_dropped_where_nel_would_read_keys(place: str) -> None:
    *way, key = place.split(".")
    config = {**slurm(), "evaluation": {"tasks": [{"name": "t", "env_vars": None}]}}
    holder = config
    for name in way:
        holder = holder[name]
    holder[key] = None
    done = migrated(config)
    for name in way:
        done = done[name]
    assert key not in done
    assert "env_vars" not in migrated(config)["evaluation"]["tasks"][0]


def test_row_null_section__a_null_that_asks_for_the_default_stays() -> None:
    assert (
        migrated({**slurm(walltime=None), "deployment": {"type": "vllm", "env_vars": None}})["deployment"]["env_vars"]
        is None
    )
