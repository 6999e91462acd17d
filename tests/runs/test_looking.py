"""Looks at a cluster are shared, and whoever waits for another's look is not held for ever."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from quantgate.cluster import connection, scheduler
from quantgate.cluster.scheduler import Snapshot
from quantgate.errors import Unreachable
from quantgate.runs.clusters import looking


def test_whoever_waits_for_a_look_that_hangs_is_told_and_the_next_one_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def look(_: object, __: Sequence[str], ___: Sequence[str] = ()) -> Snapshot:
        # Stands for a look whose connection never ends.
        begun.set()
        assert go_on.wait(20)
        return Snapshot(1, "me", "1")

    monkeypatch.setattr(scheduler, "look", look)
    monkeypatch.setattr(connection, "connection", lambda host: host)
    monkeypatch.setattr(looking, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(looking, "FRESH_SECONDS", 0.0)
    desk = looking._Desk("login")
    first = threading.Thread(target=desk.ask, args=(["/r/a/"], []))
    first.start()
    assert begun.wait(5)
    with pytest.raises(Unreachable, match="began earlier has not ended"):
        desk.ask(["/r/b/"], [])
    go_on.set()
    first.join(5)
    assert desk.ask(["/r/b/"], []).user == "me"


def test_an_answer_that_took_long_holds_as_long_as_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = [100.0], [0]

    def look(_: object, __: Sequence[str], ___: Sequence[str] = ()) -> Snapshot:
        looks[0] += 1
        now[0] += 10.0
        return Snapshot(1, "me", "1")

    monkeypatch.setattr(scheduler, "look", look)
    monkeypatch.setattr(connection, "connection", lambda host: host)
    monkeypatch.setattr(looking.time, "monotonic", lambda: now[0])
    desk = looking._Desk("login")
    for later in (0.0, 4.0, 5.0):
        now[0] += later
        desk.ask(["/r/a/"], [])
    assert looks == [1]
    now[0] += 2.0
    desk.ask(["/r/a/"], [])
    assert looks == [2]


def test_a_look_that_began_before_a_change_is_not_taken_for_one_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, looks = threading.Event(), threading.Event(), [0]

    def look(_: object, __: Sequence[str], ___: Sequence[str] = ()) -> Snapshot:
        # Stands for a look during which a job is cancelled.
        looks[0] += 1
        begun.set()
        assert go_on.wait(20)
        return Snapshot(looks[0], "me", "1")

    monkeypatch.setattr(scheduler, "look", look)
    monkeypatch.setattr(connection, "connection", lambda host: host)
    desk = looking._Desk("login")
    first = threading.Thread(target=desk.ask, args=(["/r/a/"], []))
    first.start()
    assert begun.wait(5)
    desk.forget()
    go_on.set()
    first.join(5)
    assert desk.ask(["/r/a/"], []).clock == 2
    assert desk.ask(["/r/a/"], []).clock == 2, "what was seen after the change is fresh"
