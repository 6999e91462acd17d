"""An edit changes the lines it means and nothing else."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from ruamel.yaml import YAML

from quantgate.errors import BadInput, ConfigError, UnknownName
from quantgate.evalconfig import render, surgery
from quantgate.evalconfig.document import ConfigDocument

from .made import PROCESS


def _document(text: str = PROCESS) -> ConfigDocument:
    return ConfigDocument(Path("eval.yaml"), text)


def _changed(before: str, after: str) -> tuple[list[str], list[str]]:
    old, new = before.splitlines(), after.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.mark.parametrize(
    ("path", "value", "removed", "added"),
    [
        (
            "execution.output_dir",
            "/data/new",
            ["  output_dir: /tmp/results"],
            ["  output_dir: /data/new"],
        ),
        (
            "evaluation.nemo_evaluator_config.config.params.parallelism",
            16,
            ["        parallelism: 4 # what the server bears"],
            ["        parallelism: 16 # what the server bears"],
        ),
        ("execution.extra_docker_args", "", [], ['  extra_docker_args: ""']),
        (
            "evaluation.nemo_evaluator_config.config.params.extra.judge.url",
            "http://judge/v1",
            [],
            ["        extra:", "          judge:", "            url: http://judge/v1"],
        ),
        ("quantgate.checkpoint", "/models/x", [], ["quantgate:", "  checkpoint: /models/x"]),
        ("execution.walltime", "12:00:00", [], ['  walltime: "12:00:00"']),
        (
            "evaluation.tasks[0].name",
            "simple_evals.mmlu",
            ["    - name: ifbench.ifbench # 294 prompts"],
            ["    - name: simple_evals.mmlu # 294 prompts"],
        ),
        ("defaults[0].execution", "slurm/default", ["  - execution: local"], ["  - execution: slurm/default"]),
    ],
)
def test_a_set_value_changes_only_its_own_lines(path: str, value: Any, removed: list[str], added: list[str]) -> None:
    edited = surgery.set_value(_document(), path, value)
    assert _changed(PROCESS, edited.text) == (removed, added)
    assert edited.get(path) == value


def test_an_appended_task_comes_after_the_last_one_and_before_the_comment_below() -> None:
    text = surgery.append(_document(), "evaluation.tasks", {"name": "a.b", "env_vars": {"X": "lit:1"}}).text
    assert text.splitlines()[26:31] == [
        "    - name: ifbench.ifbench # 294 prompts",
        "    - name: a.b",
        "      env_vars:",
        "        X: lit:1",
        "",
    ]
    assert text.endswith("# nothing is exported\n")


def test_an_empty_list_becomes_a_block_and_an_emptied_one_is_empty_again() -> None:
    empty = _document("evaluation:\n  tasks: [] # none yet\n")
    one = surgery.append(empty, "evaluation.tasks", {"name": "a.b"})
    assert one.text == "evaluation:\n  tasks: # none yet\n    - name: a.b\n"
    assert surgery.unset(one, "evaluation.tasks[0]").plain == {"evaluation": {"tasks": []}}


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("execution.output_dir", ["  output_dir: /tmp/results"]),
        ("evaluation.env_vars", ["  env_vars:", "    DUMMY_API_KEY: lit:dummy"]),
        ("defaults[1]", ["  - deployment: none"]),
    ],
)
def test_unset_takes_the_key_and_leaves_every_comment(path: str, gone: list[str]) -> None:
    edited = surgery.unset(_document(), path)
    assert _changed(PROCESS, edited.text) == (gone, [])
    assert edited.text.count("#") == PROCESS.count("#")


def test_the_first_key_of_a_task_can_be_removed() -> None:
    document = _document("evaluation:\n  tasks:\n    - name: a\n      container: c # image\n")
    assert surgery.unset(document, "evaluation.tasks[0].name").text.endswith("    - container: c # image\n")


def test_a_flow_mapping_stays_one() -> None:
    document = _document("target: {api_endpoint: {url: http://a/v1, model_id: m}} # ep\n")
    edited = surgery.set_value(document, "target.api_endpoint.url", "http://b/v1")
    assert edited.text == "target: {api_endpoint: {url: http://b/v1, model_id: m}} # ep\n"


def test_a_null_without_text_is_filled() -> None:
    document = _document("deployment:\n  checkpoint_path: # none\n  port: 8000\n")
    assert (
        surgery.set_value(document, "deployment.checkpoint_path", "/m").plain["deployment"]["checkpoint_path"] == "/m"
    )


def test_a_folded_command_is_replaced_whole() -> None:
    document = _document("deployment:\n  command: >-\n    vllm serve\n    --port 1\n\n  # after\n  port: 8000\n")
    edited = surgery.set_value(document, "deployment.command", "run")
    assert edited.text == "deployment:\n  command: run\n\n  # after\n  port: 8000\n"


def test_an_aliased_value_is_replaced_at_the_alias_not_at_the_anchor() -> None:
    document = _document("a: &x {k: 1}\nb: *x\nc: 2\n")
    assert surgery.set_value(document, "b", 5).text == "a: &x {k: 1}\nb: 5\nc: 2\n"


def test_an_edit_through_an_alias_is_refused_because_it_would_change_the_anchor_too() -> None:
    document = _document("a: &x\n  k: 1\nb: *x\n")
    with pytest.raises(ConfigError, match="by hand"):
        surgery.set_value(document, "b.k", 5)


def test_an_anchor_in_use_cannot_be_removed() -> None:
    with pytest.raises(ConfigError, match="by hand"):
        surgery.unset(_document("a: &x\n  k: 1\nb: *x\n"), "a")


def test_comments_inside_braces_are_not_lost_silently() -> None:
    with pytest.raises(ConfigError, match="comments"):
        surgery.set_value(_document("a: {k: 1, # one\n  m: 2}\n"), "a.k", 5)


def test_a_path_through_a_scalar_is_refused() -> None:
    with pytest.raises(BadInput, match="not a section"):
        surgery.set_value(_document(), "execution.type.x", 1)


def test_an_unknown_path_to_unset_names_its_neighbours() -> None:
    with pytest.raises(UnknownName, match="output_dir"):
        surgery.unset(_document(), "execution.output")


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30).filter(lambda t: "${" not in t),
    st.sampled_from(
        ["yes", "off", "null", "~", "12:00:00", "1e-5", "2026-01-01", "a: b", "a #b", "++x=1", "-x", "=", "<<"]
    ),
)


@given(_SCALARS)
def test_a_rendered_scalar_is_read_back_alike_by_both_yaml_dialects(value: Any) -> None:
    text = f"a: {render.scalar(value)}\nb: {render.inline([value])}\n"
    expected = {"a": value, "b": [value]}
    assert YAML(typ="safe", pure=True).load(text) == expected
    assert OmegaConf.to_container(OmegaConf.create(text)) == expected


@given(
    st.recursive(
        _SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_any_value_can_be_set_and_nothing_else_changes(value: Any) -> None:
    edited = surgery.set_value(_document(), "evaluation.tasks[0].x.y", value)
    expected = _document().plain
    expected["evaluation"]["tasks"][0]["x"] = {"y": value}
    assert edited.plain == expected
    assert [line for line in PROCESS.splitlines() if line not in edited.text.splitlines()] == []
