"""Many servers on one login node: what each costs while it idles and while it works.

Two hundred servers do not fit here: 1, 5 and 20 real ones are measured, and the page extrapolates and says so.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.tool_server import ToolServer

from . import made, waits
from .figures import Figure, processor_of

COUNTS = (1, 5, 20)
RUNS = 200
"""In the ledger of each server's user."""
IDLE_SECONDS = 10.0
BUSY_SECONDS = 10.0
LOOKS_APART = 0.5


def measure(*, quick: bool = False) -> Iterator[Figure]:
    """Memory, processor time and open files of servers that idle and work; then what those who wait ask of a scheduler."""
    for count in COUNTS[: 2 if quick else None]:
        yield from _servers(count)
    yield from waits.measure(quick=quick)


def _servers(count: int) -> Iterator[Figure]:
    with contextlib.ExitStack() as stack:
        servers = []
        for number in range(count):
            home = stack.enter_context(made.own_home())
            made.write_by_schema([made.attempt(number * RUNS + n) for n in range(RUNS)])
            servers.append(stack.enter_context(ToolServer(env=dict(os.environ), cwd=home)))
            servers[-1].begin()
        yield from _memories("a server that was not asked yet", servers)
        for server in servers:
            server.call("status")
        pids = [server.process.pid for server in servers]
        before = sum(map(processor_of, pids))
        time.sleep(IDLE_SECONDS)
        idle = (sum(map(processor_of, pids)) - before) / IDLE_SECONDS
        yield from _memories("an idle server", servers)
        yield Figure(
            "servers", "processor time of idle servers", count, "servers", idle * 1000 / count, "ms a second, each"
        )
        files = max(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
        yield Figure("servers", "open files of a server", count, "servers", files, "files")
        yield from _busy(servers)


def _busy(servers: Sequence[ToolServer]) -> Iterator[Figure]:
    """Each server is asked all the time by a client of its own."""
    count = len(servers)
    pids = [server.process.pid for server in servers]
    calls = [0] * count
    over = threading.Event()

    def ask(number: int) -> None:
        while not over.is_set():
            servers[number].call("status")
            calls[number] += 1

    before = sum(map(processor_of, pids))
    clients = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    for client in clients:
        client.start()
    most = {"Pss": 0, "Private": 0}
    ends = time.monotonic() + BUSY_SECONDS
    while time.monotonic() < ends:
        time.sleep(LOOKS_APART)
        now = [_memory(pid) for pid in pids]
        most = {key: max(value, sum(m[key] for m in now)) for key, value in most.items()}
    over.set()
    for client in clients:
        client.join()
    worked = (sum(map(processor_of, pids)) - before) * 1000 / max(1, sum(calls))
    for name, key in (("its part of what is shared (PSS)", "Pss"), ("private", "Private")):
        value = most[key] / 1024 / count
        yield Figure("servers", f"memory of a busy server at most, {name}", count, "servers", value, "MB")
    yield Figure("servers", "processor time of status()", count, "servers", worked, "ms")
    yield Figure(
        "servers", "calls of status() answered", count, "servers", sum(calls) / BUSY_SECONDS, "calls a second, all"
    )


def _memories(whose: str, servers: Sequence[ToolServer]) -> Iterator[Figure]:
    memory = [_memory(server.process.pid) for server in servers]
    for name, key in (("resident", "Rss"), ("its part of what is shared (PSS)", "Pss"), ("private", "Private")):
        value = sum(m[key] for m in memory) / 1024 / len(servers)
        yield Figure("servers", f"memory of {whose}, {name}", len(servers), "servers", value, "MB")


def _memory(pid: int) -> dict[str, int]:
    """Kilobytes, of `smaps_rollup`."""
    rows = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
    found = {row[0].rstrip(":"): int(row[1]) for row in rows if row[1].isdigit()}
    return found | {"Private": found["Private_Clean"] + found["Private_Dirty"]}
