"""One pooled SSH connection for each host: kept alive, bounded in time, opened again after a drop.

A command that only looks is tried once more over a new connection when the old one broke; a command that changes something is
not, and the error says that it may have run. A command that takes too long ends alone: the connection is given up only when the
host does not answer over it any more, so that one slow command breaks no other.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import ClusterError, QuantgateError, Unreachable
from . import leaving, sessions

if TYPE_CHECKING:
    import paramiko

    from .exchange import Done
    from .link import Link

COMMAND_SECONDS = 30.0
PLACE_SECONDS = 60.0
"""How long a file transfer waits for a place on the connection."""
MAX_OUTPUT = 8 << 20


class Connection:
    """The connection to one host; made by `connection`."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._link: Link | None = None
        self._opening = threading.Lock()
        self._sessions = sessions.Sessions()
        self._failed: tuple[float, QuantgateError] | None = None
        self._left = False

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        seconds: float = COMMAND_SECONDS,
        max_output: int = MAX_OUTPUT,
        changes: bool = False,
    ) -> Done:
        """Run a program on the host.

        Args:
            argv: Program and arguments; they are quoted below. Values from outside go through `words.operand` before.
            stdin: What it reads.
            seconds: For the whole command, after the connection stands.
            max_output: Most bytes of its output; it is ended when it writes more.
            changes: It changes something: never tried twice.

        Raises:
            Unreachable: The host does not answer, or the link broke. With `changes`, the command may have run.
            ClusterError: The host's key or ours is refused, or it runs no commands for us.
        """
        from .link import LinkBroken

        asked = time.monotonic()
        with self._place(seconds + COMMAND_SECONDS):
            for attempt in (0, 1):
                link, channel = self._session(seconds, asked)
                asked = time.monotonic()
                try:
                    done = link.run(channel, argv, stdin, seconds, max_output)
                except TimeoutError:
                    raise self._late(link, argv[0], seconds, changes=changes) from None
                except LinkBroken as error:
                    self._drop(link)
                    if changes or attempt:
                        raise self._broken(str(error), argv[0], changes=changes) from None
                    continue
                if not done.began and not done.truncated:
                    raise self._closed_to_us(done)
                return done
        raise AssertionError("unreachable code")

    @contextlib.contextmanager
    def sftp(self, place_seconds: float = PLACE_SECONDS) -> Iterator[paramiko.SFTPClient]:
        """A file transfer channel, closed at the end.

        Args:
            place_seconds: How long to wait while other commands use the connection.

        Raises:
            Unreachable: As for `run`.
            ClusterError: As for `run`, or the host offers no SFTP, or an operation failed there for a reason of its own.
            FileNotFoundError, PermissionError: Of a remote file, as the block left them.
        """
        from .link import LinkBroken, broke

        asked = time.monotonic()
        with self._place(place_seconds):
            link, channel = self._session(place_seconds, asked)
            try:
                transfer = link.sftp(channel, COMMAND_SECONDS)
            except TimeoutError:
                raise self._late(link, "sftp", COMMAND_SECONDS, changes=False) from None
            except LinkBroken as error:
                if not link.alive():
                    self._drop(link)
                    raise self._broken(str(error), "sftp", changes=False) from None
                raise ClusterError(
                    f"{self.host} offers no file transfer: {error}",
                    fix="its sshd needs `Subsystem sftp`, and the login shell must print nothing; `sftp HOST` shows it",
                ) from None
            try:
                yield transfer
            except QuantgateError:
                raise
            except Exception as error:
                if broke(error):
                    raise self._after_transfer(link, error) from None
                if isinstance(error, OSError) and error.errno is None:
                    raise ClusterError(
                        f"{self.host} could not do a file operation: {str(error)[:200] or 'no reason given'}",
                        fix="look at the file there",
                    ) from None
                raise
            finally:
                transfer.close()

    def close(self) -> None:
        """Close it; the next use opens it again."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def leave(self) -> None:
        """Close it for good: nothing opens it again."""
        self._left = True
        self.close()

    @contextlib.contextmanager
    def _place(self, seconds: float) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._sessions.one(seconds))
            except sessions.Busy:
                raise self._busy() from None
            yield

    def _session(self, seconds: float, asked: float) -> tuple[Link, paramiko.Channel]:
        """A session over a connection that stands; a connection that died unnoticed is opened again once."""
        from .link import LinkBroken, NoSession

        since, opened_again = time.monotonic(), False
        while True:
            link = self._connected(asked)
            try:
                return link, link.session()
            except NoSession as error:
                try:
                    again = self._sessions.refused(since, seconds)
                except sessions.Busy:
                    raise self._busy() from None
                if not again:
                    raise ClusterError(
                        f"{self.host} lets us in and gives no session: {error}",
                        fix="its administrators have set MaxSessions to 0, or closed your account for commands",
                    ) from None
            except (LinkBroken, TimeoutError) as error:
                self._drop(link)
                if opened_again:
                    why = str(error) or "it does not answer"
                    raise self._broken(why, "", changes=False) from None
                opened_again, asked = True, time.monotonic()

    def _connected(self, asked: float) -> Link:
        """The open connection.

        Args:
            asked: Since when the caller wants it, on the monotonic clock.
        """
        with self._opening:
            if self._link is not None and self._link.active:
                return self._link
            if self._failed is not None and self._failed[0] >= asked:
                # Somebody tried while this caller waited: the answer is the same, and its time has been spent.
                raise self._failed[1]
            self.close()
            from .opening import open_link

            try:
                link = open_link(self.host)
            except QuantgateError as error:
                self._failed = (time.monotonic(), error)
                raise
            if self._left:
                link.close()
                raise Unreachable(f"The connection to {self.host} was closed", fix="the server is ending")
            self._sessions.forget()
            self._failed = None
            self._link = link
            return link

    def _drop(self, link: Link) -> None:
        with self._opening:
            if self._link is link:
                self._link = None
        link.close()

    def _late(self, link: Link, program: str, seconds: float, *, changes: bool) -> Unreachable:
        """A command took too long: is it the command, or the host?"""
        if not link.alive():
            self._drop(link)
            return self._broken(f"no answer within {seconds:.0f} s", program, changes=changes)
        note = "; it may still run there, look before you try again" if changes else ""
        return Unreachable(
            f"{program} on {self.host} gave no answer within {seconds:.0f} s, although the host itself answers{note}",
            fix="its file system or its scheduler may hang; call this again later",
        )

    def _after_transfer(self, link: Link, error: Exception) -> Unreachable:
        if isinstance(error, TimeoutError):
            return self._late(link, "sftp", COMMAND_SECONDS, changes=False)
        self._drop(link)
        return self._broken(str(error), "sftp", changes=False)

    def _broken(self, why: str, program: str, *, changes: bool) -> Unreachable:
        note = "; it may have run, look before you try again" if changes else ""
        during = f" while {program} ran there" if program else ""
        return Unreachable(
            f"The link to {self.host} broke{during}: {why.strip()[:200] or 'the connection was closed'}{note}",
            fix="nothing is known until it answers again; call this again",
        )

    def _busy(self) -> Unreachable:
        return Unreachable(
            f"{self.host} is busy: {self._sessions.most} commands of ours are still running there", fix="try again"
        )

    def _closed_to_us(self, done: Done) -> ClusterError:
        said = " ".join((done.noise + " " + done.err).split())[:200] or f"exit code {done.code}"
        return ClusterError(
            f"{self.host} lets us in and runs no commands: {said}", fix="a person tries `ssh HOST true`, and asks there"
        )


_pool: dict[str, Connection] = {}
_pool_lock = threading.RLock()
"""Re-entrant: the signal that ends the server may find the main thread in here."""


def connection(host: str) -> Connection:
    """The pooled connection to a host; it is opened at its first use.

    Args:
        host: An alias of the user's ssh_config, a host name, or `user@host`. `hosts` decides before whether it may be contacted.
    """
    with _pool_lock:
        return _pool.setdefault(host, Connection(host))


def close_all() -> None:
    """Close every connection; called once, when the server goes."""
    with _pool_lock:
        found = list(_pool.values())
        _pool.clear()
    for one in found:
        one.leave()


leaving.register(close_all)
atexit.register(close_all)
