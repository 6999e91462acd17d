"""One remote command in a session: what it reads and writes, bounded in bytes and time.

What the login shell prints by itself before the command begins (a banner in a start-up file) is kept apart from its output.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import paramiko

from ..system import links
from . import words

MAX_NOISE = 64 << 10
_BLOCK = 1 << 16
_BEGIN = 'printf %s "$0"; exec "$@"'
"""Says that the command begins now, and becomes it."""


@dataclass(frozen=True)
class Done:
    """How a remote command ended.

    Attributes:
        code: Its exit status; -1 when it ended by a signal.
        out: Standard output, undecodable bytes replaced.
        err: Standard error.
        truncated: There was more output than was asked for.
        noise: What the login shell printed before it. rsync, and so NEL, fails where there is any.
        began: The login shell ran it at all.
    """

    code: int
    out: str
    err: str
    truncated: bool = False
    noise: str = ""
    began: bool = True


@contextlib.contextmanager
def within(channel: paramiko.Channel, seconds: float) -> Iterator[None]:
    """Close a session that is not done with the block in time.

    paramiko (5.1) waits for the answer to a request, such as the start of a command, without any limit.

    Args:
        channel: The session that the block waits for.
        seconds: For the whole block.

    Raises:
        TimeoutError: The block was not done in time.
    """
    late = threading.Event()

    def give_up() -> None:
        late.set()
        with contextlib.suppress(paramiko.SSHException, OSError, EOFError):
            channel.close()

    watch = threading.Timer(max(0.0, seconds), give_up)
    watch.daemon = True
    watch.start()
    try:
        yield
    except (paramiko.SSHException, paramiko.SFTPError, OSError, EOFError):
        if late.is_set():
            raise TimeoutError from None
        raise
    finally:
        watch.cancel()


def run(channel: paramiko.Channel, argv: Sequence[str], stdin: bytes, seconds: float, max_output: int) -> Done:
    """Run a command to its end, and close the session.

    Raises:
        TimeoutError: It did not end in time.
        paramiko.SSHException, OSError, EOFError: The link broke.
    """
    deadline = time.monotonic() + seconds
    begin = secrets.token_hex(8)
    try:
        channel.settimeout(seconds)
        with within(channel, seconds):
            channel.exec_command(words.line(["sh", "-c", _BEGIN, begin, *argv]))
            if stdin:
                _feed(channel, stdin)
            channel.shutdown_write()
        seen = _Streams(begin.encode(), max_output)
        seen.read(channel, deadline)
        if seen.full:
            return seen.done(-1, truncated=True)
        if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
            raise TimeoutError
        return seen.done(channel.exit_status)
    finally:
        channel.close()


def _feed(channel: paramiko.Channel, stdin: bytes) -> None:
    """Give a command its input; that it ended without reading all of it is no broken link."""
    try:
        channel.sendall(stdin)
    except OSError:
        if channel.exit_status == -1:  # paramiko's word for none: the host did not say that the command ended
            raise


class _Streams:
    """Both outputs of a command."""

    def __init__(self, begin: bytes, most: int) -> None:
        self._out, self._err = bytearray(), bytearray()
        self._begin = begin
        self.begun = False
        self._most = most
        self._noise = bytearray()

    @property
    def full(self) -> bool:
        """Whether there was more than was asked for."""
        return len(self._out) > self._most + (0 if self.begun else MAX_NOISE) or len(self._err) > self._most

    def done(self, code: int, *, truncated: bool = False) -> Done:
        """What was seen of a command that ended so."""
        out = self._out if self.begun else bytearray()
        noise = self._noise if self.begun else self._out
        return Done(
            code,
            _text(out[: self._most]),
            _text(self._err[: self._most]),
            truncated,
            _text(noise[:MAX_NOISE]),
            self.begun,
        )

    def read(self, channel: paramiko.Channel, deadline: float) -> None:
        """Read until the command has ended, or until there is too much."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            links.wait_to_read(channel, min(left, 1.0))
            # Taken before the end of the output is: both may come between two looks, and the end comes first.
            closed = channel.closed
            while channel.recv_ready() and not self.full:
                self._add(channel.recv(_BLOCK))
            while channel.recv_stderr_ready() and not self.full:
                self._err += channel.recv_stderr(_BLOCK)
            if self.full:
                return
            if channel.eof_received and not channel.recv_ready() and not channel.recv_stderr_ready():
                return
            if closed:
                raise EOFError("the connection was closed")

    def _add(self, block: bytes) -> None:
        self._out += block
        if not self.begun and (at := self._out.find(self._begin)) >= 0:
            self._noise = self._out[:at]
            del self._out[: at + len(self._begin)]
            self.begun = True


def _text(data: bytes | bytearray) -> str:
    return bytes(data).decode("utf-8", "replace")
