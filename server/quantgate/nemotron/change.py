"""What a stage of the pipeline changed, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Config = dict[str, Any]
"""A config as plain values: mappings, lists, text, numbers, booleans and None."""

EMPTY = (None, "", "???")
"""Values that say nothing yet."""


@dataclass(frozen=True)
class Change:
    """One change of a config.

    Attributes:
        what: The place and what became of it; never a value that may be secret.
        why: The reason, which names NEL's behaviour where it is one.
        row: The id of the row in migration.yaml; empty for what is no incompatibility.
    """

    what: str
    why: str
    row: str = ""


class Staged(NamedTuple):
    """What a stage gives back: a new config, and its changes in order."""

    config: Config
    changes: tuple[Change, ...] = ()


def copied(value: Any) -> Any:
    """A deep copy of plain values, so that no stage changes the config that it was given."""
    if isinstance(value, Mapping):
        return {str(key): copied(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [copied(child) for child in value]
    return value


def section(config: Config, *keys: str) -> Config | None:
    """The mapping at some keys, or None when there is none."""
    value: Any = config
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value if isinstance(value, dict) else None


def made(config: Config, *keys: str) -> Config:
    """The mapping at some keys of a config of one's own; what is missing or null on the way is made."""
    for key in keys:
        inner = config.get(key)
        if not isinstance(inner, dict):
            inner = config[key] = {}
        config = inner
    return config


def mentions(value: Any, text: str) -> bool:
    """Whether any text inside a value has `text` in it."""
    if isinstance(value, Mapping):
        return any(mentions(child, text) for child in value.values())
    if isinstance(value, list):
        return any(mentions(child, text) for child in value)
    return isinstance(value, str) and text in value
