"""Connections that say nothing do not keep others out.

uvicorn (0.54) has no limit of time before a connection's first request, nor once a part of the next one has come, and counts
every connection against its limit.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from . import limits


class Connection(H11Protocol):
    """A connection of HTTP/1.1 that is closed when no request comes in time, or when it is the longest idle one of too many."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._idle_since = self.loop.time()

    @property
    def idle(self) -> bool:
        """Whether it waits for a request: it has had none, or has answered all."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait; the connection that is idle longest makes room."""
        super().connection_made(transport)
        self._watch()
        if len(self.connections) >= limits.MOST_CONNECTIONS:
            idle = [one for one in self.connections if isinstance(one, Connection) and one.idle and one is not self]
            if idle:
                min(idle, key=lambda one: one._idle_since).drop()

    def data_received(self, data: bytes) -> None:
        """Wait no longer once a request has begun; what is no request does not prolong the wait."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Be idle again; uvicorn then waits for a next request, for a shorter time, until something of it comes."""
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._forget_timer()
        super().connection_lost(exc)

    def drop(self) -> None:
        """Close it without a word."""
        self._forget_timer()
        # Now, not when the loop comes to it: uvicorn counts them when the next request is there.
        self.connections.discard(self)
        self.transport.abort()

    def _watch(self) -> None:
        if not self.idle:
            self._forget_timer()
        elif self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(limits.HEADER_SECONDS, self.drop)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
