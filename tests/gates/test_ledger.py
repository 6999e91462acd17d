"""The ledger keeps what it was told, across processes and schemas."""

from __future__ import annotations

import dataclasses
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from quantgate.errors import StorageError
from quantgate.gates import ledger
from quantgate.gates.ledger import contents
from quantgate.gates.views import overview


def _attempt(
    invocation_id: str, fingerprint: str = "f" * 64, kind: str = "canary", created: float = 1.0
) -> ledger.Attempt:
    return ledger.Attempt(
        invocation_id=invocation_id,
        kind=kind,
        fingerprint=fingerprint,
        config="/c.yaml",
        executor="process",
        output_dir="/out",
        tasks=("a", "b"),
        sample_limit=5,
        created=created,
    )


def test_an_attempt_is_found_by_its_id_and_by_the_beginning_of_it() -> None:
    written = _attempt("0123456789abcdef")
    ledger.add_attempt(written)
    assert ledger.attempt("0123456789abcdef") == written
    assert ledger.attempt("0123") == written
    ledger.add_attempt(_attempt("0123ffffffffffff"))
    assert ledger.attempt("0123") is None


def test_an_id_is_data_not_a_pattern() -> None:
    ledger.add_attempt(_attempt("0123456789abcdef"))
    assert ledger.attempt("%") is None
    assert ledger.attempt("' OR 1=1 --") is None


def test_the_outcome_of_a_launch_is_added_later() -> None:
    ledger.add_attempt(_attempt("0123456789abcdef"))
    ledger.settle_attempt("0123456789abcdef", "launched", "/out/x", "")
    found = ledger.attempt("0123456789abcdef")
    assert found is not None
    assert (found.outcome, found.run_dir) == ("launched", "/out/x")


def test_attempts_come_newest_first_and_can_be_chosen() -> None:
    ledger.add_attempt(_attempt("a" * 16, created=1))
    ledger.add_attempt(_attempt("b" * 16, created=2))
    ledger.add_attempt(_attempt("c" * 16, kind="full", created=3))
    ledger.add_attempt(_attempt("d" * 16, fingerprint="0" * 64, created=4))
    assert [a.invocation_id[0] for a in ledger.attempts()] == ["d", "c", "b", "a"]
    assert [a.invocation_id[0] for a in ledger.attempts(fingerprint="f" * 64, kind="canary")] == ["b", "a"]


def test_a_clock_that_is_set_back_does_not_turn_the_order_of_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.add_attempt(_attempt("a" * 16, created=2_000_000_000.0))
    ledger.add_attempt(_attempt("b" * 16, created=1.0))
    assert [a.invocation_id[0] for a in ledger.attempts()] == ["b", "a"]


def test_the_reason_for_skipped_gates_and_the_machine_are_kept() -> None:
    written = dataclasses.replace(_attempt("a" * 16), skip_reason="the user said so twice", host="login-7")
    ledger.add_attempt(written)
    assert ledger.attempt("a" * 16) == written
    assert _attempt("b" * 16).host == socket.gethostname()


def test_an_attempt_that_somebody_settled_is_not_settled_again() -> None:
    ledger.add_attempt(_attempt("a" * 16))
    assert [a.invocation_id for a in ledger.open_attempts()] == ["a" * 16]
    ledger.settle_attempt("a" * 16, "launched", "/out/x", "")
    ledger.settle_attempt("a" * 16, "failed", "", "why")
    (found,) = ledger.attempts()
    assert (found.outcome, found.run_dir, found.error) == ("launched", "/out/x", "")
    assert ledger.open_attempts() == []


def test_the_contents_of_a_config_come_newest_first_and_are_bounded() -> None:
    for number in range(contents.MOST_CONTENTS + 5):
        ledger.put_content(f"{number:064x}", "/c.yaml", {"a": str(number)})
    ledger.put_content("f" * 64, "/other.yaml", {})
    assert len(ledger.contents_of("/c.yaml")) == contents.MOST_CONTENTS
    assert [c.content for c in ledger.contents_of("/c.yaml")[:2]] == [{"a": "54"}, {"a": "53"}]
    ledger.put_content(f"{50:064x}", "/c.yaml", {"a": "50"})
    assert [c.content["a"] for c in ledger.contents_of("/c.yaml")[:2]] == ["50", "54"]
    assert len(ledger.contents_of("/other.yaml")) == 1


def test_resumes_are_numbered_within_their_invocation() -> None:
    assert [ledger.add_resume("a" * 16, ["t.0"]), ledger.add_resume("a" * 16, ["t.0", "t.1"])] == [1, 2]
    assert ledger.add_resume("b" * 16, []) == 1
    ledger.finish_resume("a" * 16, 1, "failed", "why")
    second, first = ledger.resumes("a" * 16)
    assert (first.number, first.tasks, first.outcome, first.error) == (1, ("t.0",), "failed", "why")
    assert (second.number, second.tasks, second.outcome) == (2, ("t.0", "t.1"), "launching")


def test_two_resumes_at_once_get_different_numbers() -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: ledger.add_resume("a" * 16, ["t"]), range(24)))
    assert sorted(numbers) == list(range(1, 25))


def test_a_gate_is_replaced_by_the_next_verdict_on_the_same_invocation() -> None:
    ledger.put_gate(ledger.Gate("f" * 64, "canary", True, (), {"estimate": {"hours": 1}}, "a" * 16))
    ledger.put_gate(ledger.Gate("f" * 64, "canary", False, ("why",), {}, "a" * 16))
    ledger.put_gate(ledger.Gate("f" * 64, "canary", True, (), {}, "b" * 16))
    gate = ledger.gate("f" * 64, "canary", "a" * 16)
    assert gate is not None
    assert (gate.passed, gate.reasons) == (False, ("why",))
    assert ledger.gate("f" * 64, "dry_run") is None


def test_many_writers_at_once_lose_nothing() -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: ledger.add_attempt(_attempt(f"{i:016x}")), range(40)))
    assert len(ledger.attempts(limit=100)) == 40


def test_a_ledger_of_a_newer_version_is_refused_not_spoiled() -> None:
    ledger.add_attempt(_attempt("a" * 16))
    with sqlite3.connect(ledger.path()) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StorageError, match="newer quantgate"):
        ledger.attempts()


def test_a_file_that_is_no_ledger_is_a_clear_error() -> None:
    ledger.path().write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match="ledger"):
        ledger.attempts()


class TestKept:
    @pytest.fixture(autouse=True)
    def _opened(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ledger.add_attempt(_attempt("0123456789abcdef"))
        self.opened: list[sqlite3.Connection] = []
        connect = sqlite3.connect

        def counted(*args: Any, **options: Any) -> sqlite3.Connection:
            self.opened.append(connect(*args, **options))
            return self.opened[-1]

        monkeypatch.setattr(ledger.store.sqlite3, "connect", counted)

    def test_many_names_are_looked_up_with_one_opening(self) -> None:
        for number in range(20):
            ledger.add_attempt(_attempt(f"{number:016x}"))
        self.opened.clear()
        assert len(overview.named([f"{number:016x}" for number in range(20)]).runs) == 20
        assert len(self.opened) == 1
        with pytest.raises(sqlite3.ProgrammingError):
            self.opened[0].execute("SELECT 1")

    def test_what_others_write_meanwhile_is_seen(self) -> None:
        with ledger.kept(), ThreadPoolExecutor(1) as other:
            assert ledger.attempt("fedcba9876543210") is None
            other.submit(ledger.add_attempt, _attempt("fedcba9876543210")).result()
            assert ledger.attempt("fedcba9876543210") is not None
        assert len(self.opened) == 2, "each thread its own"

    def test_one_that_broke_off_is_not_kept(self) -> None:
        with ledger.kept():
            with pytest.raises(StorageError), ledger.store.connection() as opened:
                opened.executescript("BEGIN IMMEDIATE; SELECT nothing")
            ledger.add_attempt(_attempt("fedcba9876543210"))
        assert ledger.attempt("fedcba9876543210") is not None

    def test_inside_another_each_has_its_own(self) -> None:
        with ledger.kept():
            with ledger.store.connection() as outer, ledger.store.connection() as inner:
                assert outer is not inner
            assert ledger.count() == 1
        for opened in self.opened:
            with pytest.raises(sqlite3.ProgrammingError):
                opened.execute("SELECT 1")


def test_an_error_of_what_is_done_under_the_lock_is_not_called_one_of_the_ledger() -> None:
    with pytest.raises(TimeoutError, match="the engine"), ledger.exclusive():
        raise TimeoutError("the engine did not answer")
    with ledger.exclusive():
        pass  # it was let go
