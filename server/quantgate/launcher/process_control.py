"""Ending a process run, or some tasks of it, that some server, perhaps an earlier one, started."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from ..system.machine import boot_id
from ..system.processes import KILL, is_own, session_of
from .markers import CANCELLED, RESUMING
from .runner_record import RUNNER_FILE, RunnerRecord, alive, read_runner, session

STOP_SECONDS = 12.0
"""Between SIGTERM and SIGKILL for the whole run; longer than the runner itself waits for its harness."""
KILL_SECONDS = 3.0
"""How long what got SIGKILL may take to be gone."""


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
    if alive(record) is None:
        return False
    if not living(invocation):
        return True
    unfinished = [logs.parent.name for logs in invocation.glob("*/logs") if _unfinished(logs)]
    return not cancel_all(invocation, [t for t in unfinished if record.speaks_for(t)])


def living(invocation: Path) -> list[psutil.Process]:
    """The processes of an invocation that run on this machine: its runner, its harness, and what these started."""
    record = read_runner(invocation / RUNNER_FILE)
    return family_of(record) if record else []


def strays(invocation_id: str) -> list[psutil.Process]:
    """The processes of an invocation whose directory, and the record in it, was deleted.

    They are known by a command that only a runner of ours has, with this invocation's directory in it, and by being in its session;
    NEL's scripts for containers by the directory that they were started in, which the kernel still names. A system without
    sessions gives the processes with such a command, and their descendants.
    """
    sessions: set[int] = set()
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if not is_own(process):
                continue
            command = process.cmdline()
            if _is_ours(command, invocation_id) or _is_script(process, command, invocation_id):
                session = session_of(process.pid)
                if session >= 0:
                    sessions.add(session)
                else:
                    found |= {member.pid: member for member in (process, *process.children(recursive=True))}
    for process in psutil.process_iter() if sessions else ():
        with contextlib.suppress(psutil.Error, OSError):
            if session_of(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = process
    return list(found.values())


def _is_ours(command: Sequence[str], invocation_id: str) -> bool:
    runner = "quantgate.launcher.process_runner"
    if runner in command[:-1]:
        return Path(command[command.index(runner) + 1]).name.endswith(f"-{invocation_id}")
    harness = ["--noprofile", "--norc"]
    return (
        command[1:3] == harness
        and Path(command[-1]).name == "command.sh"
        and Path(command[-1]).parent.parent.name.endswith(f"-{invocation_id}")
    )


def _is_script(process: psutil.Process, command: Sequence[str], invocation_id: str) -> bool:
    again = "quantgate.launcher.script_runner"
    if again in command[:-2] and command[command.index(again) + 1] == "again":
        return Path(command[command.index(again) + 2]).name.endswith(f"-{invocation_id}")
    if Path(command[0] if command else "").name != "bash" or list(command[1:]) not in (
        ["run_all.sequential.sh"],
        ["run.sh"],
    ):
        return False
    there = Path(process.cwd().removesuffix(" (deleted)"))
    return any(folder.name.endswith(f"-{invocation_id}") for folder in (there, there.parent))


def end(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """End processes, at first politely.

    Returns:
        Those that still run.
    """
    for process in processes:
        send_signal(process, signal.SIGTERM)
    return _kill(still_there(processes, STOP_SECONDS))


def cancel_all(invocation: Path, tasks: Sequence[str]) -> list[psutil.Process]:
    """End the whole run.

    Args:
        invocation: The invocation's directory.
        tasks: Names of the task directories that have not ended: they are marked as cancelled.

    Returns:
        What still runs of it; empty when all is gone.
    """
    record = read_runner(invocation / RUNNER_FILE)
    family = family_of(record) if record else []
    if record is None or not family:
        return []
    mark(invocation, tasks)
    # The runner passes SIGTERM on to its harness; without a runner the harness gets it itself.
    for process in [p for p in family if p.pid == record.pid] or family:
        send_signal(process, signal.SIGTERM)
    left = still_there(family, STOP_SECONDS)
    # The harness may have started more since.
    return _kill(_together(left, family_of(record)))


def cancel_some(invocation: Path, tasks: Sequence[str]) -> list[psutil.Process]:
    """End some tasks while the runner goes on with the others; it skips those whose turn has not come.

    Args:
        invocation: The invocation's directory.
        tasks: Names of the task directories to end.

    Returns:
        What still runs of these tasks; empty when nothing does.
    """
    record = read_runner(invocation / RUNNER_FILE)
    if record is None or alive(record) is not True:
        # One harness at a time: what goes on without its runner is the task that has begun and not ended.
        return cancel_all(invocation, tasks)
    mark(invocation, tasks)
    if _ended(invocation, tasks, STOP_SECONDS):
        return []
    # The runner does not do it: it is stopped, or waits for an installation.
    family = family_of(record)
    left = _kill([p for p in family if p.pid != record.pid])
    return [] if _ended(invocation, tasks, KILL_SECONDS) else left or [p for p in family if p.pid == record.pid]


def still_there(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that have not ended within some seconds; one that has ended and that nobody has asked after has ended."""
    deadline = time.monotonic() + seconds
    left = [p for p in processes if _runs(p)]
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [p for p in left if _runs(p)]
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def described(processes: Sequence[psutil.Process]) -> list[str]:
    """Processes in words: the id and the program, without arguments, which may hold anything."""
    words = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            words.append(f"process {process.pid} ({process.name()})")
    return words


def mark(invocation: Path, tasks: Sequence[str]) -> None:
    """Note on tasks that they are cancelled; their runner, if it lives, skips or ends them."""
    for task in tasks:
        logs = invocation / task / "logs"
        if logs.is_dir():
            (logs / CANCELLED).touch()


def _ended(invocation: Path, tasks: Sequence[str], seconds: float) -> bool:
    """Whether every task has an exit record, or has not begun and is marked; looked at until then, at most `seconds`."""
    deadline = time.monotonic() + seconds
    while any(begun(invocation / task / "logs") for task in tasks):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)
    return True


def begun(logs: Path) -> bool:
    """Whether a task is in hand: taken up, and not ended."""
    return not (logs / RESUMING).exists() and (logs / "stage.pre-start").exists() and not (logs / "stage.exit").exists()


def _unfinished(logs: Path) -> bool:
    return (logs / RESUMING).exists() or not (logs / "stage.exit").exists()


def family_of(record: RunnerRecord) -> list[psutil.Process]:
    """The processes of a runner's session; none for a runner of another machine or of an earlier boot."""
    lives = alive(record)
    if lives is None or (not lives and record.boot_id != boot_id()):
        return []
    return session(record)


def _together(some: Sequence[psutil.Process], more: Sequence[psutil.Process]) -> list[psutil.Process]:
    return list({p.pid: p for p in [*some, *more]}.values())


def _kill(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    for survivor in processes:
        send_signal(survivor, KILL)
    return still_there(processes, KILL_SECONDS)


def send_signal(process: psutil.Process, signum: int) -> None:
    """Signal a process, which may have ended."""
    with contextlib.suppress(psutil.Error):
        process.send_signal(signum)
