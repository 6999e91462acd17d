"""The fingerprint of what would run: the composed config less what changes nothing, the launcher and the checkpoint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .paths import Segment, join

_TABLE = Path(__file__).with_name("fingerprint.yaml")
SHOWN_DIGITS = 16
"""Hexadecimal digits of a value's digest that are kept: enough to tell two values apart, too few to find one."""
LAUNCHER, CHECKPOINT, HARNESS = "launcher", "checkpoint: ", "harness: "


@dataclass(frozen=True)
class Mark:
    """What a gate's verdict belongs to.

    Attributes:
        fingerprint: 64 hexadecimal digits over everything that counts.
        content: Of what: the name of each part and a digest of its value (never the value, which may be a secret). Names
            are dotted paths into the composed config, "launcher", "checkpoint: <part>" and "harness: <environment>".
    """

    fingerprint: str
    content: Mapping[str, str]


def mark(
    config: Mapping[str, Any],
    *,
    launcher_version: str,
    checkpoint: Mapping[str, str] | None = None,
    harnesses: Sequence[str] = (),
) -> Mark:
    """The fingerprint of everything that a gate's verdict depends on, and what it is made of.

    Args:
        config: The composed config.
        launcher_version: The installed NEL.
        checkpoint: The parts of the checkpoint's identity (`checkpoint.identity`); empty when it cannot be read here.
        harnesses: What runs the tasks without a container (names of harness environments).
    """
    named = {LAUNCHER: launcher_version}
    named |= {CHECKPOINT + part: digest for part, digest in (checkpoint or {}).items()}
    named |= {HARNESS + name: name for name in harnesses}
    # A config's section is never called so: it has no colon and no such name in the table.
    parts = {**{join(path): value for path, value in _leaves(_counted(config))}, **named}
    digests = {name: _digest(name, value) for name, value in sorted(parts.items())}
    whole = hashlib.sha256("".join(f"{len(n)} {n}={d};" for n, d in digests.items()).encode()).hexdigest()
    return Mark(whole, {name: digest[:SHOWN_DIGITS] for name, digest in digests.items()})


def _digest(name: str, value: Any) -> str:
    # With the name in it, equal values in two places do not show as equal.
    return hashlib.sha256(json.dumps([name, value], sort_keys=True, default=str).encode()).hexdigest()


@cache
def table() -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The sections that count, and the keys in them that do not (fingerprint.yaml)."""
    from ruamel.yaml import YAML

    data = YAML(typ="safe").load(_TABLE.read_text(encoding="utf-8"))
    return tuple(data["sections"]), tuple(tuple(row["key"].split(".")) for row in data["left_out"])


def _counted(config: Mapping[str, Any]) -> dict[str, Any]:
    sections = table()[0]
    kept = _without({name: value for name, value in config.items() if name in sections}, ())
    assert isinstance(kept, dict)
    return kept


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
        len(row) == len(path) and all(r in {"*", p} for r, p in zip(row, path, strict=True)) for row in table()[1]
    )


def _leaves(value: Any, path: tuple[Segment, ...] = ()) -> Iterator[tuple[tuple[Segment, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, child in value.items():
            # The path is made of quoted text: a key that breaks the quotes must not read as two.
            yield from _leaves(child, (*path, key.replace("\\", "\\\\").replace('"', "\\'")))
    elif isinstance(value, list) and value:
        for index, child in enumerate(value):
            yield from _leaves(child, (*path, index))
    elif path:
        yield path, value
