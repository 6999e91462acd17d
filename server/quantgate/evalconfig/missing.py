"""The gaps of a config: `???` and placeholders, with what each means and who can know it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from . import packaged, paths
from .compose import Composed, merged
from .document import ConfigDocument
from .paths import Segment

_TABLE = Path(__file__).with_name("missing.yaml")
_PLACEHOLDER = re.compile(
    r"(?<!<)<(?:[A-Z][A-Z0-9_-]*|(?i:your)[ _-][\w .-]{1,60})>"
    r"|\b(?:CHANGE_?ME|REPLACE_?ME|FILL_?ME(?:_IN)?|TO_?DO|FIXME|YOUR_[A-Z][A-Z_]+)\b"
    r"|(?i:(?<!//)(?<![\w.\-])your[_-](?:own[_-]|slurm[_-]|hf[_-]|api[_-])?(?:account|user|user_?name|name|org|organi[sz]ation|team|group|project|partition"
    r"|host|host_?name|cluster|server|endpoint|url|model|checkpoint|handle|path|dir|directory|token|key|image|bucket|entity"
    r"|workspace|tokenizer|judge)(?:[_-]here)?(?![\w\-]))"
    r"|\bTBD\b|\?\?\?|(?i:\binsert[_-]\w{1,40}[_-]here\b)"
    r"|(?<![\w.])/path/to/[\w.\-/]*"
)
_FREE_TEXT = frozenset(
    {"custom_system_prompt", "system_prompt", "stop", "start_reasoning_token", "end_reasoning_token", "chat_template"}
)
"""Keys whose text may hold tags such as <THINK> that are meant."""

PLACEHOLDER_KEY = "What belongs in the place of"
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
    """Every `???` and placeholder of a config, in document order; also one that is the key of a mapping.

    Args:
        config: A composed config, or the content of a file as written.
    """
    found: dict[str, Missing] = {}
    for segments, value in paths.walk(config):
        if not segments:
            continue
        for depth, segment in enumerate(segments):
            placeholder = placeholder_in(segments[:depth], segment) if isinstance(segment, str) else ""
            if placeholder:
                path = paths.join(segments[: depth + 1])
                found[path] = Missing(path, f"{PLACEHOLDER_KEY} {placeholder}", "user", placeholder)
        placeholder = placeholder_in(segments, value) if isinstance(value, str) and value != "???" else ""
        if value == "???" or placeholder:
            row = _row_for(segments)
            meaning, who = (row.meaning, row.who) if row else (UNKNOWN_MEANING, "user")
            path = paths.join(segments)
            found.setdefault(path, Missing(path, meaning, who, placeholder))
    return list(found.values())


def gaps(document: ConfigDocument, composed: Composed | None) -> list[Missing]:
    """The gaps of what NEL would run: of the file and of the packaged defaults that it takes.

    Args:
        document: The file.
        composed: It composed; None when it does not compose, and then the defaults are laid below the file as they are.
    """
    if composed is not None:
        found = own_gaps(composed, document.plain)
        # Where the defaults have a value, composing hides a `???` of the file: NEL takes the default without a word.
        known = {gap.path for gap in found}
        return found + [gap for gap in missing_values(document.plain) if gap.path not in known]
    config = dict(document.plain)
    for section in ("execution", "deployment"):
        group = packaged.group(document, section)
        below = packaged.default(f"{section}/{group}")
        base = packaged.default("deployment/vllm") if group == "vllm_ray" else None
        written = config.get(section)
        if isinstance(below, dict) and isinstance(written, dict | None):
            config[section] = merged(merged(base or {}, below), written or {})
    return missing_values(config)


def own_gaps(composed: Composed, written: Mapping[str, Any]) -> list[Missing]:
    """The gaps of a composed config, without those that an interpolation brings to another key.

    Args:
        composed: As NEL would run it.
        written: The file's own content: a placeholder that stands there in one key counts for that key only.
    """
    found = [gap for gap in missing_values(composed.config) if gap.path not in composed.derived_missing]
    if not any(gap.placeholder for gap in found):
        return found
    own = {(gap.path, gap.placeholder) for gap in missing_values(written)}
    placeholders = {placeholder for _, placeholder in own}
    return [gap for gap in found if gap.placeholder not in placeholders or (gap.path, gap.placeholder) in own]


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
