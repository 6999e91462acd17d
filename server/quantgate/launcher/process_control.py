"""Ending a process run that some server, perhaps an earlier one, started."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from .runner_record import RUNNER_FILE, alive, read_runner

STOP_SECONDS = 10.0
"""Between SIGTERM and SIGKILL; the harness writes its interrupted marker in this time."""


def stop(invocation: Path) -> bool:
    """End the runner of an invocation and everything it started.

    Args:
        invocation: The invocation's directory, which holds `runner.json`.

    Returns:
        True when nothing of it runs any more; False when it is on another host or could not be ended.
    """
    import psutil

    record = read_runner(invocation / RUNNER_FILE)
    if record is None:
        return True
    lives = alive(record)
    if not lives:
        return lives is False
    _mark_cancelled(invocation)
    try:
        runner = psutil.Process(record.pid)
        family = [runner, *runner.children(recursive=True)]
    except psutil.NoSuchProcess:
        return True
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


def _signal_group(pgid: int, signum: int) -> None:
    if pgid <= 1 or pgid == os.getpgid(0):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signum)
