"""`run_config.yaml` of a Megatron Bridge checkpoint, read as plain data.

The file is untrusted. It is taken apart event by event: a tag is never followed, an alias stands for the same object again
(so that a file of nested aliases stays small), and depth and number of values are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import CheckpointError
from ..config_json import decode, read_bytes

if TYPE_CHECKING:
    from yaml.events import Event, ScalarEvent

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 64
MAX_VALUES = 100_000
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}\Z", re.ASCII)
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


def read_run_config(path: Path) -> Mapping[str, Any]:
    """The mapping that the file holds: strings, whole numbers, booleans, None, lists and mappings with string keys.

    Numbers with a fraction stay strings: none is needed.

    Raises:
        CheckpointError: It cannot be read, is too large or too deep, or is not YAML with a mapping at the top.
    """
    import yaml

    text = decode(read_bytes(path, MAX_BYTES), path)
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        value = _Builder(path, yaml.parse(text, Loader=loader)).document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise CheckpointError(
            f"{path.name} is not valid YAML: {str(getattr(error, 'problem', None) or type(error).__name__)[:200]}",
            where=f"{path}:{mark.line + 1}" if mark else str(path),
            fix="copy the file again",
        ) from None
    except RecursionError:
        raise CheckpointError(f"{path.name} is nested too deeply", where=str(path)) from None
    if not isinstance(value, dict):
        raise CheckpointError(
            f"{path.name} does not hold a mapping", where=str(path), fix="give a checkpoint that Megatron Bridge wrote"
        )
    return value


class _Builder:
    """Values from events, each made once."""

    def __init__(self, path: Path, events: Iterator[Event]) -> None:
        self._path = path
        self._events = events
        self._anchors: dict[str, Any] = {}
        self._left = MAX_VALUES

    def document(self) -> Any:
        from yaml import events

        for event in self._events:
            if isinstance(event, (events.StreamStartEvent, events.DocumentStartEvent)):
                continue
            return None if isinstance(event, events.StreamEndEvent) else self._value(event, 0)
        return None

    def _value(self, event: Event, depth: int) -> Any:
        from yaml import events

        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            what = (
                f"is nested deeper than {MAX_DEPTH} levels"
                if depth > MAX_DEPTH
                else f"has more than {MAX_VALUES} values"
            )
            raise CheckpointError(f"{self._path.name} {what}", where=str(self._path), fix="check that file")
        if isinstance(event, events.AliasEvent):
            if event.anchor not in self._anchors:
                raise CheckpointError(f"{self._path.name} has an alias of nothing", where=str(self._path))
            return self._anchors[event.anchor]
        value: Any
        if isinstance(event, events.ScalarEvent):
            value = _scalar(event)
            self._name(event.anchor, value)
        elif isinstance(event, events.SequenceStartEvent):
            value = []
            self._name(event.anchor, value)
            while not isinstance(item := next(self._events), events.SequenceEndEvent):
                value.append(self._value(item, depth + 1))
        else:
            value = {}
            self._name(getattr(event, "anchor", None), value)
            while not isinstance(item := next(self._events), events.MappingEndEvent):
                key = self._value(item, depth + 1)
                entry = self._value(next(self._events), depth + 1)
                if isinstance(key, str):
                    value[key] = entry
        return value

    def _name(self, anchor: str | None, value: Any) -> None:
        if anchor is not None:
            self._anchors[anchor] = value


def _scalar(event: ScalarEvent) -> str | int | bool | None:
    if not event.implicit[0]:  # quoted, or with a tag of its own
        return event.value
    if event.value.lower() in _WORDS:
        return _WORDS[event.value.lower()]
    return int(event.value) if _WHOLE.match(event.value) else event.value
