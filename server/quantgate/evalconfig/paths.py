"""Dotted paths into a config: `evaluation.tasks[0].name`, `execution.mounts.deployment["/data/a.b"]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import BadInput

Segment = str | int
MAX_SEGMENTS = 40

_PART = re.compile(r'(?:(?!^)\.|^)(?P<key>[^.\[\]"\s][^.\[\]"\n]*)|\[(?P<index>\d{1,6})\]|\["(?P<quoted>[^"\n]+)"\]')
_PLAIN_KEY = re.compile(r'[^.\[\]"\s][^.\[\]"\n]*')


def parse(dotted: str) -> tuple[Segment, ...]:
    """The segments of a dotted path: keys as strings, list positions as integers.

    Raises:
        BadInput: It is empty, begins with `-`, has a line break, or is not a path.
    """
    shown = repr(dotted[:80])
    if not dotted or dotted.startswith("-"):
        raise BadInput(
            f"{shown} is not a path into the config", fix="write it as section.key, without dashes before it"
        )
    segments: list[Segment] = []
    position = 0
    while position < len(dotted):
        match = _PART.match(dotted, position)
        if match is None or len(segments) >= MAX_SEGMENTS:
            raise BadInput(
                f"{shown} is not a path into the config",
                fix='separate keys with dots, give a list position as [0], and quote a key that has dots: ["a.b"]',
            )
        if match["index"] is not None:
            segments.append(int(match["index"]))
        else:
            segments.append(match["key"] if match["key"] is not None else match["quoted"])
        position = match.end()
    return tuple(segments)


def join(segments: Sequence[Segment]) -> str:
    """The dotted path of some segments; the inverse of `parse`."""
    text = ""
    for segment in segments:
        if isinstance(segment, int):
            text += f"[{segment}]"
        elif _PLAIN_KEY.fullmatch(segment):
            text += f".{segment}" if text else segment
        else:
            text += f'["{segment}"]'
    return text


def walk(value: Any, prefix: tuple[Segment, ...] = ()) -> list[tuple[tuple[Segment, ...], Any]]:
    """Every leaf of nested mappings and lists with its path, in document order; empty containers count as leaves."""
    if isinstance(value, Mapping) and value:
        return [leaf for key, child in value.items() for leaf in walk(child, (*prefix, str(key)))]
    if isinstance(value, list) and value:
        return [leaf for index, child in enumerate(value) for leaf in walk(child, (*prefix, index))]
    return [(prefix, value)]


def texts(value: Any) -> Iterator[tuple[tuple[Segment, ...], str]]:
    """Every text of nested mappings and lists with its path."""
    return ((at, leaf) for at, leaf in walk(value) if isinstance(leaf, str))


def has(value: Any, segment: Segment) -> bool:
    """Whether a container holds a key or a list position."""
    if isinstance(segment, int):
        return isinstance(value, list) and segment < len(value)
    return isinstance(value, Mapping) and segment in value


def dig(value: Any, *segments: Segment) -> Any:
    """The value at some segments, or None where the way ends."""
    for segment in segments:
        if isinstance(segment, int):
            if not isinstance(value, list) or segment >= len(value):
                return None
            value = value[segment]
        elif isinstance(value, Mapping):
            value = value.get(segment)
        else:
            return None
    return value
