"""`yes`, `no`, `on` and `off` without quotes: booleans to OmegaConf, and so to Nemotron and to NEL; text in YAML 1.2.

Read as text, `multiple_instances: yes` would be no more than a word that is not true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..evalconfig import paths
from ..evalconfig.document import ConfigDocument
from ..evalconfig.paths import Segment
from .change import Change, Staged

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

_SPELLED = {s: meant for word, meant in (("yes", True), ("on", True), ("no", False), ("off", False))
            for s in (word, word.capitalize(), word.upper())}  # fmt: skip


def as_omegaconf(document: ConfigDocument) -> Staged:
    """A document's content with these words as OmegaConf reads them; each is told among the changes. Keys stay text."""
    changes: list[Change] = []
    return Staged(_read(document.plain or {}, document.root, (), changes), tuple(changes))


def _read(value: Any, node: Node, at: tuple[Segment, ...], changes: list[Change]) -> Any:
    from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if isinstance(node, MappingNode) and isinstance(value, dict):
        inner = _nodes(node)
        return {k: _read(v, inner[str(k)], (*at, str(k)), changes) if str(k) in inner else v for k, v in value.items()}
    if isinstance(node, SequenceNode) and isinstance(value, list):
        pairs = zip(value, node.value, strict=False)
        return [_read(v, n, (*at, i), changes) for i, (v, n) in enumerate(pairs)]
    plain = isinstance(node, ScalarNode) and not node.style and isinstance(value, str) and node.ctag.handle is None
    if not plain or value not in _SPELLED:
        return value
    meant = _SPELLED[value]
    what = f"{paths.join(at)}: {value} is read as {str(meant).lower()}"
    changes.append(Change(what, "so do Nemotron and NEL; a text needs quotes"))
    return meant


def _nodes(node: Any) -> dict[str, Node]:
    """The nodes of a mapping's values by key; those of a merge key (`<<`) below its own."""
    own: dict[str, Node] = {}
    merged: dict[str, Node] = {}
    for key, value in node.value:
        if key.value != "<<":
            own[str(key.value)] = value
            continue
        sources = value.value if value.id == "sequence" else [value]
        for source in reversed(sources):
            merged.update(_nodes(source) if source.id == "mapping" else {})
    return {**merged, **own}
