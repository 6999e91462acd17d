"""What the name of a well-known model decides while its files are not on this machine (model_names.yaml)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from ...checkpoint.claims import size_in_name
from .effective import serving
from .rule import Subject

_TABLE = Path(__file__).with_name("model_names.yaml")
_HANDLE = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*", re.ASCII)
_LONGEST = 200


class Named(BaseModel):
    """A pattern of names, and where it is known from."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    names: str
    source: str


class ThinkingKey(Named):
    """The key of chat_template_kwargs that the models know."""

    key: str


class Thinker(Named):
    """Models that think by default, with the reasoning parser of each framework."""

    parsers: dict[str, str]


class Size(Named):
    """Attention heads, and billions of parameters; 0 where it is not said."""

    heads: int = 0
    billions: int = 0


class NameTable(BaseModel):
    """model_names.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    thinking_keys: tuple[ThinkingKey, ...]
    reasoning: tuple[Thinker, ...]
    experts: tuple[Named, ...]
    sizes: tuple[Size, ...]


_Row = TypeVar("_Row", bound=Named)


@cache
def table() -> NameTable:
    """model_names.yaml, read once."""
    import yaml

    return NameTable.model_validate(yaml.safe_load(_TABLE.read_text(encoding="utf-8")))


def unread(subject: Subject) -> str:
    """The model's name without its organisation, when nothing but the name is known of it; else empty.

    It is the last part of the handle or the path, of the handle in a command of one's own, or of an endpoint's model_id.
    """
    model, server = subject.model, serving(subject)
    if model is not None:
        if model.inspection is not None or model.error or model.megatron_parent:
            return ""
        name = model.name
    elif server is not None:
        name = server.command.model if _HANDLE.fullmatch(server.command.model) else ""
    elif subject.composed.deployment == "none":
        name = subject.at("target", "api_endpoint", "model_id")
    else:
        return ""
    return name.rstrip("/").rpartition("/")[2][:_LONGEST] if isinstance(name, str) else ""


def matches(pattern: str, name: str) -> bool:
    """Whether a name begins as a pattern says, in any case."""
    return bool(name) and re.match(pattern, name, re.IGNORECASE) is not None


def first(rows: Iterable[_Row], name: str) -> _Row | None:
    """The first row for a name; None without one, and for no name."""
    return next((row for row in rows if matches(row.names, name)), None)


def least_parameters(name: str) -> float:
    """Parameters that a model of this name has at least; 0 when it does not say."""
    row = next((row for row in table().sizes if row.billions and matches(row.names, name)), None)
    return row.billions * 1e9 if row is not None else size_in_name(name)
