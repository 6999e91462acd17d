"""Places of calls at work: how many there are, whose they are, and when they are free again."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import anyio
import pytest

from quantgate.server import working


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Ends the work of a call; of two places in all a holder has one."""
    monkeypatch.setattr(working, "MOST", 2)
    monkeypatch.setattr(working, "MOST_OF_ONE", 1)
    end = threading.Event()
    yield end
    end.set()


async def _given_up(end: threading.Event, holder: str) -> None:
    """A call whose client goes while its thread is at work."""
    began = threading.Event()

    def work() -> None:
        began.set()
        assert end.wait(30)

    async with anyio.create_task_group() as group:
        group.start_soon(working.in_thread, work, holder)
        while not began.is_set():
            await anyio.sleep(0.01)
        group.cancel_scope.cancel()


async def _has_a_place(holder: str) -> bool:
    with anyio.move_on_after(0.3):
        return await working.in_thread(lambda: True, holder)
    return False


def test_a_call_that_was_given_up_holds_its_place_until_its_thread_is_done(busy: threading.Event) -> None:
    async def go() -> list[bool]:
        await _given_up(busy, "anna")
        before = await _has_a_place("anna")
        busy.set()
        with anyio.fail_after(10):
            while not await _has_a_place("anna"):
                pass
        return [before, await _has_a_place("anna"), await _has_a_place("anna")]

    assert anyio.run(go) == [False, True, True]


def test_one_holder_does_not_take_the_places_of_others(busy: threading.Event) -> None:
    async def go() -> list[bool]:
        await _given_up(busy, "anna")
        return [await _has_a_place("anna"), await _has_a_place("bert")]

    assert anyio.run(go) == [False, True]


def test_together_they_have_no_more_than_all_places(busy: threading.Event) -> None:
    async def go() -> list[bool]:
        await _given_up(busy, "anna")
        await _given_up(busy, "")
        return [await _has_a_place("bert"), await _has_a_place("")]

    assert anyio.run(go) == [False, False]


def test_an_error_of_the_work_is_raised_and_frees_the_place(busy: threading.Event) -> None:
    def work() -> None:
        raise ValueError("of the work")

    async def go() -> bool:
        for _ in range(3):
            with pytest.raises(ValueError, match="of the work"):
                await working.in_thread(work, "anna")
        return await _has_a_place("anna")

    assert anyio.run(go)
