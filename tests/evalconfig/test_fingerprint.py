"""What the fingerprint of a config holds, on configs that are composed with NEL's real defaults."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from quantgate.evalconfig import compose, fingerprint

SLURM: dict[str, Any] = {
    "defaults": [{"execution": "slurm/default"}, {"deployment": "vllm"}, "_self_"],
    "execution": {
        "hostname": "login",
        "username": "someone",
        "account": "team",
        "partition": "batch",
        "walltime": "01:00:00",
        "output_dir": "/shared/results",
        "sbatch_comment": "first try",
        "sbatch_extra_flags": {"comment": "a", "time": "01:00:00", "mail-user": "a@example.org", "mail-type": "END"},
    },
    "deployment": {
        "image": "vllm/vllm-openai:v0.11.0",
        "checkpoint_path": "/shared/model",
        "served_model_name": "model",
        "command": "vllm serve /checkpoint --max-model-len 4096",
        "env_vars": {"HF_HOME": "lit:/cache"},
    },
    "evaluation": {
        "env_vars": {"HF_TOKEN": "host:HF_TOKEN"},
        "nemo_evaluator_config": {
            "config": {"params": {"temperature": 0.6, "max_new_tokens": 1024, "parallelism": 8}},
            "target": {"api_endpoint": {"adapter_config": {"use_caching": True}}},
            "metadata": {"note": "a"},
        },
        "tasks": [
            {"name": "ifbench.ifbench", "nemo_evaluator_config": {"metadata": {"note": "b"}}},
            {"name": "nemo_skills.ns_gpqa", "container": "registry/image:1", "env_vars": {"HF_TOKEN": "host:HF_TOKEN"}},
        ],
    },
    "export": {
        "mlflow": {
            "tracking_uri": "http://mlflow:5000",
            "experiment_name": "e",
            "run_name": "one",
            "description": "d",
            "tags": {"a": "b"},
            "extra_metadata": {"a": "b"},
        },
        "wandb": {"entity": "e", "project": "p", "name": "one", "group": "g", "job_type": "eval"},
    },
    "quantgate": {"checkpoint": "/shared/model", "gpu_arch": "H100", "silence": ["T01"]},
}
ENDPOINT: dict[str, Any] = {
    "defaults": [{"execution": "local"}, {"deployment": "none"}, "_self_"],
    "execution": {"output_dir": "/tmp/results"},
    "target": {
        "api_endpoint": {"url": "http://10.0.0.9:8000/v1/chat/completions", "model_id": "m", "api_key_name": "KEY"}
    },
    "evaluation": {"tasks": [{"name": "ifbench.ifbench"}]},
}
WEIGHTS = {"config.json": "a" * 64, "weights": "b" * 64}


@pytest.fixture
def composed(tmp_path: Path) -> Any:
    """Composes a config as NEL would, from a file."""

    def make(config: Mapping[str, Any] | str) -> dict[str, Any]:
        path = tmp_path / "eval.yaml"
        path.write_text(config if isinstance(config, str) else yaml.safe_dump(dict(config)), encoding="utf-8")
        return compose.compose(path).config

    return make


def _mark(config: Mapping[str, Any], **more: Any) -> fingerprint.Mark:
    return fingerprint.mark(config, **{"launcher_version": "0.2.6", "checkpoint": WEIGHTS, **more})


def _at(config: dict[str, Any], dotted: str) -> tuple[Any, Any]:
    """The container and the last key or position of a path."""
    *above, last = [int(part) if part.isdecimal() else part for part in dotted.split("/")]
    for part in above:
        config = config[part]
    return config, last


def _changed(config: dict[str, Any], dotted: str, value: Any) -> dict[str, Any]:
    other = copy.deepcopy(config)
    place, last = _at(other, dotted)
    place[last] = value
    return other


LEFT_OUT = {
    "execution.output_dir": "execution/output_dir",
    "execution.walltime": "execution/walltime",
    "execution.max_walltime": "execution/max_walltime",
    "execution.sbatch_comment": "execution/sbatch_comment",
    "execution.sbatch_extra_flags.comment": "execution/sbatch_extra_flags/comment",
    "execution.sbatch_extra_flags.time": "execution/sbatch_extra_flags/time",
    "execution.sbatch_extra_flags.mail-user": "execution/sbatch_extra_flags/mail-user",
    "execution.sbatch_extra_flags.mail-type": "execution/sbatch_extra_flags/mail-type",
    "export.*.tags": "export/mlflow/tags",
    "export.*.description": "export/mlflow/description",
    "export.*.extra_metadata": "export/mlflow/extra_metadata",
    "export.mlflow.run_name": "export/mlflow/run_name",
    "export.wandb.name": "export/wandb/name",
    "export.wandb.group": "export/wandb/group",
    "export.wandb.job_type": "export/wandb/job_type",
    "evaluation.nemo_evaluator_config.metadata": "evaluation/nemo_evaluator_config/metadata",
    "evaluation.tasks.*.nemo_evaluator_config.metadata": "evaluation/tasks/0/nemo_evaluator_config/metadata",
    "quantgate.silence": "quantgate/silence",
    "quantgate.gpu_arch": "quantgate/gpu_arch",
    "quantgate.checkpoint": "quantgate/checkpoint",
}


def test_every_row_of_the_table_has_a_test() -> None:
    assert {".".join(row) for row in fingerprint.table()[1]} == set(LEFT_OUT)


@pytest.mark.parametrize("place", LEFT_OUT.values())
def test_what_changes_neither_score_nor_operation_is_left_out(composed: Any, place: str) -> None:
    before = composed(SLURM)
    other = composed(_changed(SLURM, place, {"x": "other"} if "meta" in place or "tags" in place else "02:00:00"))
    assert before != other
    assert _mark(other).fingerprint == _mark(before).fingerprint


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("evaluation/nemo_evaluator_config/config/params/limit_samples", 5),
        ("evaluation/nemo_evaluator_config/config/params/temperature", 0.7),
        ("evaluation/nemo_evaluator_config/config/params/parallelism", 16),
        ("evaluation/nemo_evaluator_config/config/params/max_new_tokens", "1024"),
        ("evaluation/nemo_evaluator_config/target/api_endpoint/adapter_config/use_caching", False),
        ("evaluation/env_vars/HF_TOKEN", "host:OTHER_TOKEN"),
        ("evaluation/tasks/1/env_vars/HF_TOKEN", "lit:x"),
        ("evaluation/tasks/1/container", "registry/image:2"),
        ("evaluation/tasks/0/name", "ifbench.ifbench_aa_v2"),
        ("evaluation/tasks/0/pre_cmd", "echo"),
        ("deployment/command", "vllm serve /checkpoint --max-model-len 8192"),
        ("deployment/image", "vllm/vllm-openai:v0.12.0"),
        ("deployment/env_vars/HF_HOME", "lit:/other"),
        ("deployment/tensor_parallel_size", 4),
        ("execution/account", "others"),
        ("execution/partition", "long"),
        ("execution/subproject", "others"),
        ("execution/gres", "gpu:4"),
        ("execution/num_nodes", 2),
        ("export/mlflow/tracking_uri", "http://other:5000"),
    ],
)
def test_what_changes_a_score_or_the_operation_counts_and_is_named(composed: Any, place: str, value: Any) -> None:
    before, other = _mark(composed(SLURM)), _mark(composed(_changed(SLURM, place, value)))
    assert before.fingerprint != other.fingerprint
    differing = {
        n for n in before.content.keys() | other.content.keys() if before.content.get(n) != other.content.get(n)
    }
    dotted = "".join(f"[{p}]" if p.isdecimal() else f".{p}" for p in place.split("/")).strip(".")
    assert dotted in differing


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("target/api_endpoint/url", "http://10.0.0.9:8001/v1/chat/completions"),
        ("target/api_endpoint/model_id", "other"),
        ("target/api_endpoint/api_key_name", "OTHER"),
        ("execution/mode", "parallel"),
    ],
)
def test_another_endpoint_or_mode_counts(composed: Any, place: str, value: Any) -> None:
    before, other = _mark(composed(ENDPOINT)), _mark(composed(_changed(ENDPOINT, place, value)))
    assert before.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"launcher_version": "0.2.7"}, "launcher"),
        ({"checkpoint": WEIGHTS | {"weights": "c" * 64}}, "checkpoint: weights"),
        ({"checkpoint": {}}, "checkpoint: config.json"),
        ({"harnesses": ["ifbench-1"]}, "harness: ifbench-1"),
    ],
)
def test_launcher_checkpoint_and_harness_count(composed: Any, more: dict[str, Any], name: str) -> None:
    config = composed(ENDPOINT)
    before, other = _mark(config), _mark(config, **more)
    assert before.fingerprint != other.fingerprint
    assert before.content.get(name) != other.content.get(name)


def test_comments_key_order_anchors_and_helper_sections_do_not_count(composed: Any) -> None:
    before = _mark(composed(ENDPOINT)).fingerprint
    text = """
evaluation:
  tasks: [{name: &name ifbench.ifbench}]  # one task
  env_vars: {}
x-helpers: {anchor: &model m, unused: 3}
target:
  api_endpoint: {api_key_name: KEY, model_id: *model, url: "http://10.0.0.9:8000/v1/chat/completions"}
execution: {output_dir: /elsewhere}
defaults: [{execution: local}, {deployment: none}, _self_]
"""
    assert _mark(composed(text)).fingerprint == before
    assert _mark(composed(text.replace("&model m", "&model n"))).fingerprint != before


def test_no_value_is_kept_and_equal_values_do_not_show_as_equal(composed: Any) -> None:
    secret = "sk-0123456789abcdef"
    env = {"A": f"lit:{secret}", "B": f"lit:{secret}"}
    content = _mark(composed(_changed(ENDPOINT, "evaluation/env_vars", env))).content
    assert secret not in "".join([*content, *content.values()])
    assert content["evaluation.env_vars.A"] != content["evaluation.env_vars.B"]
    assert all(len(digest) == fingerprint.SHOWN_DIGITS for digest in content.values())


_KEYS = st.text(alphabet="ab.[]\"\\' 0:", max_size=4)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "1", "a", "true"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)
_SECTIONS = st.dictionaries(st.sampled_from(["evaluation", "deployment", "target"]), _VALUES, max_size=3)


def _emptied(value: Any) -> Any:
    """A config less its empty sections, which count as absent."""
    if isinstance(value, dict):
        return {k: v for k, v in ((k, _emptied(v)) for k, v in value.items()) if v not in ({}, [])}
    return [_emptied(v) for v in value] if isinstance(value, list) else value


@settings(max_examples=300, deadline=None)
@given(_SECTIONS, st.randoms(use_true_random=False))
def test_the_order_of_keys_and_empty_sections_never_count(config: dict[str, Any], chance: random.Random) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            items = [(k, shuffled(v)) for k, v in value.items()]
            chance.shuffle(items)
            return dict(items) | {f"empty{chance.random()}": chance.choice([{}, []])}
        return [shuffled(v) for v in value] if isinstance(value, list) else value

    def is_plain(value: Any) -> bool:
        """An empty mapping in a list stays an entry: nothing can be added to it without making it another."""
        if isinstance(value, list):
            return all(v != {} and is_plain(v) for v in value)
        return all(map(is_plain, value.values())) if isinstance(value, dict) else True

    if is_plain(config):
        assert _mark(shuffled(config)).fingerprint == _mark(config).fingerprint


@settings(max_examples=500, deadline=None)
@given(_SECTIONS, _SECTIONS)
def test_two_configs_share_a_fingerprint_only_when_they_are_equal(one: dict[str, Any], two: dict[str, Any]) -> None:
    same = yaml.safe_dump(_emptied(one), sort_keys=True) == yaml.safe_dump(_emptied(two), sort_keys=True)
    assert (_mark(one).fingerprint == _mark(two).fingerprint) == same


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"a.b": 1}, {"a": {"b": 1}}),
        ({'a"]["b': 1}, {"a": {"b": 1}}),
        ({'a"': 1}, {"a\\'": 1}),
        ({"a": [1]}, {"a": {"0": 1}}),
        ({"a[0]": 1}, {"a": [1]}),
        ({"a": "1"}, {"a": 1}),
        ({"a": None}, {}),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
    ],
)
def test_keys_with_dots_and_quotes_are_not_taken_for_paths(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert _mark({"evaluation": one}).fingerprint != _mark({"evaluation": two}).fingerprint
