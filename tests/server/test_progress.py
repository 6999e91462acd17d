"""A call that takes its time gives signs of life, in both generations of the protocol, over stdio and HTTP."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from quantgate.errors import BadInput
from quantgate.server import progress
from tests.server import http_server
from tests.server.in_memory import MODES, with_client
from tests.watch.live_run import LiveRun, live_run

WAIT = 7


@pytest.fixture
def run(tmp_path: Path) -> Iterator[LiveRun]:
    with live_run(tmp_path) as made:
        yield made


class Seen:
    """The signs that a client got, and when."""

    def __init__(self) -> None:
        self.signs: list[tuple[float, float | None, str | None]] = []
        self.times: list[float] = []

    async def __call__(self, done: float, total: float | None, message: str | None) -> None:
        self.signs.append((done, total, message))
        self.times.append(time.monotonic())

    def require_signs_of_life(self) -> None:
        assert len(self.signs) >= 2
        done = [sign[0] for sign in self.signs]
        assert done == sorted(set(done))
        assert all(total in {WAIT, at} for at, total, _ in self.signs)
        assert all(b - a >= 1.0 for a, b in zip(self.times, self.times[1:], strict=False))
        assert "of at most 7 s" in str(self.signs[0][2])
        # Once it has looked, it says what it waits for.
        assert "7 s; ifbench.ifbench.0 running" in str(self.signs[-1][2])


async def _wait(client: Client, run: LiveRun, seen: Seen) -> Any:
    call = {"invocation_ids": [str(run.path)], "wait_seconds": WAIT}
    return await client.call_tool("status", call, progress_callback=seen)


@MODES
def test_a_wait_over_stdio_reports_progress_no_more_than_once_a_second(mode: Any, run: LiveRun, tmp_path: Path) -> None:
    seen = Seen()

    async def go() -> Any:
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "quantgate", "serve"], env={"QUANTGATE_HOME": str(tmp_path / "home")}
        )
        async with Client(stdio_client(server), mode=mode) as client:
            return await _wait(client, run, seen)

    result = anyio.run(go)
    assert result.structured_content["runs"][0]["state"] == "running"
    seen.require_signs_of_life()


@MODES
def test_a_wait_over_http_reports_progress_too(mode: Any, run: LiveRun, tmp_path: Path) -> None:
    seen = Seen()
    with http_server.serving(tmp_path) as server:
        result = http_server.with_client(server.url, "", mode, lambda client: _wait(client, run, seen))
    assert result.structured_content["runs"][0]["state"] == "running"
    seen.require_signs_of_life()


@MODES
def test_what_is_answered_at_once_and_who_did_not_ask_gets_none(mode: Any) -> None:
    seen = Seen()
    result = with_client(mode, lambda client: client.call_tool("list_tasks", {"limit": 1}, progress_callback=seen))
    assert not result.is_error
    assert seen.signs == []


class Context:
    """Stands for the SDK's context of a request; it may have lost its client."""

    def __init__(self, *, gone: bool = False) -> None:
        self.told: list[tuple[float, float | None]] = []
        self._gone = gone

    async def report_progress(self, done: float, total: float | None, message: str) -> None:
        if self._gone:
            raise anyio.BrokenResourceError
        self.told.append((done, total))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.2)
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.2)


@pytest.mark.usefixtures("quick")
def test_an_error_of_the_work_comes_out_as_it_is_and_ends_the_telling() -> None:
    context = Context()

    async def fails() -> None:
        await anyio.sleep(0.5)
        raise BadInput("no such run")

    with pytest.raises(BadInput, match="no such run"):
        anyio.run(progress.reported, "Status", context, 0, fails)
    assert context.told
    assert all(total is None for _, total in context.told)


@pytest.mark.usefixtures("quick")
def test_a_client_that_has_gone_does_not_end_the_work() -> None:
    async def works() -> str:
        await anyio.sleep(0.7)
        return "done"

    assert anyio.run(progress.reported, "Status", Context(gone=True), 0, works) == "done"


@pytest.mark.usefixtures("quick")
def test_a_wait_that_ends_late_never_shows_more_than_its_total() -> None:
    context = Context()

    async def works() -> None:
        await anyio.sleep(1.2)

    anyio.run(progress.reported, "Status", context, 0.5, works)
    assert context.told[-1][0] > 0.5
    assert all(total is not None and done <= total for done, total in context.told)
