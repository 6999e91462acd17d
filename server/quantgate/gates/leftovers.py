"""What must not stay when a run in containers has ended: NEL 0.2.6 writes the keys that a task needs into its `.secrets.env`.

The scripts read that file at their start, so it has to lie there while the run goes on, for its user only. Nothing needs it
afterwards: a resume writes it again from the environment. Whichever call first sees the run ended removes it.
"""

from __future__ import annotations

import time
from pathlib import Path

from ..launcher import door
from ..runs.rundir import TaskDir
from . import lookup

SECRETS = ".secrets.env"


def remove_secrets(run: lookup.Run) -> int:
    """Remove the keys of a run of ours that has ended.

    A file that is newer than the end on record belongs to a resume that is about to start, and stays.

    Args:
        run: A run in its own place, of which every task has ended.

    Returns:
        How many files were removed.
    """
    if run.attempt is None or run.directory is None or not run.whole:
        return 0
    return sum(_remove(task) for task in run.directory.tasks)


def _remove(task: TaskDir) -> int:
    file = task.path / SECRETS
    try:
        if file.lstat().st_mtime > _latest_harmless(task.logs):
            return 0
        file.unlink()
    except OSError:
        return 0
    return 1


def _latest_harmless(logs: Path) -> float:
    """The end of the task; without a record of it, a time so long ago that no launch of then is still starting."""
    try:
        return (logs / "stage.exit").stat().st_mtime
    except OSError:
        return time.time() - door.LAUNCH_SECONDS
