"""The fields of the adapter's configuration, from the source of the installed nemo_evaluator, which is not imported."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ..errors import LauncherError

VALIDATED_VERSION = "0.2.8"
"""The nemo-evaluator whose code the table of effects was read in."""

_CLASS = "LegacyAdapterConfig"
_TABLE = Path(__file__).resolve().parent / "adapter_fields.yaml"


@dataclass(frozen=True)
class AdapterField:
    """One field as the class declares it: its type and default as Python text."""

    name: str
    kind: str
    default: str
    description: str


class _Effect(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    does: str
    mind: str


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str
    fields: dict[str, _Effect]


class AdapterEffects(BaseModel):
    """adapter_fields.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str
    groups: tuple[_Group, ...]


@cache
def effects() -> AdapterEffects:
    """What each field does, by group."""
    import yaml

    return AdapterEffects.model_validate(yaml.safe_load(_TABLE.read_text(encoding="utf-8")))


@cache
def adapter_fields() -> tuple[AdapterField, ...]:
    """The fields that the installed nemo_evaluator accepts in `adapter_config`, in the order of its class.

    Raises:
        LauncherError: It is not installed, or has no such class.
    """
    spec = importlib.util.find_spec("nemo_evaluator")
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    file = Path(places[0]) / "adapters" / "adapter_config.py" if places else Path()
    if not file.is_file():
        raise LauncherError(
            "nemo-evaluator is not installed in quantgate's environment",
            fix=f"pip install 'nemo-evaluator=={VALIDATED_VERSION}' where quantgate is installed",
        )
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == _CLASS:
            return tuple(_field(line) for line in node.body if isinstance(line, ast.AnnAssign))
    raise LauncherError(
        f"The installed nemo-evaluator {importlib.metadata.version('nemo-evaluator')} has no {_CLASS}",
        fix=f"install the validated version: nemo-evaluator=={VALIDATED_VERSION}",
    )


def interceptors_markdown() -> str:
    """The fields as Markdown tables by group: default, effect, and what to mind."""
    fields = {field.name: field for field in adapter_fields()}
    version = importlib.metadata.version("nemo-evaluator")
    lines = [f"{len(fields)} fields, from the class in nemo-evaluator {version}; any other name is refused."]
    for group in effects().groups:
        rows = [(fields.pop(name), effect) for name, effect in group.fields.items() if name in fields]
        lines += ["", f"### {group.title}", "", *_HEAD]
        lines += [_row(field, effect.does, effect.mind) for field, effect in rows]
    if fields:
        lines += ["", "### Not described here yet", "", *_HEAD]
        lines += [_row(field, field.description, "") for field in fields.values()]
    return "\n".join(lines)


_HEAD = ("| field | type | default | what it does | mind |", "| --- | --- | --- | --- | --- |")


def _row(field: AdapterField, does: str, mind: str) -> str:
    default = "unset" if field.default == "None" else f"`{_as_yaml(field.default)}`"
    return "| " + " | ".join(f"{cell}" for cell in (f"`{field.name}`", _kind(field), default, does, mind)) + " |"


def _kind(field: AdapterField) -> str:
    names = {"bool": "true or false", "str": "text", "int": "number"}
    bare = field.kind.removesuffix(" | None")
    return names.get(bare, "list" if bare.startswith("list") else "mapping" if bare.startswith("dict") else bare)


def _as_yaml(default: str) -> str:
    return {"True": "true", "False": "false"}.get(default, default.strip("'\""))


def _field(line: ast.AnnAssign) -> AdapterField:
    """A line such as `use_caching: bool = Field(default=True, description="…")`."""
    keywords = {key.arg: key.value for key in line.value.keywords} if isinstance(line.value, ast.Call) else {}
    default, text = keywords.get("default"), keywords.get("description")
    return AdapterField(
        name=ast.unparse(line.target),
        kind=ast.unparse(line.annotation),
        default=ast.unparse(default) if default is not None else "None",
        description=str(text.value) if isinstance(text, ast.Constant) else "",
    )
