"""Opens a connection as the user's ssh would: through the hosts on the way, to a host whose key is known, with the user's keys."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import paramiko

from ..errors import ClusterError, Unreachable
from . import host_keys, proxy, ssh_settings
from .identities import Identities, SecondFactor
from .link import SESSION_SECONDS, Link
from .ssh_settings import HostSettings

CONNECT_SECONDS = 10.0
AUTH_SECONDS = 20.0
KEEP_ALIVE_SECONDS = 15
ATTEMPTS = 3
BACKOFF_SECONDS = (0.3, 1.0)

# Without a handler Python would write the library's complaints to standard error, with words of the remote side in them.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

Carrier = socket.socket | paramiko.Channel


def open_link(host: str) -> Link:
    """A connection to a host; bounded attempts, each bounded in time.

    Args:
        host: An alias of the user's ssh_config, a host name, or `user@host`.

    Raises:
        BadInput: It is no host name.
        Unreachable: It does not answer.
        ClusterError: Its key or ours is refused, or ssh's configuration is broken.
    """
    settings = ssh_settings.resolve(host)
    problem: Exception = EOFError()
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS)) - 1])
        began = time.monotonic()
        try:
            return _open(settings)
        except (paramiko.SSHException, OSError, EOFError) as error:
            # paramiko (5.1) has several words for a time-out, so the clock decides. A host that is silent for so long stays
            # silent: another attempt would only cost the caller its patience.
            if isinstance(error, TimeoutError) or time.monotonic() - began >= CONNECT_SECONDS:
                raise _down(settings, TimeoutError()) from None
            problem = error
    raise _down(settings, problem)


def _open(settings: HostSettings) -> Link:
    parts: list[Callable[[], object]] = []
    try:
        client = _greet(settings, _carrier(settings, parts))
    except BaseException:
        # The last one that was opened rests on the others.
        for part in reversed(parts):
            part()
        raise
    return Link(client, parts[::-1])


def _carrier(settings: HostSettings, parts: list[Callable[[], object]]) -> Carrier:
    """What carries the connection; whatever else has to be closed with it goes to `parts`."""
    if settings.proxy_jump:
        return _jump(settings, parts)
    if settings.proxy_command:
        line = proxy.command_line(settings.proxy_command, settings.hostname, settings.port, settings.user)
        running = proxy.Proxy(line)
        parts.append(running.close)
        return running.socket
    carrier = socket.create_connection((settings.hostname, settings.port), timeout=CONNECT_SECONDS)
    # Small messages go to and fro: waiting to fill a packet would cost 40 ms for each command, as it would OpenSSH's client.
    carrier.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return carrier


def _jump(settings: HostSettings, parts: list[Callable[[], object]]) -> paramiko.Channel:
    """A channel through the hosts of ProxyJump, each reached through the one before."""
    stations = [ssh_settings.resolve_jump(host) for host in settings.proxy_jump]
    carrier = _carrier(stations[0], parts)
    for station, after in zip(stations, [*stations[1:], settings], strict=True):
        client = _greet(station, carrier)
        parts.append(client.close)
        transport = client.get_transport()
        if transport is None:
            raise EOFError(f"{station.alias}, on the way to {settings.alias}, closed the link")
        try:
            carrier = transport.open_channel(
                "direct-tcpip", (after.hostname, after.port), ("127.0.0.1", 0), timeout=SESSION_SECONDS
            )
        except paramiko.ChannelException as error:
            raise EOFError(f"{station.alias} cannot reach {after.hostname}:{after.port}: {error.text}") from None
    assert isinstance(carrier, paramiko.Channel)
    return carrier


def _greet(settings: HostSettings, carrier: Carrier) -> paramiko.SSHClient:
    """Check the host's key and log in, over a carrier that stands."""
    client = paramiko.SSHClient()
    keys, known = Identities(settings), host_keys.OnlyKnown(settings)
    client.set_missing_host_key_policy(known)

    def begin(*args: Any, **options: Any) -> paramiko.Transport:
        transport = paramiko.Transport(*args, **options)
        known.ask_for_known(transport)
        return transport

    try:
        client.connect(
            settings.key_name or settings.hostname,
            port=22 if settings.key_name else settings.port,
            username=settings.user,
            sock=carrier,
            timeout=CONNECT_SECONDS,
            banner_timeout=CONNECT_SECONDS,
            auth_timeout=AUTH_SECONDS,
            channel_timeout=SESSION_SECONDS,
            transport_factory=begin,
            auth_strategy=keys,
        )
        transport = client.get_transport()
        if transport is None:
            raise EOFError("the host closed the link")
        transport.set_keepalive(KEEP_ALIVE_SECONDS)
    except BaseException as error:
        client.close()
        carrier.close()
        refusal = _refusal(settings, keys, error)
        if refusal is not None:
            raise refusal from None
        raise
    return client


def _refusal(settings: HostSettings, keys: Identities, error: BaseException) -> ClusterError | None:
    """What a person has to mend before another attempt makes sense; None when the link itself broke."""
    if isinstance(error, host_keys.KeyRefused):
        return error.refusal
    if isinstance(error, SecondFactor):
        return ClusterError(
            f"{settings.alias} took a key and asks for more: {error}",
            where=f"{settings.hostname}:{settings.port}",
            fix="quantgate cannot answer a second factor: a person asks the cluster's administrators for a way with a key alone",
        )
    if not isinstance(error, paramiko.AuthenticationException):
        return None
    if keys.locked and not keys.tried:
        return ClusterError(
            f"The key for {settings.alias} has a passphrase, and no agent holds it",
            where=_named(keys.locked),
            fix="a person runs: ssh-add, with the agent's SSH_AUTH_SOCK in the server's environment",
        )
    notes = [
        f"tried {', '.join(keys.tried) or 'no key: there is none'}",
        *([f"with a passphrase that no agent knows: {_named(keys.locked)}"] if keys.locked else []),
        *([f"not readable: {_named(keys.unreadable)}"] if keys.unreadable else []),
    ]
    return ClusterError(
        f"{settings.alias} does not accept a key of ours for the user {settings.user!r}",
        where=f"{settings.hostname}:{settings.port}; {'; '.join(notes)}",
        fix=f"{_own_user(settings)}a person makes `ssh {settings.alias} true` work without a password; do not try again before",
    )


def _own_user(settings: HostSettings) -> str:
    """Where a user was given who is not the one of ssh's settings: that one is likely meant."""
    given, _, node = settings.alias.rpartition("@")
    if not given:
        return ""
    own = ssh_settings.resolve(node).user
    return "" if own == given else f"ssh's settings log in to {node} as {own}: give execution.username={own}; else "


def _named(files: Sequence[object]) -> str:
    return ", ".join(str(f) for f in files)


def _down(settings: HostSettings, error: Exception) -> Unreachable:
    if isinstance(error, TimeoutError):
        why = f"no answer within {CONNECT_SECONDS:.0f} s"
    else:
        why = str(getattr(error, "strerror", "") or error).strip()[:200] or "the connection was closed"
    return Unreachable(
        f"{settings.alias} cannot be reached: {why}",
        where=f"{settings.hostname}:{settings.port}",
        fix="nothing is known of the runs there until it answers again; check the network, then call this again",
    )
