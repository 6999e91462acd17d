"""The ASGI application: Host and token first, then the limits, then the offer that the token has a right to."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..building import build
from .limits import BODY_SECONDS, FAILED_SHARE, MOST_BODY, MOST_SESSIONS, SESSION_SECONDS, RateLimit
from .sessions import Sessions
from .tokens import READ_ONLY, Holder, holder_of

PATH = "/mcp"


class _Verifier:
    """The SDK's token verifier, over the holders of the tokens."""

    def __init__(self, holders: Sequence[Holder]) -> None:
        self._holders = list(holders)

    async def verify_token(self, token: str) -> AccessToken | None:
        holder = holder_of(token, self._holders)
        if holder is None:
            return None
        # The SDK keeps this object beside the request; the token itself is not needed there.
        shown = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        return AccessToken(token=shown, client_id=holder.name, scopes=[READ_ONLY] if holder.read_only else [])


class _TooSlow(Exception):
    """A request's body did not come in time."""


class _Gate:
    """What stands between a request and the session managers.

    Args:
        full: Serves the whole offer; None where nobody has a right to it.
        reading: Serves the read-only offer.
        tokens: Whether a token is required.
        per_minute: Requests of one token, or of one peer where there are none.
    """

    def __init__(
        self,
        full: Sessions | None,
        reading: Sessions,
        *,
        tokens: bool,
        per_minute: int,
    ) -> None:
        self._full, self._reading, self._tokens = full, reading, tokens
        self._rate, self._failures = RateLimit(per_minute), RateLimit(max(1, per_minute // FAILED_SHARE))
        self._refusal = RequireAuthMiddleware(self._admitted, [])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._rate if _has_token(scope) or not self._tokens else self._failures
        wait = limit.wait(_holder(scope))
        if wait:
            response = PlainTextResponse("Too many requests", 429, {"Retry-After": str(wait)})
            await response(scope, receive, send)
            return
        if self._tokens:
            await self._refusal(scope, receive, send)
        else:
            await self._admitted(scope, receive, send)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        reads = self._tokens and READ_ONLY in scope["auth"].scopes
        sessions = self._reading if reads or self._full is None else self._full
        try:
            await sessions.handle(_holder(scope), scope, _timely(receive), send)
        except _TooSlow:
            await PlainTextResponse("The request's body did not come in time", 408)(scope, receive, send)


class _KnownHost:
    """Refuses other Host and Origin headers before anything else is looked at."""

    def __init__(self, app: ASGIApp, settings: TransportSecuritySettings) -> None:
        self._app, self._checks = app, TransportSecurityMiddleware(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal: Response | None = None
        if scope["type"] == "http":
            # Names of hosts know no case; `address` has them in lower case, and so must whoever compares again behind this.
            headers = [(k, v.lower() if k in {b"host", b"origin"} else v) for k, v in scope["headers"]]
            scope = {**scope, "headers": headers}
            refusal = await self._checks.validate_request(Request(scope))
        await (refusal or self._app)(scope, receive, send)


def application(
    holders: Sequence[Holder], security: TransportSecuritySettings, *, per_minute: int, read_only: bool
) -> Starlette:
    """The application, at `PATH`.

    AuthSettings is not used: it is for tokens of an OAuth server, whose address it demands and announces. There is none here.

    Args:
        holders: Who may use it; empty: whoever reaches it.
        security: Hosts and origins that are answered.
        per_minute: Requests of one token, or of one peer where there are none.
        read_only: Nobody gets more than the read-only offer.
    """
    full = None if read_only else Sessions(_manager(security, read_only=False))
    reading = Sessions(_manager(security, read_only=True))
    gate: ASGIApp = _Gate(full, reading, tokens=bool(holders), per_minute=per_minute)
    middleware = [Middleware(_KnownHost, settings=security)]
    if holders:
        middleware += [
            Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(_Verifier(holders))),
            Middleware(AuthContextMiddleware),
        ]

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        async with contextlib.AsyncExitStack() as stack:
            for sessions in (full, reading):
                if sessions is not None:
                    await stack.enter_async_context(sessions.manager.run())
            yield

    return Starlette(routes=[Route(PATH, endpoint=gate)], middleware=middleware, lifespan=lifespan)


def _manager(security: TransportSecuritySettings, *, read_only: bool) -> StreamableHTTPSessionManager:
    # Who may only read does not decide for the person whose server it is.
    server = build(read_only=read_only, may_grant=not read_only)
    server.streamable_http_app(
        transport_security=security,
        max_request_body_size=MOST_BODY,
        session_idle_timeout=SESSION_SECONDS,
        max_sessions=MOST_SESSIONS,
    )
    return server.session_manager


def _has_token(scope: Scope) -> bool:
    return isinstance(scope.get("user"), AuthenticatedUser)


def _holder(scope: Scope) -> str:
    """Whose request it is, for the limits: a token's, or a peer's where there is none."""
    client: Any = scope.get("client")
    return f"token {scope['user'].username}" if _has_token(scope) else f"peer {client[0] if client else ''}"


def _timely(receive: Receive) -> Receive:
    """The same, as long as the request's body is whole within `BODY_SECONDS`."""
    deadline, whole = time.monotonic() + BODY_SECONDS, False

    async def timely() -> Message:
        nonlocal whole
        if whole:
            return await receive()
        with anyio.move_on_after(max(0.0, deadline - time.monotonic())):
            message = await receive()
            whole = not message.get("more_body", False)
            return message
        raise _TooSlow

    return timely
