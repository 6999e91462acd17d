"""Every result that any test sees fits the tool's output schema, and its `next_step` can be followed: it names calls that can be
made as they stand, or says what a person must do.

A fixture for all tests: whatever situation a test makes, the results that it gets there are held to this. Results of child
processes are not seen.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from quantgate.errors import QuantgateError
from quantgate.tools import TOOLS, calling
from quantgate.tools.spec import ToolResult, ToolSpec

BY_NAME = {spec.name: spec for spec in TOOLS}
A_PERSON = re.compile(
    r"\b(ask(ed)? the user|ask (them|for)|tell the user|show the conflicts to the user|report|say|correct line|mend)\b",
    re.IGNORECASE,
)
"""Words for what no call does: a person decides or is told, or a file is corrected by hand."""

_CALL = re.compile(rf"(?<![\w.`'\"])({'|'.join(BY_NAME)})\(")
_BARE = re.compile(rf"(?<![\w.=:/'])({'|'.join(n for n in BY_NAME if '_' in n)})\b(?!\()(?![\w./])")
_WORDS = {"true": True, "false": False}


@dataclass(frozen=True)
class Call:
    """A call in a text, as an agent would make it."""

    spec: ToolSpec
    arguments: dict[str, Any]


def calls_in(text: str) -> list[Call]:
    """The calls in a text; each must be whole, of plain values, and fit the tool's arguments and their types.

    Raises:
        AssertionError: A call that cannot be made as it stands.
    """
    return [_read(text[found.start() :]) for found in _CALL.finditer(text)]


def _read(text: str) -> Call:
    for end in [i + 1 for i, char in enumerate(text) if char == ")"]:
        try:
            tree = ast.parse(text[:end], mode="eval").body
        except SyntaxError:
            continue
        assert isinstance(tree, ast.Call), text[:end]
        spec = BY_NAME[ast.unparse(tree.func)]
        assert not tree.args, f"{text[:end]}: arguments are named"
        arguments = {keyword.arg or "**": _value(keyword.value, text[:end]) for keyword in tree.keywords}
        try:
            calling.validated(spec, arguments)
        except QuantgateError as error:
            raise AssertionError(f"{text[:end]}: {error}") from None
        return Call(spec, arguments)
    raise AssertionError(f"no whole call: {text[:200]}")


def _value(node: ast.expr, call: str) -> Any:
    if isinstance(node, ast.Name) and node.id in _WORDS:
        return _WORDS[node.id]
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise AssertionError(f"{call}: {ast.unparse(node)} is no plain value") from None


def assert_can_be_followed(next_step: str) -> None:
    """A next step names a call, or what a person must do; and a tool is never named without its arguments."""
    calls = calls_in(next_step)
    assert calls or A_PERSON.search(next_step), f"neither a call nor a person's part: {next_step}"
    assert not (bare := _BARE.findall(next_step)), f"{bare} without arguments: {next_step}"


@pytest.fixture(autouse=True)
def every_result_keeps_what_was_promised(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Reads the next step of every result of the test, and holds the result against the tool's output schema."""
    made: list[ToolResult] = []
    original = ToolResult.__init__

    def remembered(self: ToolResult, /, **data: Any) -> None:
        original(self, **data)
        made.append(self)

    monkeypatch.setattr(ToolResult, "__init__", remembered)
    yield
    monkeypatch.undo()
    for text in dict.fromkeys(result.next_step for result in made):
        assert_can_be_followed(text)
    for result in made:
        if validator := _validators().get(type(result)):
            validator.validate(result.model_dump(mode="json"))


@cache
def _validators() -> dict[type[ToolResult], Draft202012Validator]:
    """By the result's class: what a client holds the tool's results against."""
    return {calling.result_model(spec): Draft202012Validator(calling.output_schema(spec)) for spec in TOOLS}
