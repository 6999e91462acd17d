"""Waiting on a connection, the key agent's, and a program that carries a connection."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, Any, Protocol

from . import processes

_BLOCK = 1 << 16


class HasFileno(Protocol):
    """What can be waited for."""

    def fileno(self) -> int:
        """Its descriptor."""


def wait_to_read(source: HasFileno, seconds: float) -> None:
    """Wait until something can be read from a connection, or its end, but no longer than so many seconds."""
    if sys.platform == "win32":
        # `select` takes any descriptor's number there; elsewhere only those below 1024.
        select.select([source], [], [], seconds)
    else:
        ready = select.poll()
        ready.register(source, select.POLLIN)
        ready.poll(seconds * 1000)


class _Pipe:
    """OpenSSH's agent of Windows: a named pipe that is opened as a file, with the methods of a socket."""

    def __init__(self, place: str) -> None:
        self._file = open(place, "r+b", buffering=0)  # noqa: PTH123, SIM115 - not a path of a directory; closed by `close`

    def send(self, data: bytes) -> int:
        return self._file.write(data) or 0

    def recv(self, size: int) -> bytes:
        return self._file.read(size) or b""

    def close(self) -> None:
        self._file.close()


def agent_link(place: str, seconds: float) -> Any:
    """A connection to the key agent, with `send`, `recv` and `close`.

    Args:
        place: The path of its socket; on Windows that of its pipe.
        seconds: How long an answer may take; not kept on Windows, where a pipe has no such limit.

    Raises:
        OSError: It is not there.
    """
    if sys.platform == "win32":
        return _Pipe(place)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(seconds)
    try:
        link.connect(place)
    except BaseException:
        link.close()
        raise
    return link


def carrier(command: str) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start a command line of the user's own that carries a connection on its standard input and output.

    Returns:
        Our end of the connection, and the command, which leads a group of its own.

    Raises:
        OSError: It cannot be started.
    """
    ours, theirs = socket.socketpair()
    try:
        if sys.platform == "win32":
            return ours, _through_pipes(command, theirs)
        process = subprocess.Popen(
            # As ssh does: the user's own line, for a shell that it replaces.
            ["/bin/sh", "-c", f"exec {command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
            **processes.own_group(),
        )
    except BaseException:
        ours.close()
        theirs.close()
        raise
    # Its two streams are one socket, so that its end is seen as the end of the connection.
    theirs.close()
    return ours, process


def _through_pipes(command: str | list[str], theirs: socket.socket) -> subprocess.Popen[bytes]:
    """The command with pipes, which two threads join to the socket: Windows gives no socket to a child as its input."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **processes.own_group()
    )
    assert process.stdin is not None
    assert process.stdout is not None
    given, told = process.stdin, process.stdout

    def outwards() -> None:
        _pump(lambda: os.read(told.fileno(), _BLOCK), theirs.sendall)
        _quietly(lambda: theirs.shutdown(socket.SHUT_RDWR), told.close, theirs.close)

    def inwards() -> None:
        _pump(lambda: theirs.recv(_BLOCK), lambda data: _written(given, data))
        _quietly(given.close)

    for work in (outwards, inwards):
        threading.Thread(target=work, daemon=True, name="proxy-command").start()
    return process


def _written(stream: IO[bytes], data: bytes) -> None:
    stream.write(data)
    stream.flush()


def _pump(read: Callable[[], bytes], write: Callable[[bytes], object]) -> None:
    """Carry bytes until either side is gone."""
    try:
        while data := read():
            write(data)
    except (OSError, ValueError):
        return


def _quietly(*closing: Callable[[], object]) -> None:
    for step in closing:
        try:
            step()
        except OSError:
            continue
