"""Whether the process that runs a task still lives: the only evidence that survives a restart of the server."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from .rundir import RUNNER_FILE, TaskDir

MAX_RECORD_BYTES = 16 * 1024
SAME_START_SECONDS = 2.0
"""Start times closer than this are one process: they derive from a boot time that corrections of the clock move."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class RunnerRecord:
    """What the process executor wrote when it started a task (or an invocation).

    Attributes:
        pid: The runner's process id.
        pgid: Its process group.
        create_time: Its start, in seconds since the epoch (psutil).
        boot_id: The kernel's boot id; empty where there is none.
        host: The machine's host name.
    """

    pid: int
    pgid: int
    create_time: float
    boot_id: str
    host: str


def read_runner(path: Path) -> RunnerRecord | None:
    """The record in a runner.json; None when it is absent, half-written or not one."""
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(MAX_RECORD_BYTES))
        record = RunnerRecord(
            pid=int(data["pid"]),
            pgid=int(data.get("pgid", data["pid"])),
            create_time=float(data["create_time"]),
            boot_id=str(data.get("boot_id", "")),
            host=str(data.get("host", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return record if record.pid > 0 else None


def runner_of(task: TaskDir) -> RunnerRecord | None:
    """The record that speaks for a task: its own, else the invocation's."""
    return read_runner(task.logs / RUNNER_FILE) or read_runner(task.path.parent / RUNNER_FILE)


def boot_id() -> str:
    """The id of this boot of the kernel; empty where the kernel does not tell."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def alive(record: RunnerRecord) -> bool | None:
    """Whether the recorded process still runs.

    A process id alone proves nothing: ids are used again, and start over after a reboot. Boot and start must agree.

    Returns:
        None when it cannot be known from here: the record is another machine's, or the process may not be looked at.
    """
    if record.host and record.host != socket.gethostname():
        return None
    here = boot_id()
    if here and record.boot_id and here != record.boot_id:
        return False
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.create_time) <= SAME_START_SECONDS
        return same and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return None
