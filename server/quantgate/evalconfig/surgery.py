"""Edits that touch only the lines they mean: every other byte of the file, comments included, stays as it is.

Each edit is made in the text, at the place that the YAML node's marks give, and then proven: the new text must parse to
exactly the old content with this one change, or the edit is refused.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, ConfigError, UnknownName
from . import marks, paths, render
from .document import ConfigDocument
from .paths import Segment

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

_COMMENT = re.compile(r"(?:^|\s)#")


def set_value(document: ConfigDocument, dotted: str, value: Any) -> ConfigDocument:
    """The document with one value set; missing sections on the way are made.

    Args:
        document: Not changed.
        dotted: Where; a list position may be one past the end, which appends.
        value: Plain Python data, or a `render.Folded` text.

    Raises:
        BadInput: The path is malformed or leads through a value that is no section.
        ConfigError: The place cannot be edited without changing something else.
    """
    segments = paths.parse(dotted)
    meant = value.meaning if isinstance(value, render.Folded) else value
    expected = _apply_set(_unshared(document.plain), segments, meant, dotted)
    return _proven(document, _set_text(document, segments, value), expected, dotted)


def append(document: ConfigDocument, dotted: str, value: Any) -> ConfigDocument:
    """The document with one item added at the end of a list, which is made when it is not there.

    Raises:
        BadInput: The path is malformed, or something other than a list is there.
        ConfigError: As for `set_value`.
    """
    present = paths.dig(document.plain, *paths.parse(dotted))
    if present is not None and present != "???" and not isinstance(present, list):
        raise BadInput(f"{dotted} is not a list", where=str(document.path), fix="unset it first")
    if not isinstance(present, list) or not present:
        return set_value(document, dotted, [value])
    return set_value(document, f"{dotted}[{len(present)}]", value)


def unset(document: ConfigDocument, dotted: str, *, keep_comment: bool = False) -> ConfigDocument:
    """The document without one key or list item; comments around it stay.

    Args:
        document: Not changed.
        dotted: What to remove.
        keep_comment: A comment behind it on its line stays, with the line as a comment before it.

    Raises:
        UnknownName: The path is not in the file; the keys that are there are named.
        BadInput: The path is malformed.
        ConfigError: As for `set_value`.
    """
    segments = paths.parse(dotted)
    expected = _unshared(document.plain)
    parent = paths.dig(expected, *segments[:-1])
    last = segments[-1]
    if paths.has(parent, last):
        del parent[last]
    else:
        there = [str(key) for key in parent] if isinstance(parent, dict) else []
        near = difflib.get_close_matches(str(last), there, n=3, cutoff=0.6)
        raise UnknownName("key", dotted, near or there[:10], where=str(document.path))
    text = _unset_text(document, segments, parent)
    if keep_comment:
        text = _with_comment(document, segments, text)
    return _proven(document, text, expected, dotted)


def _unshared(value: Any) -> Any:
    """A copy in which no two places are one object, as aliases are in what YAML loads."""
    if isinstance(value, dict):
        return {key: _unshared(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_unshared(child) for child in value]
    return value


def _apply_set(data: Any, segments: Sequence[Segment], value: Any, dotted: str) -> Any:
    """`data` with the value set, as the text edit must leave it."""
    if not segments:
        return copy.deepcopy(value)
    head, rest = segments[0], segments[1:]
    if isinstance(head, int):
        items = data if isinstance(data, list) else [] if data in (None, "???", {}) else None
        if items is None or head > len(items):
            raise BadInput(
                f"{dotted}: there is no list with a position [{head}]", fix="give a position that exists, or the next"
            )
        if head == len(items):
            items.append(_apply_set(None, rest, value, dotted))
        else:
            items[head] = _apply_set(items[head], rest, value, dotted)
        return items
    if data is None or data in ("???", []):
        data = {}
    if not isinstance(data, dict):
        raise BadInput(
            f"{dotted}: {head!r} cannot be set there, because what is above it is not a section",
            fix="unset the value above it first, or correct the path",
        )
    data[head] = _apply_set(data.get(head), rest, value, dotted)
    return data


def _proven(document: ConfigDocument, text: str, expected: Any, dotted: str) -> ConfigDocument:
    try:
        edited = document.with_text(text)
        same = edited.plain == expected
    except ConfigError:
        same = False
    if not same:
        raise ConfigError(
            f"{dotted} cannot be edited there without changing something else (an anchor, an alias or unusual layout)",
            where=f"{document.path}:{document.line_of(dotted)}",
            fix="edit this place by hand",
        )
    return edited


class _Place:
    """How far a path exists: the nodes on the way, and where the text of each begins and ends."""

    def __init__(self, document: ConfigDocument, segments: Sequence[Segment]) -> None:
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        self.nodes: list[Node] = [document.root]
        self.keys: list[Node | None] = [None]
        for segment in segments:
            node = self.nodes[-1]
            entry: tuple[Node | None, Node] | None = None
            if isinstance(node, MappingNode):
                entry = next(((k, v) for k, v in node.value if k.value == str(segment)), None)
            elif isinstance(node, SequenceNode) and isinstance(segment, int) and segment < len(node.value):
                entry = (None, node.value[segment])
            if entry is None:
                break
            self.keys.append(entry[0])
            self.nodes.append(entry[1])
        self.depth = len(self.nodes) - 1


def _set_text(document: ConfigDocument, segments: Sequence[Segment], value: Any) -> str:
    text, place = document.text, _Place(document, segments)
    flow = next(
        (i for i, node in enumerate(place.nodes[: place.depth + 1]) if marks.is_flow(node) and node.value), None
    )
    if flow is not None and flow < len(segments):
        above = segments[:flow]
        span = text[place.nodes[flow].start_mark.index : place.nodes[flow].end_mark.index]
        if _COMMENT.search(span):
            raise ConfigError(
                f"{paths.join(segments)} is inside braces or brackets that have comments between them",
                where=f"{document.path}:{document.line_of(paths.join(above))}",
                fix="edit this place by hand, so that the comments stay where they belong",
            )
        changed = _apply_set(
            copy.deepcopy(paths.dig(document.plain, *above)), segments[flow:], value, paths.join(segments)
        )
        return _replace(document, place, flow, changed, keep_flow=_is_shallow(changed))
    rest = segments[place.depth :]
    node = place.nodes[-1]
    if not rest:
        keep_flow = marks.is_flow(node) and bool(node.value) and isinstance(value, dict | list) and _is_shallow(value)
        return _replace(document, place, place.depth, value, keep_flow=keep_flow)
    nested = value
    for segment in reversed(rest[1:]):
        nested = [nested] if isinstance(segment, int) else {segment: nested}
    if not marks.is_block(node):
        return _replace(document, place, place.depth, [nested] if isinstance(rest[0], int) else {rest[0]: nested})
    content = [nested] if isinstance(rest[0], int) else {rest[0]: nested}
    column = marks.column(node)
    # A new section goes below what the file ends with, comments included.
    after = len(text.rstrip()) if place.depth == 0 else marks.content_end(text, node)
    return marks.insert_lines(text, after, " " * column + render.block(content, column))


def _replace(document: ConfigDocument, place: _Place, depth: int, value: Any, *, keep_flow: bool = False) -> str:
    """The text with the value of one node on the way replaced, on its line where it fits and as a block otherwise."""
    text, node, key = document.text, place.nodes[depth], place.keys[depth]
    if depth == 0:
        raise ConfigError("The whole config cannot be replaced", where=str(document.path), fix="set single keys")
    beside = keep_flow or render.fits_inline(value)
    start = int(node.start_mark.index)
    if key is None:
        column = marks.column(place.nodes[depth - 1]) + 2
        end = marks.content_end(text, node)
        return text[:start] + (render.inline(value) if beside else render.block(value, column)) + text[end:]
    after_key: int = text.index(":", int(key.end_mark.index)) + 1
    end = marks.value_end(text, key, node)
    if marks.is_empty(node) or start < key.end_mark.index:
        start = end - len(text[after_key:end].lstrip())
    if beside:
        in_place = not marks.is_block(node) and not marks.is_block_scalar(text, node) and end > start
        return (text[:start] if in_place else text[:after_key] + " ") + render.inline(value) + text[end:]
    column = int(key.start_mark.column) + 2
    header, lines = render.header(value), "\n" + " " * column + render.block(value, column)
    if marks.is_block(node) or marks.is_block_scalar(text, node):
        return text[:after_key] + header + lines + text[end:]
    # What follows the old value on its line is its comment: it stays beside the key.
    line_end = _line_end(text, end)
    return text[:after_key] + header + text[end:line_end] + lines + text[line_end:]


def _unset_text(document: ConfigDocument, segments: Sequence[Segment], left: Any) -> str:
    text, place = document.text, _Place(document, segments)
    above = place.depth - 1
    parent, node, key = place.nodes[above], place.nodes[-1], place.keys[-1]
    if not left or not marks.is_block(parent) or any(marks.is_flow(n) for n in place.nodes[:-1]):
        if above == 0:
            raise ConfigError(
                "The config's last section cannot be removed", where=str(document.path), fix="delete the file"
            )
        return _set_text(document, segments[:-1], left)
    begin = int(key.start_mark.index) if key is not None else text.rindex("-", 0, node.start_mark.index)
    end = marks.value_end(text, key, node) if key is not None else marks.content_end(text, node)
    line_start = text.rfind("\n", 0, begin) + 1
    if text[line_start:begin].strip():
        # The first key of a list item shares its line with the dash: the next key moves up to it.
        following = _next_key(parent, key)
        return text[:begin] + text[int(following.start_mark.index) :]
    line_end = text.find("\n", end)
    return text[:line_start] + (text[line_end + 1 :] if line_end >= 0 else "")


def _with_comment(document: ConfigDocument, segments: Sequence[Segment], edited: str) -> str:
    """The edited text with the comment of the removed key's line, on a line of its own where the key stood."""
    text, place = document.text, _Place(document, segments)
    key, node = place.keys[-1], place.nodes[-1]
    if key is None:
        return edited
    start = text.rfind("\n", 0, int(key.start_mark.index)) + 1
    indent = text[start : int(key.start_mark.index)]
    first, end = _line_end(text, start), marks.value_end(text, key, node)
    one_line = end <= first and not marks.is_block_scalar(text, node)
    after = text[end : _line_end(text, end)]
    if marks.is_block_scalar(text, node):
        after = text[int(node.start_mark.index) : first]
    comment = _COMMENT.search(after)
    if comment is None or indent.strip() or edited[:start] != text[:start]:
        return edited
    kept = text[start:first].strip() if one_line else f"{segments[-1]}: {after[comment.start() :].strip()}"
    return f"{edited[:start]}{indent}# {kept}\n{edited[start:]}"


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _next_key(parent: Node, key: Node | None) -> Node:
    keys: list[Node] = [k for k, _ in parent.value]
    return keys[keys.index(key) + 1] if key in keys[:-1] else parent


def _is_shallow(value: Any) -> bool:
    return len(render.inline(value)) <= 160
