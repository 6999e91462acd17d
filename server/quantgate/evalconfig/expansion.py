"""A bound on what `${...}` interpolation can blow up to, computed without expanding it.

Thirty keys that each name the one before twice stand for a billion values: OmegaConf would build them all.
"""

from __future__ import annotations

import re
from typing import Any

from . import paths
from .paths import Segment

MAX_EXPANDED_CHARACTERS = 5_000_000

_REFERENCE = re.compile(r"\$\{(?P<dots>\.*)(?P<path>[A-Za-z_][\w.\[\]\-]*)\}")


def expanded_size(raw: Any) -> int:
    """Characters of the config with every plain reference written out; a cycle counts once (OmegaConf reports it).

    Args:
        raw: The composed config as plain values, interpolations unresolved.
    """
    sizes: dict[tuple[Segment, ...], int] = {}

    def size(value: Any, at: tuple[Segment, ...]) -> int:
        if at in sizes:
            return sizes[at]
        sizes[at] = 0
        if isinstance(value, dict):
            total = sum(size(child, (*at, str(key))) for key, child in value.items())
        elif isinstance(value, list):
            total = sum(size(child, (*at, index)) for index, child in enumerate(value))
        elif isinstance(value, str):
            total = len(value) + sum(referenced(match, at) for match in _REFERENCE.finditer(value))
        else:
            total = 8
        sizes[at] = total
        return total

    def referenced(match: re.Match[str], at: tuple[Segment, ...]) -> int:
        base = at[: max(0, len(at) - len(match["dots"]))] if match["dots"] else ()
        target = (*base, *_segments(match["path"]))
        return size(paths.dig(raw, *target), target)

    return size(raw, ())


def _segments(path: str) -> list[Segment]:
    parts = re.findall(r"[^.\[\]]+", path)
    return [int(part) if part.isdigit() else part for part in parts]
