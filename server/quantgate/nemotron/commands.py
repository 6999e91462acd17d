"""The commands that tell of a launched run: NEL's own, or quantgate's for a run that NEL does not know."""

from __future__ import annotations

import json
import shlex
from typing import NamedTuple

PLACEHOLDER = "INVOCATION_ID"


class Commands(NamedTuple):
    """Two command lines."""

    status: str
    logs: str


def commands(executor: str, invocation_id: str = PLACEHOLDER) -> Commands:
    """How to look at a run.

    Args:
        executor: `execution.type`. Plain NEL knows nothing of a process run.
        invocation_id: The run's; a placeholder before the launch.
    """
    if executor == "process":
        arguments = json.dumps({"invocation_id": invocation_id})
        return Commands(
            f"quantgate watch {shlex.quote(invocation_id)}", f"quantgate call logs {shlex.quote(arguments)}"
        )
    launcher = "nemo-evaluator-launcher"
    return Commands(f"{launcher} status {shlex.quote(invocation_id)}", f"{launcher} logs {shlex.quote(invocation_id)}")
