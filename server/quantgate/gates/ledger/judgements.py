"""What was found at the gates."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from . import rows
from .store import connection


@dataclass(frozen=True)
class Gate:
    """What was found at a gate for one fingerprint; `detail` is what the gate wants to remember."""

    fingerprint: str
    gate: str
    passed: bool
    reasons: tuple[str, ...] = ()
    detail: dict[str, Any] = field(default_factory=dict)
    invocation_id: str = ""
    judged: float = field(default_factory=time.time)


def put_gate(gate: Gate) -> None:
    """Write down what a gate found; it replaces what was found before for the same fingerprint and invocation."""
    with connection() as opened:
        opened.execute(
            "INSERT OR REPLACE INTO gates VALUES (?,?,?,?,?,?,?)",
            (
                gate.fingerprint,
                gate.gate,
                int(gate.passed),
                json.dumps(gate.reasons),
                json.dumps(gate.detail),
                gate.invocation_id,
                gate.judged,
            ),
        )


def gate(fingerprint: str, name: str, invocation_id: str = "") -> Gate | None:
    """What a gate last found for a fingerprint; a canary's verdict belongs to its invocation."""
    with connection() as opened:
        row = opened.execute(
            "SELECT * FROM gates WHERE fingerprint=? AND gate=? AND invocation_id=?", (fingerprint, name, invocation_id)
        ).fetchone()
    if row is None:
        return None
    return rows.read({**row, "passed": bool(row["passed"])}, Gate, "reasons", "detail")
