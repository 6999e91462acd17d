"""The fingerprint of what would run: the composed config less what changes nothing, the launcher and the checkpoint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).with_name("fingerprint.yaml")


@cache
def _left_out() -> tuple[tuple[str, ...], ...]:
    from ruamel.yaml import YAML

    rows = YAML(typ="safe").load(_TABLE.read_text(encoding="utf-8"))["left_out"]
    return tuple(tuple(row.split(".")) for row in rows)


def _without(value: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        kept = {str(k): _without(v, (*path, str(k))) for k, v in value.items() if not _skipped((*path, str(k)))}
        # An emptied section and an absent one are the same config.
        return {k: v for k, v in kept.items() if v not in ({}, [])}
    if isinstance(value, list | tuple):
        return [_without(v, (*path, str(i))) for i, v in enumerate(value)]
    return value


def _skipped(path: tuple[str, ...]) -> bool:
    return any(
        len(row) == len(path) and all(r in {"*", p} for r, p in zip(row, path, strict=True)) for row in _left_out()
    )


def fingerprint(
    config: Mapping[str, Any], *, launcher_version: str, checkpoint_identity: str, harnesses: Sequence[str] = ()
) -> str:
    """SHA-256 over everything that a gate's verdict depends on.

    Args:
        config: The composed config.
        launcher_version: The installed NEL.
        harnesses: What runs the tasks without a container (names of harness environments).
        checkpoint_identity: From `checkpoint.identity`, or empty when the checkpoint cannot be read here.

    Returns:
        64 hexadecimal digits.
    """
    content = {
        "config": _without(config, ()),
        "launcher": launcher_version,
        "checkpoint": checkpoint_identity,
        "harnesses": sorted(harnesses),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
