"""The record by which a process run is told from one whose process is gone: the only evidence that survives a restart."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from ..system.files import open_plain
from ..system.machine import boot_id, process_namespace, start_ticks
from ..system.processes import session_of

RUNNER_FILE = "runner.json"
SCRIPT_FILE = "script.json"
"""The same record of the process that runs one of NEL's local scripts (containers), beside that script."""
MAX_RECORD_BYTES = 16 * 1024
SAME_START_SECONDS = 2.0
"""Two start times closer than this are one process: the kernel derives them from a boot time that the clock's corrections move."""


@dataclass(frozen=True)
class RunnerRecord:
    """What a runner wrote of itself when it started.

    Attributes:
        pid: Its process id; it leads its own session, whose id is the same.
        create_time: Its start, in seconds since the epoch (psutil).
        boot_id: The kernel's boot id; empty where there is none.
        host: The machine's host name.
        start_ticks: Its start in clock ticks since the boot; 0 where the kernel does not tell.
        tasks: Names of the task directories that it runs; empty for every task of the invocation.
        namespace: Where its process id counts (`process_namespace`); empty where the system does not tell.
    """

    pid: int
    create_time: float
    boot_id: str
    host: str
    start_ticks: int = 0
    tasks: tuple[str, ...] = ()
    namespace: str = ""

    def speaks_for(self, task: str) -> bool:
        """Whether the task directory of this name is one that the recorded process runs."""
        return not self.tasks or task in self.tasks


def own_record(tasks: tuple[str, ...] = ()) -> RunnerRecord:
    """The record of the process that calls this.

    Args:
        tasks: Names of the task directories that it will run; empty for all.
    """
    process = psutil.Process()
    ticks = start_ticks(process.pid)
    namespace = process_namespace()
    return RunnerRecord(process.pid, process.create_time(), boot_id(), socket.gethostname(), ticks, tasks, namespace)


def write_runner(path: Path, record: RunnerRecord) -> None:
    """Write a record so that a reader sees a whole one or none."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")
    temporary.replace(path)


def read_runner(path: Path) -> RunnerRecord | None:
    """The record in a runner.json; None when it is absent, half-written or not one."""
    try:
        with open_plain(path) as file:
            data = json.loads(file.read(MAX_RECORD_BYTES))
        record = RunnerRecord(
            pid=int(data["pid"]),
            create_time=float(data["create_time"]),
            boot_id=str(data.get("boot_id", "")),
            host=str(data.get("host", "")),
            start_ticks=int(data.get("start_ticks", 0)),
            tasks=tuple(str(task) for task in data.get("tasks") or ()),
            namespace=str(data.get("namespace", "")),
        )
    except (OSError, ValueError, OverflowError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return record if record.pid > 0 else None


def alive(record: RunnerRecord) -> bool | None:
    """Whether the recorded process still runs.

    A process id alone proves nothing: ids are used again, and start over after a reboot. Boot and start must agree.

    Returns:
        None when it cannot be known from here: the record is another machine's or of a container with process ids of its own,
        or the process may not be looked at.
    """
    if record.host and record.host != socket.gethostname():
        return None
    here = boot_id()
    if here and record.boot_id and here != record.boot_id:
        return False
    if record.namespace and record.namespace != process_namespace():
        return None
    try:
        process = psutil.Process(record.pid)
        if record.start_ticks:
            same = start_ticks(record.pid) == record.start_ticks
        else:
            same = abs(process.create_time() - record.create_time) <= SAME_START_SECONDS
        return same and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return None


def session(record: RunnerRecord) -> list[psutil.Process]:
    """Every process of the runner's session: a runner that was killed alone leaves its harness behind in it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            ours = session_of(process.pid) == record.pid and process.status() != psutil.STATUS_ZOMBIE
            if ours and _not_before(process, record):
                found.append(process)
    return found


def _not_before(process: psutil.Process, record: RunnerRecord) -> bool:
    if record.start_ticks:
        return start_ticks(process.pid) >= record.start_ticks
    return bool(process.create_time() >= record.create_time - SAME_START_SECONDS)
