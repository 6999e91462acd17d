"""One pooled SSH connection for each host: kept alive, bounded in time, opened again after a drop.

A command that only looks is tried once more over a new connection when the old one broke; a command that changes something is
not, and the error says that it may have run.
"""

from __future__ import annotations

import atexit
import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence

import paramiko

from ..errors import ClusterError, Unreachable
from . import exchange, host_keys, ssh_settings, words
from .ssh_settings import HostSettings

CONNECT_SECONDS = 10.0
AUTH_SECONDS = 20.0
KEEP_ALIVE_SECONDS = 15
COMMAND_SECONDS = 30.0
ATTEMPTS = 3
BACKOFF_SECONDS = (0.3, 1.0)
CHANNELS = 8
"""At once on one connection: sshd's MaxSessions is 10 by default."""
MAX_OUTPUT = 8 << 20


class Connection:
    """The connection to one host; made by `connection`."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._client: paramiko.SSHClient | None = None
        self._through: list[paramiko.SSHClient] = []
        self._opening = threading.Lock()
        self._channels = threading.BoundedSemaphore(CHANNELS)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        seconds: float = COMMAND_SECONDS,
        max_output: int = MAX_OUTPUT,
        changes: bool = False,
    ) -> exchange.Done:
        """Run a program on the host.

        Args:
            argv: Program and arguments; they are quoted here. Values from outside go through `words.operand` before.
            stdin: What it reads.
            seconds: For the whole command, after the connection stands.
            max_output: Most bytes of its output; it is ended when it writes more.
            changes: It changes something: never tried twice.

        Raises:
            Unreachable: The host does not answer, or the link broke. With `changes`, the command may have run.
            ClusterError: The host's key or ours is refused.
        """
        with self._slot(seconds):
            for attempt in (0, 1):
                client = self._connected()
                try:
                    return exchange.run(client, words.line(argv), stdin, seconds, max_output)
                except (paramiko.SSHException, OSError, EOFError) as error:
                    self._drop(client)
                    if changes or attempt or isinstance(error, TimeoutError):
                        raise self._broken(error, argv[0], seconds, changes=changes) from None
        raise AssertionError("unreachable code")

    @contextlib.contextmanager
    def sftp(self) -> Iterator[paramiko.SFTPClient]:
        """A file transfer channel, closed at the end.

        Raises:
            Unreachable: As for `run`.
            ClusterError: As for `run`, or the host offers no SFTP.
        """
        with self._slot(COMMAND_SECONDS):
            client = self._connected()
            try:
                transport = client.get_transport()
                if transport is None:
                    raise EOFError("no transport")
                channel = transport.open_session(timeout=exchange.CHANNEL_SECONDS)
                channel.settimeout(COMMAND_SECONDS)
                channel.invoke_subsystem("sftp")
                transfer = paramiko.SFTPClient(channel)
            except (paramiko.SSHException, OSError, EOFError) as error:
                self._drop(client)
                raise self._broken(error, "sftp", exchange.CHANNEL_SECONDS, changes=False) from None
            try:
                yield transfer
            except (paramiko.SSHException, EOFError, TimeoutError, ConnectionError) as error:
                self._drop(client)
                raise self._broken(error, "sftp", COMMAND_SECONDS, changes=False) from None
            finally:
                transfer.close()

    def close(self) -> None:
        """Close it; the next use opens it again."""
        client, self._client = self._client, None
        for one in [client, *self._through]:
            if one is not None:
                with contextlib.suppress(Exception):
                    one.close()
        self._through = []

    @contextlib.contextmanager
    def _slot(self, seconds: float) -> Iterator[None]:
        if not self._channels.acquire(timeout=seconds + CONNECT_SECONDS):
            raise Unreachable(f"{self.host} is busy: {CHANNELS} commands are still running there", fix="try again")
        try:
            yield
        finally:
            self._channels.release()

    def _drop(self, client: paramiko.SSHClient) -> None:
        with self._opening:
            if self._client is client:
                self.close()

    def _connected(self) -> paramiko.SSHClient:
        with self._opening:
            transport = self._client.get_transport() if self._client else None
            if self._client is not None and transport is not None and transport.is_active():
                return self._client
            self.close()
            settings = ssh_settings.resolve(self.host)
            self._client = self._open(settings)
            return self._client

    def _open(self, settings: HostSettings) -> paramiko.SSHClient:
        problem: Exception = EOFError()
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS)) - 1])
            try:
                return self._open_once(settings)
            except host_keys.UnknownHostKey as error:
                raise host_keys.unknown(settings, error) from None
            except paramiko.BadHostKeyException as error:
                raise host_keys.changed(settings, error) from None
            except paramiko.PasswordRequiredException:
                raise ClusterError(
                    f"The key for {settings.alias} has a passphrase, and no agent holds it",
                    where=", ".join(str(k) for k in settings.identity_files),
                    fix="a person runs: ssh-add, with the agent's SSH_AUTH_SOCK in the server's environment",
                ) from None
            except paramiko.AuthenticationException:
                tried = ", ".join(k.name for k in settings.identity_files) or "the agent only"
                raise ClusterError(
                    f"{settings.alias} does not accept a key of ours for the user {settings.user!r}",
                    where=f"{settings.hostname}:{settings.port}; tried {tried}",
                    fix=f"a person makes `ssh {settings.alias} true` work without a password; do not try again before",
                ) from None
            except TimeoutError as error:
                # A host that is silent for so long stays silent: another attempt would only cost the caller its patience.
                raise self._down(settings, error) from None
            except (paramiko.SSHException, OSError, EOFError) as error:
                problem = error
        raise self._down(settings, problem)

    def _open_once(self, settings: HostSettings) -> paramiko.SSHClient:
        return self._greet(settings, self._carrier(settings))

    def _greet(
        self, settings: HostSettings, carrier: socket.socket | paramiko.Channel | paramiko.ProxyCommand
    ) -> paramiko.SSHClient:
        """Check the host's key and log in, over a carrier that stands."""
        client = paramiko.SSHClient()
        for file in settings.known_hosts:
            # The plural of the first: this one is never written back.
            client.load_system_host_keys(str(file))
        client.set_missing_host_key_policy(host_keys.RefuseUnknown())
        try:
            client.connect(
                settings.key_name or settings.hostname,
                port=22 if settings.key_name else settings.port,
                username=settings.user,
                # paramiko takes a list too; its stubs do not say so.
                key_filename=[str(k) for k in settings.identity_files],  # type: ignore[arg-type]
                allow_agent=not settings.identities_only or not settings.identity_files,
                look_for_keys=False,
                sock=carrier,
                timeout=CONNECT_SECONDS,
                banner_timeout=CONNECT_SECONDS,
                auth_timeout=AUTH_SECONDS,
                channel_timeout=exchange.CHANNEL_SECONDS,
            )
        except BaseException:
            client.close()
            carrier.close()
            raise
        transport = client.get_transport()
        if transport is not None:
            transport.set_keepalive(KEEP_ALIVE_SECONDS)
        return client

    def _carrier(self, settings: HostSettings) -> socket.socket | paramiko.Channel | paramiko.ProxyCommand:
        if settings.proxy_jump:
            return self._jump(settings)
        if settings.proxy_command:
            command = settings.proxy_command
            for mark, value in (("%h", settings.hostname), ("%p", str(settings.port)), ("%r", settings.user)):
                command = command.replace(mark, words.operand(value, "host"))
            return paramiko.ProxyCommand(command)
        return socket.create_connection((settings.hostname, settings.port), timeout=CONNECT_SECONDS)

    def _jump(self, settings: HostSettings) -> paramiko.Channel:
        """A channel through the hosts of ProxyJump, each reached through the one before."""
        stations = [ssh_settings.resolve_jump(host) for host in settings.proxy_jump]
        carrier = self._carrier(stations[0])
        for station, after in zip(stations, [*stations[1:], settings], strict=True):
            client = self._greet(station, carrier)
            self._through.append(client)
            transport = client.get_transport()
            if transport is None:
                raise EOFError("the host on the way closed the link")
            carrier = transport.open_channel(
                "direct-tcpip", (after.hostname, after.port), ("127.0.0.1", 0), timeout=exchange.CHANNEL_SECONDS
            )
        assert isinstance(carrier, paramiko.Channel)
        return carrier

    def _down(self, settings: HostSettings, error: Exception) -> Unreachable:
        return Unreachable(
            f"{settings.alias} cannot be reached: {_reason(error, CONNECT_SECONDS)}",
            where=f"{settings.hostname}:{settings.port}",
            fix="nothing is known of the runs there until it answers again; check the network, then call this again",
        )

    def _broken(self, error: Exception, program: str, seconds: float, *, changes: bool) -> Unreachable:
        note = "; it may have run, look before you try again" if changes else ""
        return Unreachable(
            f"The link to {self.host} broke while {program} ran there: {_reason(error, seconds)}{note}",
            fix="nothing is known until it answers again; call this again",
        )


def _reason(error: Exception, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:.0f} s"
    text = str(getattr(error, "strerror", "") or error).strip()
    return text[:200] or type(error).__name__


_pool: dict[str, Connection] = {}
_pool_lock = threading.Lock()


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
        one.close()


atexit.register(close_all)
