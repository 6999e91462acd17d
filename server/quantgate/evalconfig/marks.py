"""Where a YAML node stands in the text: what ruamel's marks say, and what must be known beside them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ruamel.yaml.nodes import CollectionNode, Node

_ALIAS = re.compile(r"[ \t]*:?[ \t]*\*[^\s,\]}]+")


def _collection(node: Node) -> CollectionNode | None:
    from ruamel.yaml.nodes import CollectionNode

    return node if isinstance(node, CollectionNode) else None


def is_flow(node: Node) -> bool:
    """Whether a node is a container in braces or brackets."""
    collection = _collection(node)
    return collection is not None and bool(collection.flow_style)


def is_block(node: Node) -> bool:
    """Whether a node is a container by indentation."""
    return _collection(node) is not None and not is_flow(node)


def is_empty(node: Node) -> bool:
    """A null with no text: its marks stand at the next token, which may be lines away."""
    return _collection(node) is None and bool(node.start_mark.index >= node.end_mark.index)


def is_block_scalar(text: str, node: Node) -> bool:
    """Whether a node is text after `|` or `>`."""
    start = node.start_mark.index
    return _collection(node) is None and text[start : start + 1] in {"|", ">"}


def is_pair(entry: Any) -> bool:
    """Whether an entry of a container is a key with its value (a mapping's) and not an item (a list's)."""
    return isinstance(entry, tuple)


def column(node: Node) -> int:
    """Column of a block mapping's keys or of a block sequence's dashes."""
    first = node.value[0][0] if is_pair(node.value[0]) else node
    return int(first.start_mark.column)


def content_end(text: str, node: Node) -> int:
    """Where a node's own text ends: before the comments and empty lines that follow it."""
    if is_block(node) and node.value:
        last = node.value[-1]
        if is_pair(last):
            return value_end(text, *last)
        if last.start_mark.index < node.start_mark.index:
            return len(text[: node.end_mark.index].rstrip())
        return content_end(text, last)
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    if is_empty(node):
        return len(text[:start].rstrip())
    return start + len(text[start:end].rstrip()) if is_block_scalar(text, node) else end


def value_end(text: str, key: Node, value: Node) -> int:
    """Where the value of a key ends; an alias has the marks of its anchor, so its own text is looked at."""
    if is_empty(value):
        return text.index(":", key.end_mark.index) + 1
    if value.start_mark.index < key.end_mark.index:
        alias = _ALIAS.match(text, key.end_mark.index)
        return alias.end() if alias else int(key.end_mark.index)
    return content_end(text, value)


def insert_lines(text: str, after: int, lines: str) -> str:
    """The text with whole lines put in below the line of a position."""
    line_end = text.find("\n", after)
    if line_end < 0:
        return text + "\n" + lines + "\n"
    return text[: line_end + 1] + lines + "\n" + text[line_end + 1 :]
