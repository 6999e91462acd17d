"""The process that serves HTTP: what is refused before it listens, and how it ends."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import Refused, StorageError
from ...gates.permission import consent
from .. import ending
from . import address as addresses
from . import limits, tokens

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

GRACE_SECONDS = 3
"""For open answers, once the server was told to end."""


def serve(
    listen: str,
    *,
    tokens_file: str = "",
    allowed_hosts: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
    per_minute: int = limits.PER_MINUTE,
    read_only: bool = False,
    allow_skip_gates: bool = False,
) -> None:
    """Speak MCP over streamable HTTP at `/mcp` until SIGTERM or SIGINT.

    Args:
        listen: HOST:PORT; port 0 lets the system choose.
        tokens_file: Tokens that are admitted (`tokens`), besides those in the variables.
        allowed_hosts: Further names by which clients reach it.
        allowed_origins: Origins of browsers that are answered.
        per_minute: Requests of one token, or of one peer where there are no tokens.
        read_only: Offer only the tools that change nothing; beats every token and every other setting.
        allow_skip_gates: Whoever may call `run` may skip its gates with a reason.

    Raises:
        Refused: It would be reached from other machines, and there is no token.
        BadInput: An address, a host, an origin or the tokens file is not as it must be.
        StorageError: The address cannot be bound.
    """
    address = addresses.parse(listen)
    holders = _admitted(address, tokens_file)
    hosts = addresses.allowed_hosts(address, allowed_hosts)
    origins = addresses.allowed_origins(address, allowed_origins)
    bound = _bound(address)
    if allow_skip_gates and not read_only:
        consent.allow_skipped_gates()
    ending.end_on_signals()

    # Only a server over HTTP needs these.
    from mcp.server.transport_security import TransportSecuritySettings

    from .app import PATH, application

    security = TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)
    server = _server(application(holders, security, per_minute=per_minute, read_only=read_only))
    _say(address, bound, holders, PATH)
    server.run(sockets=[bound])
    # Here only without a signal: uvicorn raises it again when it has ended, and `ending` then leaves.
    ending.clean_up()
    os._exit(0 if server.started else 1)


def _admitted(address: addresses.Address, tokens_file: str) -> list[tokens.Holder]:
    """Who is admitted; nobody needs a token where only this machine reaches the server."""
    holders = [*tokens.from_environment(), *(tokens.from_file(Path(tokens_file).expanduser()) if tokens_file else [])]
    tokens.require_distinct(holders, tokens_file or "the variables")
    if not holders and not address.loopback:
        raise Refused(
            f"Other machines may reach {address.host}, and there is no token",
            where="--http",
            fix="make one with `quantgate http-token NAME --file FILE` and give --tokens-file FILE, or listen at 127.0.0.1",
        )
    return holders


def _server(served: ASGIApp) -> uvicorn.Server:
    import uvicorn

    from .connections import Connection

    limits.limit_warnings()
    return uvicorn.Server(
        uvicorn.Config(
            served,
            http=Connection,
            ws="none",
            lifespan="on",
            # The root logger's handlers redact. Requests are not logged, and what a peer claims of its own address does not count.
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=limits.MOST_CONNECTIONS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


def _bound(address: addresses.Address) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _not_bound(address, error) from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(place)
    except OSError as error:
        bound.close()
        raise _not_bound(address, error) from None
    return bound


def _not_bound(address: addresses.Address, error: OSError) -> StorageError:
    return StorageError(
        f"Cannot listen at {address.written}:{address.port}: {error.strerror or error}",
        where="--http",
        fix="give an address of this machine and a free port (0 chooses one)",
    )


def _say(address: addresses.Address, bound: socket.socket, holders: Sequence[tokens.Holder], path: str) -> None:
    lines = [f"Listening at http://{address.written}:{bound.getsockname()[1]}{path}"]
    if not holders:
        lines.append("Without a token: every user of this machine can call it. quantgate http-token makes one.")
    if not address.loopback:
        lines.append("Without TLS: put a proxy before it that has a certificate, or tokens can be read on the way.")
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()
