"""GGUF models that are split over several files (`…-00001-of-00003.gguf`)."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from .gguf import GgufHeader, read_gguf

_PART = re.compile(r"(?P<stem>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.gguf\Z", re.ASCII | re.IGNORECASE)
MAX_PARTS = 1000


def part_names(path: Path) -> list[str]:
    """The file names of all parts of the model that `path` is the whole or a part of."""
    match = _PART.match(path.name)
    if not match or not 1 < int(match["parts"]) <= MAX_PARTS:
        return [path.name]
    return [f"{match['stem']}-{n:05d}-of-{match['parts']}{path.suffix}" for n in range(1, int(match["parts"]) + 1)]


def read_parts(path: Path) -> tuple[GgufHeader, tuple[str, ...]]:
    """One header for all parts of a GGUF model (its metadata is that of `path`), and the names of the missing parts.

    Raises:
        CheckpointError: A part is broken.
    """
    header = read_gguf(path)
    names = [name for name in part_names(path) if name != path.name]
    missing = tuple(name for name in names if not os.path.lexists(path.with_name(name)))
    others = [read_gguf(path.with_name(name)) for name in names if name not in missing]
    return (
        replace(
            header,
            tensors=tuple(t for part in (header, *others) for t in part.tensors),
            file_bytes=sum(part.file_bytes for part in (header, *others)),
        ),
        missing,
    )
