"""One open SSH connection and what can be done over it. Its errors are plain ones: nobody above needs to know the SSH library."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import paramiko

from . import exchange

SESSION_SECONDS = 10.0
"""To open a session; a host that is silent for longer is not there."""
PROBE_SECONDS = 3.0


class LinkBroken(Exception):
    """The connection is gone, or it did something that it must not."""


class NoSession(Exception):
    """The host refuses one more session over this connection."""


class Link:
    """An open connection.

    Args:
        client: Logged in.
        parts: What carries it, to be closed after it: the hosts on the way, a proxy command.
    """

    def __init__(self, client: paramiko.SSHClient, parts: Sequence[Callable[[], object]] = ()) -> None:
        self._client = client
        self._parts = tuple(parts)

    @property
    def active(self) -> bool:
        """Whether nothing is known to be wrong with it."""
        transport = self._client.get_transport()
        return transport is not None and transport.is_active()

    def session(self) -> paramiko.Channel:
        """A new session.

        Raises:
            NoSession: The host gives no more of them.
            LinkBroken, TimeoutError: The connection is dead.
        """
        return self._session(SESSION_SECONDS)

    def _session(self, seconds: float) -> paramiko.Channel:
        transport = self._client.get_transport()
        if transport is None or not transport.is_active():
            raise LinkBroken("the connection is closed")
        try:
            return transport.open_session(timeout=seconds)
        except paramiko.ChannelException as error:
            raise NoSession(str(error)) from None
        except paramiko.SSHException as error:
            if not transport.is_active():
                raise LinkBroken(_words(error)) from None
            if "timeout" in str(error).lower():
                raise TimeoutError from None
            # Of several refusals at once paramiko (5.1) gives the reason to one caller only.
            raise NoSession(str(error)) from None
        except (OSError, EOFError) as error:
            raise LinkBroken(_words(error)) from None

    def run(
        self, channel: paramiko.Channel, argv: Sequence[str], stdin: bytes, seconds: float, max_output: int
    ) -> exchange.Done:
        """Run a command in a session, which is closed at its end.

        Raises:
            TimeoutError: It did not end in time.
            LinkBroken: It is not known how it ended.
        """
        try:
            done = exchange.run(channel, argv, stdin, seconds, max_output)
        except TimeoutError:
            raise
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise LinkBroken(_words(error)) from None
        if done.code == -1 and not done.truncated and not self.alive():
            # A signal ended it, or the link broke before its exit status came: only a living link tells which.
            raise LinkBroken("the connection was closed before the command's exit status came")
        return done

    def sftp(self, channel: paramiko.Channel, seconds: float) -> paramiko.SFTPClient:
        """File transfer over a session.

        Args:
            channel: From `session`.
            seconds: For each answer.

        Raises:
            TimeoutError: No answer.
            LinkBroken: It is not offered, or the link broke: `alive` tells which.
        """
        try:
            channel.settimeout(seconds)
            with exchange.within(channel, seconds):
                channel.invoke_subsystem("sftp")
                return paramiko.SFTPClient(channel)
        except TimeoutError:
            channel.close()
            raise
        except (paramiko.SSHException, paramiko.SFTPError, OSError, EOFError) as error:
            channel.close()
            raise LinkBroken(_words(error)) from None

    def alive(self) -> bool:
        """Whether the host answers over this connection, asked now; takes at most `PROBE_SECONDS`."""
        try:
            self._session(PROBE_SECONDS).close()
        except NoSession:
            return True
        except (LinkBroken, TimeoutError):
            return False
        return True

    def close(self) -> None:
        """Close it, and what carries it."""
        for part in (self._client.close, *self._parts):
            with contextlib.suppress(Exception):
                part()


def broke(error: Exception) -> bool:
    """Whether an error of a file transfer speaks of the connection, not of a file."""
    if isinstance(error, TimeoutError | ConnectionError | EOFError | paramiko.SSHException | paramiko.SFTPError):
        return True
    return isinstance(error, OSError) and "socket is closed" in str(error).lower()


def _words(error: Exception) -> str:
    text = str(getattr(error, "strerror", "") or error).strip()
    return text[:200] or "the connection was closed"
