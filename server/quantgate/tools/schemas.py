"""JSON schemas as short as a client can be given them: every model that sees the list of tools pays for each word of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_COSTLY = {"title"}
"""Keywords that say a property's name again."""


def of_arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An input schema: plain types with concrete defaults, and unknown arguments refused.

    Args:
        schema: What pydantic makes of the arguments.
    """
    properties = {name: _without(part, _COSTLY) for name, part in schema.get("properties", {}).items()}
    required = {"required": schema["required"]} if schema.get("required") else {}
    return {"type": "object", "properties": properties, **required, "additionalProperties": False}


def of_result(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An output schema without references: the types of a result's own fields, and the names of those of its rows.

    A row names each field once: under `properties` where there is more to say of it, else under `required`, for a row is always
    whole. With the types of its values the list of tools would be half as long again, and a value is read with its name;
    `docs/tools.md` has the types.

    Args:
        schema: What pydantic makes of the result, definitions included.
    """
    definitions = schema.get("$defs", {})
    properties = {name: _field(part, definitions) for name, part in schema["properties"].items()}
    return {"type": "object", "properties": properties, "required": ["next_step"]}


def _field(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """One of a result's own fields."""
    part, optional = _resolved(schema, definitions)
    kind = part["type"]
    return {"type": [kind, "null"] if optional else kind, **_told(schema, part, definitions)}


def _told(schema: Mapping[str, Any], part: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a field beside its type: its meaning, and the names in it."""
    about = {"description": schema["description"]} if "description" in schema else {}
    if part.get("type") == "array":
        row, _ = _resolved(part["items"], definitions)
        return {**about, **({"items": _row(row, definitions)} if "properties" in row else {})}
    return {**about, **(_row(part, definitions) if "properties" in part else {})}


def _row(row: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    fields = {
        name: _told(value, _resolved(value, definitions)[0], definitions) for name, value in row["properties"].items()
    }
    parts = {
        "properties": {name: told for name, told in fields.items() if told},
        "required": [name for name, told in fields.items() if not told],
    }
    return {keyword: part for keyword, part in parts.items() if part}


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """What a part refers to, and whether null may stand in its place."""
    choices = [choice for choice in schema.get("anyOf", []) if choice.get("type") != "null"]
    if choices:
        return _resolved(choices[0], definitions)[0], len(choices) < len(schema["anyOf"])
    if "$ref" in schema:
        return definitions[schema["$ref"].rpartition("/")[2]], False
    return schema, False


def _without(schema: Any, keywords: set[str]) -> Any:
    if isinstance(schema, list):
        return [_without(part, keywords) for part in schema]
    if isinstance(schema, dict):
        return {key: _without(part, keywords) for key, part in schema.items() if key not in keywords}
    return schema
