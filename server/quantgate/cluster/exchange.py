"""One remote command over a connection that stands: what it reads and writes, bounded in bytes and time."""

from __future__ import annotations

import select
import time
from dataclasses import dataclass

import paramiko

CHANNEL_SECONDS = 10.0
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Done:
    """How a remote command ended.

    Attributes:
        code: Its exit status; -1 when it ended by a signal.
        out: Standard output, undecodable bytes replaced.
        err: Standard error.
        truncated: There was more output than was asked for.
    """

    code: int
    out: str
    err: str
    truncated: bool = False


def run(client: paramiko.SSHClient, line: str, stdin: bytes, seconds: float, max_output: int) -> Done:
    """Run a command line to its end.

    Raises:
        TimeoutError: It did not end in time.
        paramiko.SSHException, OSError, EOFError: The link broke.
    """
    transport = client.get_transport()
    if transport is None:
        raise EOFError("the link is closed")
    channel = transport.open_session(timeout=CHANNEL_SECONDS)
    deadline = time.monotonic() + seconds
    try:
        channel.settimeout(seconds)
        channel.exec_command(line)
        if stdin:
            channel.sendall(stdin)
        channel.shutdown_write()
        out, err, truncated = _read(channel, deadline, max_output)
        if truncated:
            return Done(-1, out, err, truncated=True)
        if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
            raise TimeoutError
        if not transport.is_active() and channel.exit_status == -1 and not channel.eof_received:
            raise EOFError("the link was closed")
        return Done(channel.exit_status, out, err)
    finally:
        channel.close()


def _read(channel: paramiko.Channel, deadline: float, most: int) -> tuple[str, str, bool]:
    """Both outputs until the command has ended, and whether there was more than `most` bytes."""
    out, err = bytearray(), bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        select.select([channel], [], [], min(left, 1.0))
        while channel.recv_ready() and len(out) <= most:
            out += channel.recv(_BLOCK)
        while channel.recv_stderr_ready() and len(err) <= most:
            err += channel.recv_stderr(_BLOCK)
        if len(out) > most or len(err) > most:
            return _text(out[:most]), _text(err[:most]), True
        if channel.eof_received and not channel.recv_ready() and not channel.recv_stderr_ready():
            return _text(out), _text(err), False
        if channel.closed and not channel.recv_ready():
            raise EOFError("the link was closed")


def _text(data: bytes | bytearray) -> str:
    return bytes(data).decode("utf-8", "replace")
