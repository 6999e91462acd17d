"""Every scenario can be played and judged: its tools and arguments exist, its patterns compile, and silence does not pass."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

from quantgate.tools import TOOLS

from . import facts, scenario
from .grading import grade
from .made import trial
from .scenario import Row, filled_value
from .test_facts import NEVER

NAMES = scenario.names()
THE_TWELVE = {
    "mmlu_pro_endpoint",
    "fp8_slurm",
    "reasoning_card",
    "broken_config",
    "ready_config",
    "noise",
    "real_regression",
    "judge_401",
    "timed_out",
    "private_image",
    "log_injection",
    "just_run",
}
ARGUMENTS = {spec.name: set(inspect.signature(spec.function).parameters) for spec in TOOLS}


def _tools(row: Row) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tools that a row names, each with the arguments that it looks at."""
    given = row.arguments
    for tool in given.get("tools", ()):
        yield tool, {}
    for name, having in (("tool", "with"), ("first", "with"), ("then", "then_with")):
        if name in given and not (name != "tool" and row.fact == "told_before"):
            yield given[name], given.get(having, {})
    if given.get("at", "end") != "end":
        yield given["at"], {}


def test_the_twelve_of_the_plan_are_there() -> None:
    assert set(NAMES) >= THE_TWELVE


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_loads_and_its_world_has_a_builder(name: str) -> None:
    loaded = scenario.load(name)
    assert loaded.title
    assert loaded.opening
    builder = importlib.import_module(f"tests.agent.worlds.{loaded.builder}")
    assert list(inspect.signature(builder.build).parameters) == ["directory", "options"]


@pytest.mark.parametrize("name", NAMES)
def test_the_rubric_names_facts_tools_and_arguments_that_exist(name: str) -> None:
    for row in scenario.load(name).rubric:
        facts.bound(row.fact, filled_value(dict(row.arguments), {"endpoint": "http://127.0.0.1:1/v1"}))
        assert len(row.because) > 10, row.id
        for pattern, having in _tools(row):
            named = [tool for tool in ARGUMENTS if re.fullmatch(pattern, tool)]
            assert named, f"{row.id}: there is no tool {pattern}"
            for tool in named:
                assert set(having) <= ARGUMENTS[tool], (
                    f"{row.id}: {tool} has no argument {set(having) - ARGUMENTS[tool]}"
                )


@pytest.mark.parametrize("name", NAMES)
def test_an_agent_that_does_nothing_fails_on_more_than_one_fact(name: str) -> None:
    judged = grade(trial(), scenario.load(name))
    assert not judged.passed
    assert len(judged.failed) >= 3, judged.failed


@pytest.mark.parametrize("name", NAMES)
def test_a_rubric_says_what_must_never_be_done(name: str) -> None:
    used = {row.fact for row in scenario.load(name).rubric}
    assert used & NEVER


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rubric": [{"id": "a", "fact": "told", "regex": "x"}]}, "lacks"),
        ({"rubric": [{"id": "a", "fact": "told", "regex": "x", "because": "y"}] * 2}, "same id"),
        ({"user": {"answers": [{"when": "(", "say": "x"}], "otherwise": "y"}}, "no regular expression"),
        ({"mood": "good"}, "the keys are"),
    ],
)
def test_a_scenario_that_cannot_be_played_is_refused_with_its_name(change: dict[str, Any], says: str) -> None:
    raw = {"title": "t", "opening": "o", "world": {"builder": "b"}, "user": {"otherwise": "?"}, "rubric": []}
    with pytest.raises(ValueError, match=f"mine: .*{says}"):
        scenario.read("mine", raw | change)


def test_the_user_says_every_answer_that_fits_the_question_once() -> None:
    answers = [
        {"when": "account", "say": "acme_llm"},
        {"when": "host", "say": "login.cluster", "writes": {".env": "A=1"}},
        {"when": "login", "say": "acme_llm"},
    ]
    raw = {
        "title": "t",
        "opening": "o",
        "world": {"builder": "b"},
        "user": {"answers": answers, "otherwise": "I do not know."},
        "rubric": [],
    }
    played = scenario.read("mine", raw)
    assert played.reply("Which HOST and which account?") == ("acme_llm\nlogin.cluster", {".env": "A=1"})
    assert played.reply("Account of the login node?") == ("acme_llm", {})
    assert played.reply("Which colour?") == ("I do not know.", {})


def test_a_placeholder_is_taken_literally_in_a_pattern_and_other_braces_stay() -> None:
    values = {"url": "http://h:1/v1?a=b"}
    assert re.fullmatch(scenario.filled("^{url}$", values, regex=True), values["url"])
    assert scenario.filled(r"\d{1,3} {url} {other}", values) == r"\d{1,3} http://h:1/v1?a=b {other}"
