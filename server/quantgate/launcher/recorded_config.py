"""The config that NEL composed for a launch, as its record of jobs keeps it (`execdb`): whole, with every default in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..system.files import open_plain
from . import execdb


def config_of(invocation_id: str) -> Mapping[str, Any] | None:
    """The config of an invocation, the last that was recorded; None when the record has none.

    Read anew each time: it is asked for by a person, once, and the record of a whole year is read in a second.

    Args:
        invocation_id: In full.
    """
    wanted = f'"{invocation_id}"'.encode()
    found: Mapping[str, Any] | None = None
    try:
        with open_plain(execdb.path()) as file:
            while line := file.readline(execdb.MAX_LINE):
                if wanted in line:
                    found = _config(line, invocation_id) or found
    except OSError:
        return None
    return found


def _config(line: bytes, invocation_id: str) -> Mapping[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or row.get("invocation_id") != invocation_id:
        return None
    config = row.get("config")
    return config if isinstance(config, dict) else None
