"""Child processes and their groups, signals, and whose process one is."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil

RUNS_SHELL_SCRIPTS = sys.platform != "win32"
"""Whether bash, ssh's shared connections and rsync, which NEL 0.2.6 calls to launch anything, are to be expected here."""
KILL: int = getattr(signal, "SIGKILL", signal.SIGTERM)
"""The signal that no process can ignore; on Windows every signal that Python sends ends the process so."""
ENDING: tuple[signal.Signals, ...] = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
"""The signals by which a person, a closed terminal or the system ends a program."""


def own_group() -> dict[str, Any]:
    """Options for `subprocess.Popen`: the child leads a group of its own, which `end_group` ends."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def inheriting(descriptors: tuple[int, ...]) -> dict[str, Any]:
    """Options for `subprocess.Popen`: descriptors that the child gets under the same numbers; none on Windows."""
    return {"pass_fds": descriptors} if sys.platform != "win32" else {}


def end_group(leader: int, *, force: bool) -> None:
    """Ask the group of a child to end, or end it.

    Args:
        leader: The process id of a child that was started with `own_group`, and that was not waited for.
        force: It is ended; else it may put things in order first. On Windows both end it, with all that it started.
    """
    if sys.platform == "win32":
        _end_tree(leader)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL if force else signal.SIGTERM)


def end_child(process: subprocess.Popen[bytes], seconds: float) -> None:
    """End a child that was started with `own_group`, with all that it left in its group, and wait for its end.

    Args:
        process: The child; its end is waited for here only, or just was.
        seconds: What it gets to end politely, and then to be gone.
    """
    for force in (False, True):
        # By force in any case: a leader that ends politely may leave others behind. Its id is not given again so soon.
        end_group(process.pid, force=force)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def _end_tree(leader: int) -> None:
    """End a process and its descendants: Windows ends no group."""
    try:
        process = psutil.Process(leader)
        family = [*process.children(recursive=True), process]
    except psutil.Error:
        return
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.kill()


def signal_group(leader: int, signum: int) -> None:
    """Send a signal to a group; what is gone, or another user's, is passed over."""
    if sys.platform == "win32":
        _end_tree(leader)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signum)


def session_of(pid: int) -> int:
    """The session that a process is in; -1 on Windows, which has none.

    Raises:
        OSError: There is no such process, or it may not be looked at.
    """
    if sys.platform == "win32":
        return -1
    return os.getsid(pid)


def group_of(pid: int) -> int:
    """The group that a process is in; -1 on Windows, which has none.

    Raises:
        OSError: There is no such process, or it may not be looked at.
    """
    if sys.platform == "win32":
        return -1
    return os.getpgid(pid)


def is_own(process: psutil.Process) -> bool:
    """Whether a process is this user's.

    Raises:
        psutil.Error: It is gone, or may not be looked at.
    """
    if sys.platform == "win32":
        return bool(process.username() == psutil.Process().username())
    return bool(process.uids().real == os.getuid())


def has_parent(parent: int) -> bool:
    """Whether this process's parent is still the process of this id.

    A POSIX system gives an orphan another parent. Windows does not, and may give the id to another process, which is younger.
    """
    if os.getppid() != parent:
        return False
    if sys.platform != "win32":
        return True
    try:
        return bool(psutil.Process(parent).create_time() <= psutil.Process().create_time())
    except psutil.Error:
        return False


def end_after(seconds: int) -> None:
    """End this process after so many seconds, whatever it does then; a POSIX system also ends one that hangs in foreign code."""
    if sys.platform != "win32":
        signal.alarm(seconds)
        return
    late = threading.Timer(seconds, os._exit, args=(1,))
    late.daemon = True
    late.start()


def variable_of(pid: int, name: str) -> str | None:
    """An environment variable of another process; None when it has none or cannot be looked at."""
    with contextlib.suppress(psutil.Error, OSError):
        return psutil.Process(pid).environ().get(name)
    return None


def home_variables(home: Path) -> dict[str, str]:
    """The variables by which a child finds its user's home directory."""
    return {"HOME": str(home), "USERPROFILE": str(home)} if sys.platform == "win32" else {"HOME": str(home)}
