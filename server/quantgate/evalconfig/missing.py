"""The gaps of a config: `???` and placeholders, with what each means and who can know it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from . import paths
from .paths import Segment

_TABLE = Path(__file__).with_name("missing.yaml")
_PLACEHOLDER = re.compile(r"(?<!<)<[A-Z][A-Z0-9_-]{2,}>|\bCHANGE_?ME\b")
_FREE_TEXT = frozenset({"custom_system_prompt", "system_prompt", "stop"})
"""Keys whose text may hold tags such as <THINK> that are meant."""

UNKNOWN_MEANING = "A value that the config leaves open"


@dataclass(frozen=True)
class Missing:
    """One value that is still to be given.

    Attributes:
        path: Where, as a dotted path.
        meaning: What belongs there.
        who: "user" (ask), "card" (the model card), "checkpoint", "cluster", or "agent" (can be chosen).
        placeholder: The text to be replaced, such as `<ACCOUNT>`; empty for `???`.
    """

    path: str
    meaning: str
    who: str
    placeholder: str = ""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1)
    meaning: str = Field(min_length=10)
    who: Literal["user", "card", "checkpoint", "cluster", "agent"]


@cache
def table() -> tuple[_Row, ...]:
    """The rows of missing.yaml, in order."""
    from ruamel.yaml import YAML

    rows = YAML(typ="safe").load(_TABLE.read_text(encoding="utf-8"))
    return tuple(_Row.model_validate(row) for row in rows)


def missing_values(config: Mapping[str, Any]) -> list[Missing]:
    """Every `???` and placeholder of a config, in document order.

    Args:
        config: A composed config, or the content of a file as written.
    """
    found = []
    for segments, value in paths.walk(config):
        if not isinstance(value, str) or not segments:
            continue
        placeholder = "" if value == "???" else placeholder_in(segments, value)
        if value == "???" or placeholder:
            row = _row_for(segments)
            meaning, who = (row.meaning, row.who) if row else (UNKNOWN_MEANING, "user")
            found.append(Missing(paths.join(segments), meaning, who, placeholder))
    return found


def placeholder_in(segments: tuple[Segment, ...], value: str) -> str:
    """The placeholder (`<UPPER_CASE>` or CHANGEME) inside a value, or empty."""
    if _FREE_TEXT.intersection(str(s) for s in segments):
        return ""
    match = _PLACEHOLDER.search(value)
    return match[0] if match else ""


def _row_for(segments: tuple[Segment, ...]) -> _Row | None:
    names = [str(segment) for segment in segments if isinstance(segment, str)]
    for row in table():
        pattern = row.path.split(".")
        tail = names[-len(pattern) :]
        if len(tail) == len(pattern) and all(p in ("*", t) for p, t in zip(pattern, tail, strict=True)):
            return row
    return None
