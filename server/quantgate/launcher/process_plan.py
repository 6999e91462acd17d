"""The plan of a process invocation: what its runner does, and what a resume compares with. It holds no value of a variable."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ..system.files import open_plain
from .exporting import ExportPlan

PLAN = "plan.json"
MAX_PLAN = 16 << 20


@dataclass(frozen=True)
class PlannedTask:
    """One task of a plan.

    Attributes:
        name: The task as configured.
        index: Its position in the config.
        harness: NEL's name of its harness.
        directory: Its task directory.
        variables: Names of the variables that the task declared; the values are in the runner's environment.
    """

    name: str
    index: int
    harness: str
    directory: str
    variables: list[str]


def read_plan(invocation: Path) -> list[PlannedTask]:
    """The tasks of an invocation as they were planned."""
    with open_plain(invocation / PLAN) as file:
        rows = json.loads(file.read(MAX_PLAN))["tasks"]
    return [PlannedTask(**row) for row in rows]


def write_plan(
    invocation: Path,
    invocation_id: str,
    tasks: list[PlannedTask],
    export: ExportPlan = ExportPlan(),  # noqa: B008 - frozen
) -> None:
    """Write the plan that `main` reads."""
    plan = {"invocation_id": invocation_id, "tasks": [asdict(t) for t in tasks], "export": asdict(export)}
    (invocation / PLAN).write_text(json.dumps(plan, indent=1), encoding="utf-8")
