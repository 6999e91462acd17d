"""Ending a process run that some server, perhaps an earlier one, started."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import psutil

from .runner_record import RUNNER_FILE, SAME_START_SECONDS, RunnerRecord, alive, boot_id, read_runner

STOP_SECONDS = 10.0
"""Between SIGTERM and SIGKILL; the harness writes its interrupted marker in this time."""


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
    family = _family(record)
    if not family:
        return True
    _mark_cancelled(invocation)
    _signal_group(record.pgid, signal.SIGTERM)
    _, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
    if left:
        _signal_group(record.pgid, signal.SIGKILL)
        for survivor in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                survivor.kill()
        _, left = psutil.wait_procs(left, timeout=2.0)
    return not left


def _mark_cancelled(invocation: Path) -> None:
    for logs in invocation.glob("*/logs"):
        if not (logs / "stage.exit").exists():
            (logs / "stage.cancelled").touch()


def _family(record: RunnerRecord) -> list[psutil.Process]:
    """Every process of the runner's group: a runner that was killed alone leaves its harness behind in it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if (
                os.getpgid(process.pid) == record.pgid
                and process.create_time() >= record.create_time - SAME_START_SECONDS
            ):
                found.append(process)
    return found


def _signal_group(pgid: int, signum: int) -> None:
    if pgid <= 1 or pgid == os.getpgid(0):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signum)
