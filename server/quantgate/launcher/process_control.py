"""Ending a process run that some server, perhaps an earlier one, started."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import psutil

from ..machine import boot_id
from .runner_record import RUNNER_FILE, alive, read_runner, session

STOP_SECONDS = 12.0
"""Between SIGTERM and SIGKILL for the whole run; longer than the runner itself waits for its harness."""


def stop(invocation: Path) -> bool:
    """End the runner of an invocation and everything it started.

    Args:
        invocation: The invocation's directory, which holds `runner.json`.

    Returns:
        True when nothing of it runs any more; False when it is on another host or could not be ended.
    """
    record = read_runner(invocation / RUNNER_FILE)
    if record is None:
        return True
    lives = alive(record)
    if lives is None:
        return False
    if not lives and record.boot_id != boot_id():
        return True
    family = session(record)
    if not family:
        return True
    _mark_cancelled(invocation)
    # The runner passes SIGTERM on to its harness; without a runner the harness gets it itself.
    for process in [p for p in family if p.pid == record.pid] or family:
        _signal(process, signal.SIGTERM)
    _, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for survivor in left:
        _signal(survivor, signal.SIGKILL)
    _, left = psutil.wait_procs(left, timeout=2.0)
    return not left


def _mark_cancelled(invocation: Path) -> None:
    for logs in invocation.glob("*/logs"):
        if not (logs / "stage.exit").exists():
            (logs / "stage.cancelled").touch()


def _signal(process: psutil.Process, signum: int) -> None:
    with contextlib.suppress(psutil.Error):
        process.send_signal(signum)
