"""Ten thousand runs in one ledger: what an answer asks of it does not grow with what it holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from benchmarks.scale import made

from quantgate.errors import UnknownName
from quantgate.gates import ledger
from quantgate.gates.ledger import store
from quantgate.gates.views import overview
from quantgate.server.completion import completed
from quantgate.tools.status import status
from quantgate.watch import session

RUNS = "quantgate://runs/{invocation_id}"


def _rows() -> list[tuple[Any, ...]]:
    with store.connection() as opened:
        return [tuple(row) for row in opened.execute("SELECT * FROM attempts ORDER BY rowid")]


@contextmanager
def _statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that any connection to the ledger runs."""
    seen: list[str] = []
    real = store._opened

    def traced(*args: Any) -> sqlite3.Connection:
        opened = real(*args)
        opened.set_trace_callback(seen.append)
        return opened

    with monkeypatch.context() as patch:
        patch.setattr(store, "_opened", traced)
        yield seen


def test_rows_that_are_written_by_the_schema_are_those_that_the_gates_write() -> None:
    attempts = [made.attempt(n, tasks=("a", "b"), endpoint='{"x": 1}', host="h") for n in range(5)]
    made.write_by_interface(attempts)
    by_interface = _rows()
    with store.connection() as opened:
        opened.execute("DELETE FROM attempts")
    made.write_by_schema(attempts)
    assert _rows() == by_interface
    assert len(by_interface) == 5


@pytest.mark.parametrize(
    "asked", [status, lambda: status([made.invocation(1)]), lambda: completed(RUNS, "invocation_id", "a")]
)
def test_an_answer_takes_as_many_statements_in_a_large_ledger_as_in_a_small_one(
    asked: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for begin, end in ((0, 100), (100, 10_000)):
        made.write_by_schema([made.attempt(n) for n in range(begin, end)])
        with _statements(monkeypatch) as seen:
            asked()
        counts.append(len(seen))
    # With more than ten runs `status()` is full.
    assert counts[0] == counts[1] < 60


def test_launches_of_a_fingerprint_are_found_by_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    made.write_by_schema([made.attempt(n) for n in range(100)])
    with _statements(monkeypatch) as seen:
        assert len(ledger.attempts(fingerprint=made.attempt(0).fingerprint)) == 20
        assert len(ledger.attempts(fingerprint=made.attempt(0).fingerprint, kind="canary")) == 1
    asked = [text for text in seen if text.startswith("SELECT * FROM attempts")]
    with store.connection() as opened:
        plans = [opened.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()[0][-1] for text in asked]
    assert [plan.partition(" (")[0] for plan in plans] == ["SEARCH attempts USING INDEX attempts_by_fingerprint"] * 2


def test_the_oldest_of_many_ids_is_completed_by_its_beginning() -> None:
    made.write_by_schema([made.attempt(n) for n in range(2000)])
    oldest = made.invocation(0)
    found = completed(RUNS, "invocation_id", oldest[:8])
    assert found is not None
    assert found.values == [oldest]
    every = completed(RUNS, "invocation_id", "")
    assert every is not None
    assert (len(every.values), every.has_more, every.values[0]) == (100, True, made.invocation(1999))


def test_the_beginning_of_several_ids_is_refused_with_these_ids() -> None:
    attempts = [made.attempt(n, invocation_id=f"abcd{n:012x}") for n in range(2)]
    made.write_by_schema(attempts)
    with pytest.raises(UnknownName, match=r"several begin so \(abcd0{11}1, abcd0{12}\): give more of the id"):
        status(["abcd"])
    with pytest.raises(UnknownName, match="the newest are"):
        status(["beef"])


def test_watching_the_newest_run_looks_at_all_candidates_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made.write_by_schema([made.attempt(n) for n in range(30)])
    asked: list[int] = []
    real = overview.views

    def counted(runs: Any) -> Any:
        asked.append(len(runs))
        return real(runs)

    monkeypatch.setattr(overview, "views", counted)
    assert session._newest() == made.invocation(29)
    assert asked == [session.LOOKED_AT]
