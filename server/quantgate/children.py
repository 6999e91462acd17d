"""Helper processes of this server: each in its own process group, under a time limit, ended with the server.

Evaluations are not children of the server: they are started by a helper and outlive both.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .errors import BadInput, StorageError
from .system import processes

_running: set[subprocess.Popen[bytes]] = set()
_lock = threading.RLock()
_closing = threading.Event()

MOST_OUTPUT = 8 << 20
"""Bytes of the beginning of a helper's output that are read, and of its end."""
GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL for a helper's process group."""


@dataclass(frozen=True)
class Finished:
    """How a helper ended.

    Attributes:
        returncode: Its exit status; negative for a signal.
        output: Its standard output and error together, as it wrote them (not redacted).
        timed_out: It was ended because it reached the time limit.
    """

    returncode: int
    output: str
    timed_out: bool


def run(
    argv: Sequence[str],
    *,
    stdin: bytes,
    env: Mapping[str, str],
    seconds: float,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> Finished:
    """Run a helper to its end.

    Args:
        argv: Program and arguments; no shell is involved.
        stdin: What it reads.
        env: Its whole environment.
        seconds: Time limit; its process group is ended when it is reached.
        cwd: Working directory.
        pass_fds: Descriptors that it inherits under the same numbers; none on Windows.

    Raises:
        StorageError: This machine cannot start it.
        BadInput: An argument or a variable holds a NUL character.
    """
    # Files, not pipes: what the helper starts and leaves behind may hold its output open after it has ended.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out:
        given.write(stdin)
        given.seek(0)
        process = _started(argv, given, out, env, cwd, tuple(pass_fds))
        if process is None:
            return Finished(-signal.SIGTERM, "", timed_out=False)
        timed_out = False
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            if process.poll() is None:
                processes.end_child(process, GRACE_SECONDS)
            with _lock:
                _running.discard(process)
        return Finished(process.returncode, _read(out), timed_out)


def _started(
    argv: Sequence[str],
    given: IO[bytes],
    out: IO[bytes],
    env: Mapping[str, str],
    cwd: Path | None,
    pass_fds: tuple[int, ...],
) -> subprocess.Popen[bytes] | None:
    """The helper, among those that run; None when the server goes: it would outlive it."""
    # Held while it starts: `end_all` finds it, or it is not started.
    with _lock:
        if _closing.is_set():
            return None
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=given,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                **processes.inheriting(pass_fds),
                **processes.own_group(),
            )
        except OSError as error:
            raise StorageError(
                f"This machine cannot start {Path(argv[0]).name}: {error.strerror}",
                fix="end other programs, or raise the limit of processes and memory (ulimit -u, ulimit -v)",
            ) from None
        except ValueError:
            raise BadInput(
                f"{Path(argv[0]).name} cannot be given a text with a NUL character, or a variable whose name is none",
                fix="take it out of the config, or of the environment",
            ) from None
        _running.add(process)
    return process


def _read(out: IO[bytes]) -> str:
    # What was said first and last tells most; a helper that goes on and on must not fill this process.
    size = out.seek(0, os.SEEK_END)
    out.seek(0)
    text = out.read(MOST_OUTPUT)
    if size > MOST_OUTPUT:
        out.seek(max(MOST_OUTPUT, size - MOST_OUTPUT))
        text += b"\n[...]\n" + out.read(MOST_OUTPUT)
    return text.decode("utf-8", errors="replace")


def end_all() -> None:
    """End every helper that is still running and make `wait` return; called once, when the server goes."""
    _closing.set()
    with _lock:
        running = list(_running)
    for process in running:
        processes.end_group(process.pid, force=False)
    for process in running:
        processes.end_child(process, GRACE_SECONDS)


def wait(seconds: float) -> bool:
    """Sleep, but no longer than the server lives.

    Returns:
        True when the server is closing and the caller should return at once.
    """
    return _closing.wait(seconds)
