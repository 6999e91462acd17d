"""Edits of text that stands on several lines of the file, such as a folded command: its line breaks stay.

What changed between the old and the new text is put in at its place; the result is proven by parsing it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import ConfigError
from . import marks, paths, surgery
from .document import ConfigDocument
from .paths import Segment

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

_HEADER = re.compile(r"[|>][+-]?[ \t]*(?:#[^\n]*)?\n")


def replace_text(document: ConfigDocument, dotted: str, new: str) -> ConfigDocument:
    """The document with another text at a path; as `surgery.set_value`, but text on several lines keeps its lines.

    Args:
        document: Not changed.
        dotted: Where a text stands.
        new: The text that is to stand there.

    Raises:
        BadInput: The path is malformed.
        ConfigError: The place cannot be edited without changing something else.
    """
    segments = paths.parse(dotted)
    old = paths.dig(document.plain, *segments)
    if old == new:
        return document
    places = _places(document, segments, old) if isinstance(old, str) else None
    if places is not None:
        edited = _edited(document, places, old, new)
        if edited is not None and edited.plain == surgery.set_value(document, dotted, new).plain:
            return edited
    return surgery.set_value(document, dotted, new)


def entry_at(document: ConfigDocument, segments: Sequence[Segment]) -> tuple[Node, Node] | None:
    """The YAML nodes of a key and its value; None when the path is not in the file or ends in a list."""
    from ruamel.yaml.nodes import MappingNode

    entry: tuple[Node, Node] | None = None
    node: Node = document.root
    for segment in segments:
        pairs = node.value if isinstance(node, MappingNode) else ()
        entry = next(((key, child) for key, child in pairs if key.value == str(segment)), None)
        if entry is None:
            return None
        node = entry[1]
    return entry


def _edited(document: ConfigDocument, places: list[int], old: str, new: str) -> ConfigDocument | None:
    """The document with only what differs replaced; None when that is no YAML, or only white space."""
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    inserted, removed = new[start : len(new) - end], old[start : len(old) - end]
    if not (inserted + removed).strip():
        return None
    text = document.text
    if "\n" in inserted:
        # Only a literal block has line breaks in its text; each new line stands as far in as the first.
        inserted = inserted.replace("\n", "\n" + " " * (places[0] - text.rfind("\n", 0, places[0]) - 1))
    if not removed and _one_flag_a_line(text, places):
        start, inserted = _from_its_dashes(old, start, inserted)
        if inserted.startswith(" -"):
            line = text.rfind("\n", 0, places[-1]) + 1
            indent = text[line : len(text) - len(text[line:].lstrip(" "))]
            inserted = f"\n{indent}{inserted[1:]}"
    try:
        return document.with_text(text[: places[start]] + inserted + text[places[start + len(removed)] :])
    except ConfigError:
        return None


def _from_its_dashes(old: str, start: int, inserted: str) -> tuple[int, str]:
    """The same insertion, shifted to the left so that it begins with the flag that is new."""
    shifted, text = start, inserted
    while shifted and not text.startswith(" -") and old[shifted - 1] == text[-1]:
        shifted, text = shifted - 1, old[shifted - 1] + text[:-1]
    return (shifted, text) if text.startswith(" -") else (start, inserted)


def _common(one: str, other: str) -> int:
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length


def _one_flag_a_line(text: str, places: list[int]) -> bool:
    lines = text[places[0] : places[-1]].splitlines()
    return len(lines) > 1 and all(line.strip().startswith("-") for line in lines[1:])


def _places(document: ConfigDocument, segments: Sequence[Segment], value: str) -> list[int] | None:
    """For each character of a text on several lines, and for its end, the place in the file; None for other text."""
    entry = entry_at(document, segments)
    if entry is None:
        return None
    node = entry[1]
    text, start = document.text, int(node.start_mark.index)
    if marks.is_block_scalar(text, node):
        header = _HEADER.match(text, start)
        if header is None:
            return None
        start, end = header.end(), marks.content_end(text, node)
        folded = text[int(node.start_mark.index)] == ">"
    elif "\n" in text[start : int(node.end_mark.index)] and text[start] not in "\"'":
        end, folded = marks.content_end(text, node), True
    else:
        return None
    places = list(_mapped(text, start, end, folded=folded))
    characters = "".join(" " if folded and text[at] == "\n" else text[at] for at in places)
    places += [end] * (len(value) - len(places) + 1)
    return places if characters == value.rstrip("\n") else None


def _mapped(text: str, start: int, end: int, *, folded: bool) -> Iterator[int]:
    """The places of the characters that are content: all but the indentation of each line."""
    line_start = text.rfind("\n", 0, start) + 1
    indent = len(text[start:]) - len(text[start:].lstrip(" ")) if start == line_start else 0
    at = start
    while at < end:
        line_end = text.find("\n", at, end)
        line_end = end if line_end < 0 else line_end
        line = text[at:line_end]
        skipped = len(line) - len(line.lstrip(" ")) if folded else min(indent, len(line))
        yield from range(at + skipped, line_end)
        if line_end < end:
            yield line_end
        at = line_end + 1
