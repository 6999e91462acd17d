"""Every argument of every tool, right and wrong in type: an answer or a refusal, which never shows the value."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from quantgate.tools import TOOLS, calling

from .targets.arguments import CALLS, answer
from .targets.target import at_home

VALUE = "correct-horse-7391-battery"
"""Looks like no secret: only its place keeps it out of a refusal."""
WRONG: dict[str, list[Any]] = {
    "string": [17, True, None, [VALUE], {"a": VALUE}],
    "integer": [VALUE, "7", 1.5, True, None, [1], {"a": VALUE}],
    "number": [VALUE, True, None, [1.0], {"a": VALUE}],
    "boolean": [VALUE, 1, "true", None, [True]],
    "array": [{"a": VALUE}, 3, None, True, [VALUE, 3], [[VALUE]], [None], f'["{VALUE}", 3]', "[" * 5000],
}


def _answer(tool: str, arguments: dict[str, Any]) -> str:
    with tempfile.TemporaryDirectory() as name, at_home(Path(name).resolve()):
        return answer(tool, arguments, Path(name).resolve())


def test_a_right_call_of_every_tool_is_known() -> None:
    assert set(CALLS) == {spec.name for spec in TOOLS}
    for spec in TOOLS:
        assert set(CALLS[spec.name]) <= set(calling.input_schema(spec)["properties"])


@pytest.mark.parametrize("spec", TOOLS, ids=lambda spec: spec.name)
def test_a_value_of_another_type_is_refused_by_the_arguments_name_and_never_shown(spec: Any) -> None:
    for name, schema in calling.input_schema(spec)["properties"].items():
        for value in WRONG[schema["type"]]:
            with pytest.raises(Exception, match=name) as refused:
                calling.validated(spec, {**CALLS[spec.name], name: value})
            assert type(refused.value).__name__ in {"BadInput", "UnknownName"}
            assert VALUE not in str(refused.value)


@pytest.mark.parametrize("spec", TOOLS, ids=lambda spec: spec.name)
def test_over_the_wire_it_is_a_refusal_too(spec: Any) -> None:
    name = next(iter(calling.input_schema(spec)["properties"]))
    told = _answer(spec.name, {name: {"a": VALUE}, "other": VALUE})
    assert VALUE not in told
    assert "Fix:" in told
