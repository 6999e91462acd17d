"""Sessions of the handshake protocols: one holder opens so many, and with one more the one that was unused longest is ended."""

from __future__ import annotations

from collections import OrderedDict

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from . import limits

_ID = "mcp-session-id"


class Sessions:
    """A session manager, with a share for each holder: nobody takes all of its sessions.

    Args:
        manager: Of the SDK; it knows one limit for all.
    """

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self.manager = manager
        self._own: dict[str, OrderedDict[str, None]] = {}

    async def handle(self, holder: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and end a session of this holder when it has opened one too many.

        Args:
            holder: Whose request it is.
            scope: Of ASGI, like the others.
            receive: Gives the body.
            send: Takes the answer.
        """
        used = Headers(scope=scope).get(_ID)
        own = self._own.get(holder)
        if used and own and used in own:
            own.move_to_end(used)

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(holder, used, message, ended=scope["method"] == "DELETE")
            await send(message)

        await self.manager.handle_request(scope, receive, watched)
        own = self._own.get(holder)
        while own and len(own) > limits.OWN_SESSIONS:
            await self._end(own.popitem(last=False)[0], scope)

    def _note(self, holder: str, used: str | None, message: Message, *, ended: bool) -> None:
        """Keep what was opened, and forget what has ended: it takes no place of one that is alive."""
        if used is not None:
            if message["status"] == 404 or (ended and message["status"] < 400):
                self._own.get(holder, OrderedDict()).pop(used, None)
            return
        opened = Headers(raw=list(message.get("headers", ()))).get(_ID)
        if opened and message["status"] < 400:
            self._own.setdefault(holder, OrderedDict())[opened] = None

    async def _end(self, session: str, scope: Scope) -> None:
        """End a session as its own client would; one that has ended already is not found, which is as good."""
        host = [(name, value) for name, value in scope["headers"] if name == b"host"]
        request = {**scope, "method": "DELETE", "headers": [*host, (_ID.encode(), session.encode())]}

        async def nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def unsaid(message: Message) -> None:
            del message

        await self.manager.handle_request(request, nothing, unsaid)
