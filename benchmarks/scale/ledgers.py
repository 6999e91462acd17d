"""Many runs in one ledger, all of them in NEL's record too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from quantgate.errors import QuantgateError
from quantgate.gates import ledger
from quantgate.gates.ledger import store
from quantgate.launcher import execdb
from quantgate.server import completion
from quantgate.server.resources import runs as resource
from quantgate.tools.status import status

from . import made
from .figures import Figure, milliseconds

SIZES = (100, 1_000, 10_000, 30_000)
AT_ONCE = 2_000
_RUNS = "quantgate://runs/{invocation_id}"


def measure(*, quick: bool = False) -> Iterator[Figure]:
    """The calls that look at runs, at each size."""
    with made.own_home():
        begin = 0
        for size in SIZES[:-1] if quick else SIZES:
            for at in range(begin, size, AT_ONCE):
                numbers = range(at, min(size, at + AT_ONCE))
                made.write_by_schema([made.attempt(n) for n in numbers])
                bytes_recorded = made.record(numbers)
            begin = size
            yield Figure("ledgers", "NEL's record of these runs", size, "runs", bytes_recorded / 1e6, "MB")
            yield Figure("ledgers", "the ledger's file", size, "runs", ledger.path().stat().st_size / 1e6, "MB")
            # A new server reads NEL's record from its beginning.
            execdb._record._forget()
            yield Figure(
                "ledgers", "status() in a server that has just started", size, "runs", milliseconds(status, 1), "ms"
            )
            for what, call in _calls(size).items():
                yield Figure("ledgers", what, size, "runs", milliseconds(call), "ms")
            found = completion.completed(_RUNS, "invocation_id", made.invocation(0)[:8])
            count = found.values.count(made.invocation(0)) if found else 0
            yield Figure("ledgers", "the oldest id, completed by its first 8 characters", size, "runs", count, "found")
            yield Figure("ledgers", "statements of status()", size, "runs", _statements(status), "statements")


def _calls(size: int) -> dict[str, Callable[[], Any]]:
    fingerprint = made.attempt(size // 2).fingerprint
    some = [made.invocation(size - 1 - n) for n in range(50)]

    def short() -> None:
        try:
            status([made.invocation(7)[:4]])
        except QuantgateError:
            return  # several begin so: the answer says it

    return {
        "status(), again": status,
        "status of 50 ids": lambda: status(some),
        "status of the first 4 characters of an id": short,
        "a lookup in NEL's record": lambda: execdb.jobs(some[0]),
        "the launches of one config": lambda: ledger.attempts(fingerprint=fingerprint),
        "the list of runs as a resource": resource._listed,
        "completion of an id": lambda: completion.completed(_RUNS, "invocation_id", made.invocation(3)[:3]),
    }


def _statements(call: Callable[[], Any]) -> int:
    """How many statements a call runs on the ledger."""
    seen: list[str] = []
    real = store._opened

    def traced(*args: Any) -> Any:
        opened = real(*args)
        opened.set_trace_callback(seen.append)
        return opened

    store._opened = traced  # type: ignore[assignment]
    try:
        call()
    finally:
        store._opened = real
    return len(seen)
