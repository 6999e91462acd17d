"""The stage files that NEL's local executor and the process executor leave in a task's logs directory."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..launcher.markers import CANCELLED, RESUMING
from .opening import open_file

_MAX_BYTES = 4096
_EXIT = re.compile(r"(?:(\S+)\s+)?(-?\d{1,5})")


@dataclass(frozen=True)
class Stages:
    """How far a task came, by its stage files.

    Attributes:
        pre_start: Whether logs/stage.pre-start is there.
        running: Whether logs/stage.running is there.
        running_since: Its timestamp.
        exit_code: From logs/stage.exit; None while that file is absent or half-written.
        cancelled: Whether logs/stage.cancelled is there: quantgate was told to end the task.
        resuming: Whether logs/stage.resuming is there: it was given to a new runner, which has not come to it yet. The other
            files are then still those of the run before.
    """

    pre_start: bool
    running: bool
    running_since: datetime | None
    exit_code: int | None
    cancelled: bool
    resuming: bool = False

    @property
    def none(self) -> bool:
        """Whether the task has not begun at all."""
        return not (self.pre_start or self.running or self.exit_code is not None)


def read_stages(logs: Path) -> Stages:
    """The stage files of a logs directory, which need not exist."""
    pre_start, running = _read(logs / "stage.pre-start"), _read(logs / "stage.running")
    match = _EXIT.fullmatch((_read(logs / "stage.exit") or "").strip())
    return Stages(
        pre_start=pre_start is not None,
        running=running is not None,
        running_since=_timestamp(running),
        exit_code=int(match[2]) if match else None,
        cancelled=_read(logs / CANCELLED) is not None,
        resuming=_read(logs / RESUMING) is not None,
    )


def seconds_since_change(directory: Path, now: datetime) -> float | None:
    """Seconds since the newest file directly inside a directory changed; None when there is none."""
    newest = 0.0
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_file():
                    newest = max(newest, entry.stat().st_mtime)
    except OSError:
        return None
    return max(0.0, now.timestamp() - newest) if newest else None


def _read(path: Path) -> str | None:
    try:
        with open_file(path) as file:
            return file.read(_MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return None


def _timestamp(text: str | None) -> datetime | None:
    try:
        stamp = datetime.fromisoformat((text or "").split()[0])
    except (ValueError, IndexError):
        return None
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
