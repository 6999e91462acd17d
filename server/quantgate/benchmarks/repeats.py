"""How many answers a task's parameters ask for, for each question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = ("num_repeats", "n_samples")
"""Keys of `params.extra` that say so: one or the other, by harness."""


def repeats_of(params: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> int:
    """Answers per question; 1 when nothing says more.

    Args:
        params: The task's parameters as configured, those of the whole evaluation included.
        defaults: The catalogue's parameters, for what is not configured.
    """
    for layer in (params, defaults or {}):
        extra = layer.get("extra")
        for name in NAMES:
            count = extra.get(name) if isinstance(extra, Mapping) else None
            if isinstance(count, int) and not isinstance(count, bool) and count > 0:
                return count
    return 1
