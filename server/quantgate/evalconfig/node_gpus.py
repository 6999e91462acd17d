"""The GPUs of one node that a Slurm config asks for, wherever it says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from . import paths

_GRES = re.compile(
    r"(?:gres[/:])?gpu(?::(?P<kind>[A-Za-z][\w.\-]*))?(?:[:=](?P<count>\d{1,6}))?(?:\([^)]*\))?", re.ASCII
)
_TYPED = re.compile(r"(?:(?P<kind>[A-Za-z][\w.\-]*)[:=])?(?P<count>\d{1,6})", re.ASCII)
_PLACES = (("sbatch_extra_flags", "gres"), ("gres",), ("sbatch_extra_flags", "gpus-per-node"), ("gpus_per_node",))
"""In the order in which they count: of --gres and --gpus-per-node together Slurm 22.05 takes --gres, whichever is larger."""


@dataclass(frozen=True)
class NodeGpus:
    """GPUs of one node.

    Attributes:
        count: How many; 0 when the config does not say.
        kind: The type in the request (`gpu:h100:8`), or empty.
        path: The key that says it.
        none: It asks for none of them (`gpu:0`).
    """

    count: int = 0
    kind: str = ""
    path: str = "execution.gres"
    none: bool = False


def node_gpus(execution: Mapping[str, object]) -> NodeGpus:
    """What an `execution` section asks of each node."""
    found = [_read(paths.dig(execution, *place), paths.join(("execution", *place))) for place in _PLACES]
    said = next((each for each in found if each.count or each.none), NodeGpus())
    return replace(said, kind=said.kind or next((each.kind for each in found if each.kind), ""))


def _read(value: object, path: str) -> NodeGpus:
    if isinstance(value, int) and not isinstance(value, bool):
        return NodeGpus(max(value, 0), "", path, value == 0)
    if not isinstance(value, str):
        return NodeGpus(0, "", path)
    if not path.endswith("gres"):
        typed = _TYPED.fullmatch(value.strip())
        count = int(typed["count"]) if typed else 0
        return NodeGpus(count, (typed["kind"] or "") if typed else "", path, typed is not None and not count)
    parts = [match for part in value.split(",") if (match := _GRES.fullmatch(part.strip()))]
    count = sum(int(match["count"] or 1) for match in parts)
    kind = next((match["kind"] for match in parts if match["kind"]), "")
    return NodeGpus(count, kind, path, bool(parts) and not count)
