"""What a config's YAML may not do: repeat a key, recur, nest deeply, or expand beyond bounds through aliases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node, ScalarNode

MAX_DEPTH = 64
MAX_ALIASES = 500
MAX_EXPANDED_NODES = 100_000
"""Most values that the file may stand for once every alias is written out; a long text counts as several."""
_CHARACTERS = 25
"""Of a text that count as one value: a few aliases of a long text would be written out as megabytes."""
MAX_NUMBER = 1000
"""Characters of a number: Python writes none of more than 4,300 digits, and YAML 1.1, by which hydra reads, has several bases."""
_NUMBER = re.compile(r"[-+]?[0-9][0-9A-Fa-fxo_:.]*")


def _is_number(node: ScalarNode) -> bool:
    """Whether some reader of YAML may take a value for a number: it is not quoted, and has the characters of one."""
    return node.style is None and _NUMBER.fullmatch(node.value) is not None


def check(root: Node, path: Path) -> None:
    """Refuse what no honest config does, before anything expands it.

    Args:
        root: The composed node tree, in which an alias is the same node again.
        path: For the message.

    Raises:
        ConfigError: With the file and the line.
    """
    _Walk(path).size(root, 0)


def refers(text: str) -> bool:
    """Whether a value given by itself has an alias: merges of merges keep a reader busy for hours before anything can be counted.

    Raises:
        YAMLError: It is no YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.events import AliasEvent

    return any(isinstance(event, AliasEvent) for event in YAML(typ="safe", pure=True).parse(text))


class _Walk:
    """Sizes of nodes with every alias written out, each node visited once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()
        self._aliases = 0

    def size(self, node: Node, depth: int) -> int:
        if id(node) in self._open:
            raise self._refusal("An alias contains itself", node)
        if id(node) in self._sizes:
            self._aliases += 1
            if self._aliases > MAX_ALIASES:
                raise self._refusal(f"The config has more than {MAX_ALIASES} aliases", node)
            return self._sizes[id(node)]
        if depth > MAX_DEPTH:
            raise self._refusal(f"The config is nested deeper than {MAX_DEPTH} levels", node, "flatten it")
        self._open.add(id(node))
        total = 1 + sum(self.size(child, depth + 1) for child in self._children(node))
        total += len(node.value) // _CHARACTERS if isinstance(node.value, str) else 0
        self._open.discard(id(node))
        if total > MAX_EXPANDED_NODES:
            raise self._refusal("The config's aliases expand to more values than any config has", node)
        self._sizes[id(node)] = total
        return total

    def _children(self, node: Node) -> list[Node]:
        from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

        if isinstance(node, SequenceNode):
            return list(node.value)
        if isinstance(node, ScalarNode) and len(node.value) > MAX_NUMBER and _is_number(node):
            raise self._refusal(
                f"A number of the config has {len(node.value)} digits", node, "quote it if it is a text"
            )
        if not isinstance(node, MappingNode):
            return []
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise self._refusal("A key of the config is a list or a mapping", key, "make it a plain word")
            if key.value in seen:
                first = seen[key.value]
                what = f"The key {key.value[:80]!r} stands twice in one mapping (first in line {first})"
                raise self._refusal(what, key, "keep one of the two")
            seen[key.value] = key.start_mark.line + 1
        return [value for _, value in node.value]

    def _refusal(self, what: str, node: Node, fix: str = "write the values out") -> ConfigError:
        return ConfigError(what, where=f"{self._path}:{node.start_mark.line + 1}", fix=fix)
