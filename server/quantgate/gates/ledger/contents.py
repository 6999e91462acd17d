"""What a fingerprint was made of, kept per config file, so that a stale gate can name what changed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from . import rows
from .store import connection

MOST_CONTENTS = 50
"""Kept per config file; the oldest go."""


@dataclass(frozen=True)
class Content:
    """The parts of one fingerprint: the name of a part and a digest of its value."""

    fingerprint: str
    content: dict[str, str]


def put_content(fingerprint: str, config: str, content: Mapping[str, str]) -> None:
    """Write down what a fingerprint of this config file is made of; one that is there already becomes the newest."""
    with connection() as opened:
        opened.execute("BEGIN IMMEDIATE")
        opened.execute(
            "INSERT OR REPLACE INTO contents (fingerprint, config, content, written) VALUES (?,?,?,?)",
            (fingerprint, config, json.dumps(dict(content)), time.time()),
        )
        opened.execute(
            "DELETE FROM contents WHERE config=? AND number NOT IN "
            "(SELECT number FROM contents WHERE config=? ORDER BY number DESC LIMIT ?)",
            (config, config, MOST_CONTENTS),
        )
        opened.execute("COMMIT")


def contents_of(config: str) -> list[Content]:
    """The contents that this config file has had, the last written first."""
    with connection() as opened:
        found = opened.execute(
            "SELECT fingerprint, content FROM contents WHERE config=? ORDER BY number DESC", (config,)
        ).fetchall()
    return [rows.read(dict(row), Content, "content") for row in found]
