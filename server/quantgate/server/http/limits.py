"""How much one client may send and hold, in numbers; a bucket of requests that fills again; and warnings, which are counted too."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

PER_MINUTE = 300
"""Requests of one token or peer; a client that polls and calls tools makes some ten a minute."""
FAILED_SHARE = 5
"""Of one peer with a wrong token or none the server takes this part of it."""
MOST_BODY = 1 << 20
"""Bytes of a request; the largest argument, a list of tasks, has some thousand."""
BODY_SECONDS = 30.0
HEADER_SECONDS = 15.0
"""Until a connection's next request is there, once it was opened or something of it has come."""
MOST_CONNECTIONS = 256
MOST_SESSIONS = 200
OWN_SESSIONS = 50
"""Sessions of one token or peer."""
SESSION_SECONDS = 1800.0
"""A session of the handshake protocols that is not used for so long is forgotten."""
WARNINGS_PER_MINUTE = 6
MOST_OF_A_WARNING = 300
"""Characters; a warning about a header quotes it."""
MOST_KEYS = 10_000


@dataclass
class _Bucket:
    left: float
    seen: float


class RateLimit:
    """Token buckets by key: so many requests at once, and so many a minute in the long run.

    Args:
        per_minute: How fast a bucket fills; it holds a fifth of that, at least 10.
        clock: Seconds that only grow.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / 60
        self._most = float(max(10, per_minute // 5))
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, key: str) -> int:
        """Take one request.

        Args:
            key: Whose.

        Returns:
            0 when it may pass, else the seconds after which to come again.
        """
        now = self._clock()
        with self._lock:
            bucket = self._buckets.pop(key, None) or _Bucket(self._most, now)
            bucket.left = min(self._most, bucket.left + (now - bucket.seen) * self._rate)
            bucket.seen = now
            self._buckets[key] = bucket
            if len(self._buckets) > MOST_KEYS:
                # The one that was seen longest ago has a full bucket, or is one of very many peers.
                self._buckets.popitem(last=False)
            if bucket.left < 1:
                return max(1, math.ceil((1 - bucket.left) / self._rate))
            bucket.left -= 1
            return 0


class _SeldomWarnings(logging.Filter):
    """Lets few warnings of the server's parts through: whoever has no token causes them as often as requests."""

    def __init__(self) -> None:
        super().__init__()
        self._limit = RateLimit(WARNINGS_PER_MINUTE)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it may be written; a long one is cut."""
        if record.levelno > logging.WARNING or not record.name.startswith(("mcp.", "uvicorn.")):
            return True
        record.msg, record.args = record.getMessage()[:MOST_OF_A_WARNING], ()
        return not self._limit.wait(record.name)


def limit_warnings() -> None:
    """Write at most 10 warnings of each part of the server at once, and `WARNINGS_PER_MINUTE` in the long run."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(_SeldomWarnings())
