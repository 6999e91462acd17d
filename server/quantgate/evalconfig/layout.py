"""Layouts of a Slurm deployment: how many nodes, and how many independent instances of the model on them."""

from __future__ import annotations

import re

from ..errors import BadInput
from . import choices, surgery
from .document import ConfigDocument

MAX_NODES = 1024

_HAPROXY = re.compile(r"haproxy:([1-9]\d{0,3})")


def apply_layout(document: ConfigDocument, layout: str) -> ConfigDocument:
    """The config with a layout.

    Args:
        document: A config for Slurm that deploys the model.
        layout: "single" (one node, one instance), or "haproxy:N" (N nodes with one instance each, behind HAProxy).

    Raises:
        BadInput: An unknown layout, or a config that is not for Slurm.
    """
    match = _HAPROXY.fullmatch(layout)
    if layout != "single" and not match:
        raise BadInput(
            f"There is no layout {layout[:40]!r}",
            where="layout",
            fix='use "single", or "haproxy:N" for N nodes with one instance each behind HAProxy',
        )
    instances = int(match[1]) if match else 1
    if instances > MAX_NODES:
        raise BadInput(f"{instances} nodes are more than {MAX_NODES}", where="layout", fix="give the number of nodes")
    if choices.executor(document) != "slurm" or choices.deployment(document) == "none":
        raise BadInput(
            "A layout is for a Slurm config that deploys the model",
            where=str(document.path),
            fix="leave `layout` empty, or build a config with execution slurm and a deployment",
        )
    document = surgery.set_value(document, "execution.num_nodes", instances)
    return surgery.set_value(document, "execution.num_instances", instances)
