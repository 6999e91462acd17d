"""What must not stay when a run in containers has ended: NEL 0.2.6 writes the keys that a task needs into its `.secrets.env`.

The scripts read that file at their start, so it has to lie there while the run goes on, for its user only. Nothing needs it
afterwards: a resume writes it again from the environment. Whichever call first sees the run ended removes it.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

from ...errors import StorageError
from ...launcher import door
from ...runs.rundir import RunDir
from . import lookup, reconcile

SECRETS = ".secrets.env"
ASIDE = ".again"
"""Where a resume has its fresh scripts while it is prepared (launcher/container_resume, which is imported beside NEL only)."""


def remove_secrets(run: lookup.Run) -> None:
    """Remove the keys of a run of ours that has ended.

    A file that is newer than the end on record belongs to a resume that is about to start, and stays. What a killed resume left
    goes as soon as nobody holds the launch lock.

    Args:
        run: A run in its own place, of which every task has ended.
    """
    if run.attempt is None or run.directory is None or not run.whole:
        return
    for task in run.directory.tasks:
        with contextlib.suppress(OSError):
            file = task.path / SECRETS
            if file.lstat().st_mtime <= _latest_harmless(task.logs):
                file.unlink()
    with contextlib.suppress(StorageError):  # a lock that cannot be looked at may be held
        if not reconcile.may_begin(run.attempt):
            _remove_unfinished(run.directory)


def _remove_unfinished(run: RunDir) -> None:
    """What a resume wrote that was killed before it started anything; the caller saw that no other one is under way."""
    # It does not follow a link, which would be none of ours.
    shutil.rmtree(run.path / ASIDE, ignore_errors=True)
    found: list[Path] = []
    for task in run.tasks:
        found += task.path.glob(f".{SECRETS}.*")
        # Nothing reads these any more either, whatever the end on record is.
        found += [f for f in (task.path / SECRETS,) if _age(f) > door.LAUNCH_SECONDS]
    for file in found:
        with contextlib.suppress(OSError):
            file.unlink()


def _age(file: Path) -> float:
    try:
        return time.time() - file.lstat().st_mtime
    except OSError:
        return 0.0


def _latest_harmless(logs: Path) -> float:
    """The end of the task; without a record of it, a time so long ago that no launch of then is still starting."""
    try:
        return (logs / "stage.exit").stat().st_mtime
    except OSError:
        return time.time() - door.LAUNCH_SECONDS
