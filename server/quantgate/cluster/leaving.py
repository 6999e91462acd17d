"""What has to be closed when the server goes. It loads nothing: a server that never spoke to a cluster has nothing to close."""

from __future__ import annotations

from collections.abc import Callable

_closers: list[Callable[[], None]] = []


def register(closer: Callable[[], None]) -> None:
    """Have something closed at the end."""
    _closers.append(closer)


def close_all() -> None:
    """Close everything that was opened; called once, when the server goes."""
    for closer in _closers:
        closer()
