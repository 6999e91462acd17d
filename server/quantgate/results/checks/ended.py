"""Whether a task came to its own end."""

from __future__ import annotations

from pathlib import Path

from ...launcher.markers import INTERRUPTED_MARKER, SERVER_ERROR_MARKER
from ...runs.rundir import TaskDir
from ...runs.status import TaskStatus
from .check import Check


def finished(status: TaskStatus) -> Check:
    """The task ended with exit code 0."""
    detail = status.state if not status.reason else f"{status.state}: {status.reason}"
    return Check("finished", status.state == "succeeded", detail, "incomplete")


def not_interrupted(task: TaskDir) -> Check:
    """nemo-evaluator left no marker of an early end."""
    present = [n for n in (INTERRUPTED_MARKER, SERVER_ERROR_MARKER) if (task.artifacts / n).exists()]
    detail = f"{', '.join(present)} is there" if present else "no marker of an interruption"
    return Check("not_interrupted", not present, detail, "incomplete")


def missing_directory(path: Path) -> Check:
    """The only check of a task that the run does not have."""
    return Check("finished", False, f"the run has no directory {path.name}", "incomplete")
