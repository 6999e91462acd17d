"""The calls that a `next_step` or a refusal names, in its order."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TOOLS = (
    "check_config", "dry_run", "canary", "run", "status", "logs", "grep_slurm_logs", "resume", "verify_run", "compare_runs",
)  # fmt: skip
"""Those that the campaign's agent may call; importing the product to ask for all of them takes a second of each run."""
_START = re.compile(rf"(?<![\w.])({'|'.join(TOOLS)})\(")
_OPEN = re.compile(r"<[a-zA-Z][^>]*>")


@dataclass(frozen=True)
class Step:
    """A call."""

    tool: str
    arguments: dict[str, Any]

    @property
    def open(self) -> bool:
        """Whether a value must be found first (`<path>`)."""
        return bool(_OPEN.search(json.dumps(self.arguments)))


def steps(text: str) -> list[Step]:
    """The calls that a text names."""
    return [step for found in _START.finditer(text) for step in _whole(text[found.start() :])]


def _whole(text: str) -> Iterator[Step]:
    """The call that the text begins with: up to the first bracket that makes it one."""
    for end in [i + 1 for i, letter in enumerate(text[:2000]) if letter == ")"]:
        try:
            call = ast.parse(text[:end], mode="eval").body
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                yield Step(call.func.id, {k.arg or "": _value(k.value) for k in call.keywords})
                return
        except (SyntaxError, ValueError):
            continue


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id in {"true", "false"}:
        return node.id == "true"
    return ast.literal_eval(node)
