"""Inspections that are kept in memory, so that a second look at an unchanged checkpoint reads no header again.

A checkpoint counts as unchanged while the names, sizes and times of its directory's entries, and of those one level below,
are the same. A file that is changed without any of these changing is not noticed.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path

from ...checkpoint.inspection import Inspection, inspect_model
from ...checkpoint.source import resolve_model

MAX_KEPT = 8
MAX_ENTRIES = 50_000

Signature = tuple[tuple[str, int, int, int], ...]

_kept: OrderedDict[str, tuple[Signature, Inspection]] = OrderedDict()
_lock = threading.Lock()


def inspect_cached(model: str) -> Inspection:
    """As `inspect_model`, asking neither the hub nor a cluster; a checkpoint that was read before and did not change is not read
    again.

    Raises:
        CheckpointError: It is not there, or one of its files is broken.
    """
    source = resolve_model(model)
    key = f"{model}\0{source.path.absolute()}\0{source.gguf or ''}"
    signature = _signature(source.path)
    with _lock:
        found = _kept.get(key)
        if found is not None and signature and found[0] == signature:
            _kept.move_to_end(key)
            return found[1]
    inspection = inspect_model(model)
    with _lock:
        _kept[key] = (signature, inspection)
        _kept.move_to_end(key)
        while len(_kept) > MAX_KEPT:
            _kept.popitem(last=False)
    return inspection


def forget() -> None:
    """Drop everything that is kept."""
    with _lock:
        _kept.clear()


def _signature(directory: Path) -> Signature:
    """Name, size, change and inode of each entry; empty when there are too many, or they cannot be read."""
    rows: list[tuple[str, int, int, int]] = []
    pending = [(directory, "", 1)]
    try:
        while pending:
            at, prefix, below = pending.pop()
            with os.scandir(at) as entries:
                for entry in entries:
                    name = f"{prefix}{entry.name}"
                    try:
                        state = entry.stat()  # of the file behind a hub cache's link
                    except FileNotFoundError:
                        rows.append((name, -1, -1, -1))
                        continue
                    rows.append((name, state.st_size, state.st_mtime_ns, state.st_ino))
                    if len(rows) > MAX_ENTRIES:
                        return ()
                    if below and entry.is_dir():
                        pending.append((Path(entry.path), f"{name}/", below - 1))
    except OSError:
        return ()
    return tuple(sorted(rows))
