"""Runs a piece of Python as quantgate would see it on another system, as far as one Linux machine can.

Stands in for Windows and macOS: to the code of quantgate, and to nothing else, `sys.platform` and `os.name` say so, and
what the standard library does not have there cannot be found: modules cannot be imported, names of `os`, `signal`, `select` and
`socket` are absent, /proc does not exist. `msvcrt.locking` is a stand-in on `flock`. Paths stay those of this machine; file names,
process creation and the standard library itself are not those of the other system.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import importlib
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

ABSENT_MODULES = {
    "win32": ("fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "readline", "syslog"),
    "darwin": ("spwd",),
}
ABSENT_NAMES = {
    "win32": {
        "os": (
            "fork", "forkpty", "setsid", "getsid", "getpgid", "setpgid", "getpgrp", "killpg", "getuid", "geteuid", "getgid",
            "getegid", "getgroups", "chown", "fchown", "lchown", "fchmod", "pread", "pwrite", "preadv", "mkfifo", "uname",
            "sched_getaffinity", "statvfs", "getloadavg", "sync", "fdatasync", "nice", "chroot", "ttyname", "openpty",
            "O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY", "O_SYNC", "O_PATH", "memfd_create", "posix_fallocate",
            "SEEK_DATA", "SEEK_HOLE", "wait", "wait4", "WNOHANG", "set_blocking",
        ),
        "signal": ("SIGKILL", "SIGHUP", "SIGALRM", "SIGCHLD", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGSTOP", "SIGCONT", "alarm",
                   "setitimer", "pthread_sigmask", "sigwait"),
        "select": ("poll", "epoll", "POLLIN"),
        "socket": ("AF_UNIX", "sendmsg_fds"),
        "time": ("tzset",),
    },
    "darwin": {"os": ("sched_getaffinity", "memfd_create", "posix_fallocate", "O_PATH", "fdatasync"), "select": ("epoll",)},
}  # fmt: skip
OS_NAME = {"win32": "nt", "darwin": "posix"}
HEAVY = ("mcp", "mcp.server.stdio", "anyio", "psutil", "paramiko", "paramiko.agent", "asyncio", "tempfile", "shutil",
         "platformdirs", "filelock", "sqlite3", "uuid", "multiprocessing", "logging.handlers", "concurrent.futures.thread",
         "anyio._backends._asyncio", "uvicorn", "rich", "rich.console", "http.server", "getpass", "webbrowser")  # fmt: skip
"""What chooses its own ways by the system when it is imported: it does so before the change, and goes on for this machine."""


def _asked_by_quantgate(depth: int = 2) -> bool:
    name = sys._getframe(depth).f_globals.get("__name__", "")
    return name == "quantgate" or name.startswith("quantgate.")


def _hide(module: types.ModuleType, names: tuple[str, ...], told: dict[str, str]) -> None:
    class Other(types.ModuleType):
        def __getattribute__(self, name: str) -> Any:
            if (name in names or name in told) and _asked_by_quantgate():
                if name in told:
                    return told[name]
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r} on the other system")
            return types.ModuleType.__getattribute__(self, name)

    module.__class__ = Other


class _Locking(types.ModuleType):
    """Windows' byte locks, on `flock`: they too are dropped when the file is closed."""

    LK_NBLCK = 2

    @staticmethod
    def locking(descriptor: int, mode: int, length: int) -> None:
        assert (mode, length) == (2, 1)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "Permission denied") from None


def _without_proc() -> None:
    real_open, real_os_open, real_stat = builtins.open, os.open, os.stat

    def refused(path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and str(path).startswith("/proc/") and _in_quantgate()

    def guarded(real: Any) -> Any:
        def other(path: Any, *args: Any, **options: Any) -> Any:
            if refused(path):
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
            return real(path, *args, **options)

        return other

    builtins.open, os.open, os.stat = guarded(real_open), guarded(real_os_open), guarded(real_stat)
    import io

    io.open = builtins.open


def _in_quantgate() -> bool:
    """Whether the nearest code that is not the standard library's or this file's is quantgate's."""
    frame: types.FrameType | None = sys._getframe(3)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.split(".")[0] not in {"pathlib", "os", "io", __name__, "posixpath", "genericpath"}:
            return bool(name.split(".")[0] == "quantgate")
        frame = frame.f_back
    return False


def become(system: str) -> None:
    """Make this process look like the other system to the code of quantgate.

    Args:
        system: "win32" or "darwin".
    """
    for name in HEAVY:
        importlib.import_module(name)
    if system == "win32":
        sys.modules["msvcrt"] = _Locking("msvcrt")
        subprocess.CREATE_NEW_PROCESS_GROUP = 0x200  # type: ignore[attr-defined]
        started = subprocess.Popen.__init__

        def begin(self: Any, *args: Any, creationflags: int = 0, **options: Any) -> None:
            started(self, *args, **options)

        subprocess.Popen.__init__ = begin  # type: ignore[method-assign, assignment]
    for name in ABSENT_MODULES[system]:
        sys.modules[name] = None  # type: ignore[assignment]
    hidden = {"os": os, "signal": signal, "select": select, "socket": socket, "time": importlib.import_module("time")}
    for name, module in hidden.items():
        told = {"name": OS_NAME[system]} if name == "os" else {}
        _hide(module, ABSENT_NAMES[system].get(name, ()), told)
    _hide(sys, (), {"platform": system})
    _without_proc()


if __name__ == "__main__":
    become(sys.argv[1])
    script = sys.argv[2]
    sys.argv = sys.argv[2:]
    if Path(script).is_file():
        runpy.run_path(script, run_name="__main__")
    else:
        runpy.run_module(script, run_name="__main__", alter_sys=False)
