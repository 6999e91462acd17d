"""`a.b=c` on the command line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantgate.errors import BadInput
from quantgate.nemotron import overrides


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=null", None),
        ("a=~", None),
        ("a=true", True),
        ("a=False", False),
        ("a=12", 12),
        ("a=-3", -3),
        ("a=0.5", 0.5),
        ("a=1e-3", 0.001),
        ("a=08:00:00", "08:00:00"),
        ("a=007", "007"),
        ("a='12'", "12"),
        ("a=", ""),
        ("a=x=y", "x=y"),
        ("a=${run.env.host}", "${run.env.host}"),
        ("a=[adlr_mmlu,hellaswag]", ["adlr_mmlu", "hellaswag"]),
        ("a=[1, true, null, x]", [1, True, None, "x"]),
        ("a={b: 1, c: [d]}", {"b": 1, "c": ["d"]}),
        ("a=[]", []),
        ("+a=1", 1),
        ("++a=1", 1),
    ],
)
def test_a_value_has_the_type_that_it_was_written_with(text: str, value: Any) -> None:
    assert overrides.apply({}, [text]).config == {"a": value}


def test_task_filters_given_as_a_list_are_names_and_not_characters() -> None:
    config = overrides.apply({}, ["task_filters=[adlr_mmlu,hellaswag]"]).config
    assert overrides.task_names(config) == ("adlr_mmlu", "hellaswag")
    assert overrides.task_names({"task_filters": "adlr_mmlu"}) == ("adlr_mmlu",)


def test_a_task_that_is_named_twice_runs_once() -> None:
    assert overrides.task_names({"task_filters": ["b", "b", "c"]}) == ("b", "c")


def test_a_position_of_a_list_may_be_written_both_ways() -> None:
    config = {"tasks": [{"name": "a"}, {"name": "b"}]}
    for text in ("tasks[1].name=c", "tasks.1.name=c"):
        assert overrides.apply(config, [text]).config["tasks"] == [{"name": "a"}, {"name": "c"}]
    assert config["tasks"][1] == {"name": "b"}


def test_a_tilde_removes_and_what_is_not_there_is_no_error() -> None:
    assert overrides.apply({"a": {"b": 1, "c": 2}}, ["~a.b", "~x.y"]).config == {"a": {"c": 2}}


@pytest.mark.parametrize(
    "text",
    ["--frobnicate", "mmlu", "=1", "a=[1", "a={b:1}", "a[3]=1", "a.b.c=1", "a=2026-01-01\nb: 1", "a={x: 2026-01-01}"],
)
def test_what_is_no_override_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        overrides.apply({"a": {"b": 5}}, [text])
    assert "\n" not in str(refused.value)


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(BadInput) as refused:
        overrides.apply({}, ["evaluation.env_vars.HF_TOKEN=[hf_abcdefghijklmnopqrstuvwxyz"])
    assert "hf_abc" not in str(refused.value)


@given(st.lists(st.tuples(st.sampled_from(["a.b", "a.c", "d"]), st.integers(-9, 9)), max_size=12))
def test_of_several_overrides_of_a_key_the_last_one_wins(given_ones: list[tuple[str, int]]) -> None:
    config = overrides.apply({"a": {"b": "yaml"}}, [f"{key}={value}" for key, value in given_ones]).config
    last = dict(given_ones)
    assert config["a"].get("b") == last.get("a.b", "yaml")
    assert config["a"].get("c") == last.get("a.c")
    assert config.get("d") == last.get("d")
