"""How a tool is called with arguments from outside: strictly, and with refusals that name the argument and never its value."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from ..errors import BadInput, UnknownName
from . import schemas
from .spec import ToolResult, ToolSpec

_EXPECTED = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list of strings",
}


@cache
def arguments_model(spec: ToolSpec) -> type[BaseModel]:
    """The pydantic model of a tool's arguments: its function's signature, with unknown names forbidden and no coercion."""
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(spec.function, eval_str=True).parameters.items():
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[name] = (parameter.annotation, default)
    return create_model(f"{spec.name}_arguments", __config__=ConfigDict(extra="forbid", strict=True), **fields)


def description(spec: ToolSpec) -> str:
    """What the agent reads of the tool: its function's docstring in one line."""
    return " ".join((spec.function.__doc__ or "").split())


@cache
def input_schema(spec: ToolSpec) -> dict[str, Any]:
    """The tool's input schema: plain types with concrete defaults, unknown arguments refused."""
    return schemas.of_arguments(arguments_model(spec).model_json_schema())


@cache
def result_model(spec: ToolSpec) -> type[ToolResult]:
    """The pydantic model that the tool returns."""
    model = inspect.signature(spec.function, eval_str=True).return_annotation
    assert isinstance(model, type)
    assert issubclass(model, ToolResult)
    return model


@cache
def output_schema(spec: ToolSpec) -> dict[str, Any]:
    """The tool's output schema, without references and without what costs tokens and tells nothing."""
    return schemas.of_result(result_model(spec).model_json_schema(mode="serialization"))


def validated(spec: ToolSpec, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the function takes them.

    Raises:
        UnknownName: An argument that the tool does not have.
        BadInput: A missing argument or one of another type; the message never echoes a value.
    """
    model = arguments_model(spec)
    try:
        instance = model.model_validate(_parsed(model, arguments))
    except ValidationError as error:
        raise _refusal(spec, error) from None
    return {name: getattr(instance, name) for name in model.model_fields}


def _parsed(model: type[BaseModel], arguments: Mapping[str, Any]) -> dict[str, Any]:
    # Some clients send a list as JSON text, and whole numbers as 1.0.
    parsed = dict(arguments)
    for name, value in arguments.items():
        field = model.model_fields.get(name)
        if field is None:
            continue
        if isinstance(value, str) and field.annotation == list[str] and value.lstrip().startswith("["):
            try:
                parsed[name] = json.loads(value)
            except (ValueError, RecursionError):
                continue
        elif isinstance(value, float) and field.annotation is int and value.is_integer():
            parsed[name] = int(value)
    return parsed


def _refusal(spec: ToolSpec, error: ValidationError) -> BadInput:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    known = list(arguments_model(spec).model_fields)
    if first["type"] == "extra_forbidden":
        return UnknownName(
            "argument", name[:60], where=spec.name, fix=f"{spec.name} takes: {', '.join(known) or 'no arguments'}"
        )
    annotation = arguments_model(spec).model_fields[name].annotation
    expected = _EXPECTED.get(getattr(annotation, "__name__", ""), "another type")
    problem = "is missing" if first["type"] == "missing" else f"must be {expected}"
    return BadInput(
        f"The argument {name!r} {problem}", where=spec.name, fix=f"call {spec.name} with {name} as {expected}"
    )
