"""How many commands run at once over one connection: at most as many as the host lets in (sshd's MaxSessions)."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

MOST = 8
"""sshd's MaxSessions is 10 by default."""
FREED_SECONDS = 3.0
"""How long sshd may take to notice that our last session has ended."""
_AGAIN_SECONDS = 0.1


class Busy(Exception):
    """All places stayed taken for as long as the caller would wait."""


class Sessions:
    """The places of one connection. A refusal of the host teaches how many it gives."""

    def __init__(self, most: int = MOST) -> None:
        self._all = most
        self._most = most
        self._active = 0
        self._changed = threading.Condition()

    @property
    def most(self) -> int:
        """How many the host is thought to give."""
        return self._most

    def forget(self) -> None:
        """A new connection begins: what the one before was refused says nothing of it."""
        with self._changed:
            self._most = self._all
            self._changed.notify_all()

    @contextlib.contextmanager
    def one(self, seconds: float) -> Iterator[None]:
        """Hold a place.

        Args:
            seconds: How long to wait for it.

        Raises:
            Busy: None came free.
        """
        with self._changed:
            self._take(time.monotonic() + seconds)
        try:
            yield
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def refused(self, since: float, seconds: float) -> bool:
        """The host refused a session to whoever holds a place: wait until another one ends.

        Args:
            since: When the caller first asked, on the monotonic clock.
            seconds: How long to wait.

        Returns:
            Whether to ask again; False when the host refuses even a single one.

        Raises:
            Busy: None came free.
        """
        with self._changed:
            others = self._active - 1
            if others > 0:
                self._most = max(1, min(self._most, others))
                self._active -= 1
                self._changed.notify_all()
                try:
                    self._take(time.monotonic() + seconds)
                except Busy:
                    self._active += 1  # the place is given back by `one`
                    raise
                return True
        time.sleep(_AGAIN_SECONDS)
        return time.monotonic() - since < FREED_SECONDS

    def _take(self, deadline: float) -> None:
        while self._active >= self._most:
            left = deadline - time.monotonic()
            if left <= 0 or not self._changed.wait(left):
                if self._active < self._most:
                    break
                raise Busy
        self._active += 1
