"""Ending a process run that some server, perhaps an earlier one, started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from pathlib import Path

from .process_runner import RUNNER, boot_id

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

    try:
        record = json.loads((invocation / RUNNER).read_text(encoding="utf-8"))
        process = psutil.Process(int(record["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return True
    except psutil.NoSuchProcess:
        return True
    if record.get("host") != socket.gethostname():
        return False
    # A process id is used again after a while; the start time and the boot tell ours from a stranger's.
    if record.get("boot_id") != boot_id() or abs(process.create_time() - float(record["create_time"])) > 1.0:
        return True
    _mark_cancelled(invocation)
    family = [process, *process.children(recursive=True)]
    _signal_group(int(record["pgid"]), signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
    if alive:
        _signal_group(int(record["pgid"]), signal.SIGKILL)
        for survivor in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                survivor.kill()
        _, alive = psutil.wait_procs(alive, timeout=2.0)
    return not alive


def _mark_cancelled(invocation: Path) -> None:
    for logs in invocation.glob("*/logs"):
        if not (logs / "stage.exit").exists():
            (logs / "stage.cancelled").touch()


def _signal_group(pgid: int, signum: int) -> None:
    if pgid <= 1 or pgid == os.getpgid(0):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signum)
