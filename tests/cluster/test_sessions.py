"""Places on a connection: never more than the host gives, and nobody is forgotten."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from quantgate.cluster import sessions


def test_no_more_than_the_most_run_at_once() -> None:
    places, lock = sessions.Sessions(3), threading.Lock()
    now, most = 0, 0

    def work(_: int) -> None:
        nonlocal now, most
        with places.one(10):
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.01)
            with lock:
                now -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(40)))
    assert most == 3


def test_a_refusal_teaches_how_many_there_are_until_the_connection_is_new() -> None:
    places = sessions.Sessions(8)
    again: list[bool] = []

    def third() -> None:
        with places.one(5):
            again.append(places.refused(time.monotonic(), 5))

    with places.one(1), places.one(1):
        waiting = threading.Thread(target=third)
        waiting.start()
        deadline = time.monotonic() + 5
        while places.most != 2:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert waiting.is_alive()
        assert again == []
    waiting.join(timeout=5)
    assert again == [True]
    places.forget()
    assert places.most == 8


def test_whoever_waits_too_long_is_told_and_leaves_no_trace() -> None:
    places = sessions.Sessions(1)
    with places.one(1), pytest.raises(sessions.Busy), places.one(0.05):
        pass
    with places.one(0.05):
        pass


def test_a_host_that_refuses_the_only_session_is_asked_again_for_a_while_only() -> None:
    places = sessions.Sessions()
    with places.one(1):
        since = time.monotonic()
        assert places.refused(since, 1) is True
        assert places.refused(since - sessions.FREED_SECONDS, 1) is False
