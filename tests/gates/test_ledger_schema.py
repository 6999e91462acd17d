"""The ledger's tables change without losing a row, whole or not at all, and never back."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from quantgate.errors import StorageError
from quantgate.gates import ledger
from quantgate.gates.ledger import schema

VERSION_1 = """
CREATE TABLE attempts (
    invocation_id TEXT PRIMARY KEY, kind TEXT NOT NULL, fingerprint TEXT NOT NULL, config TEXT NOT NULL,
    executor TEXT NOT NULL, output_dir TEXT NOT NULL, run_dir TEXT NOT NULL, tasks TEXT NOT NULL,
    sample_limit INTEGER NOT NULL, outcome TEXT NOT NULL, error TEXT NOT NULL, endpoint TEXT NOT NULL, created REAL NOT NULL
);
CREATE INDEX attempts_by_fingerprint ON attempts (fingerprint, kind, created);
CREATE TABLE gates (
    fingerprint TEXT NOT NULL, gate TEXT NOT NULL, passed INTEGER NOT NULL, reasons TEXT NOT NULL, detail TEXT NOT NULL,
    invocation_id TEXT NOT NULL, judged REAL NOT NULL, PRIMARY KEY (fingerprint, gate, invocation_id)
);
PRAGMA user_version=1;
"""
"""As quantgate 0.1.0 made it; kept here by hand, so that no change of the code can change it."""


@pytest.fixture
def old() -> Path:
    """A ledger of the first schema with two launches and a gate."""
    connection = sqlite3.connect(ledger.path())
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(VERSION_1)
    row = ["a" * 16, "canary", "f" * 64, "/c.yaml", "process", "/out", "/out/x", '["t"]', 5, "launched", "", "{}", 10.0]
    connection.execute(f"INSERT INTO attempts VALUES ({','.join('?' * 13)})", row)
    connection.execute(f"INSERT INTO attempts VALUES ({','.join('?' * 13)})", ["b" * 16, "full", *row[2:12], 5.0])
    connection.execute(
        "INSERT INTO gates VALUES (?,?,?,?,?,?,?)", ["f" * 64, "canary", 1, "[]", '{"limit": 5}', "a" * 16, 11.0]
    )
    connection.commit()
    connection.close()
    return ledger.path()


def _version(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return schema.version_of(connection)
    finally:
        connection.close()


def test_every_row_of_the_first_schema_survives_the_change_to_the_second(old: Path) -> None:
    assert _version(old) == 1
    assert [a.invocation_id[0] for a in ledger.attempts()] == ["b", "a"]
    assert _version(old) == 2
    attempt = ledger.attempt("a" * 16)
    assert attempt == ledger.Attempt(
        *("a" * 16, "canary", "f" * 64, "/c.yaml", "process", "/out", "/out/x", ("t",), 5, "launched", "", "{}", 10.0),
        host="",
        skip_reason="",
    )
    gate = ledger.gate("f" * 64, "canary", "a" * 16)
    assert gate is not None
    assert (gate.passed, gate.detail, gate.judged) == (True, {"limit": 5}, 11.0)
    ledger.put_content("f" * 64, "/c.yaml", {"x": "1"})
    assert ledger.add_resume("a" * 16, ["t"]) == 1


def test_a_change_that_stops_half_way_leaves_the_old_ledger(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (schema.STEPS[0], (*schema.STEPS[1][:2], "CREATE TABLE gates (already there)", *schema.STEPS[1][2:]))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", broken)
        with pytest.raises(StorageError, match="already exists"):
            ledger.attempts()
    assert _version(old) == 1
    connection = sqlite3.connect(old)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(attempts)")]
    connection.close()
    assert len(columns) == 13
    assert len(ledger.attempts()) == 2


def test_several_servers_that_open_an_old_ledger_at_once_change_it_once(old: Path) -> None:
    look = "from quantgate.gates import ledger; print(len(ledger.attempts()), ledger.add_resume('a' * 16, ['t']))"
    servers = [
        subprocess.Popen([sys.executable, "-c", look], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    said = [server.communicate(timeout=60) for server in servers]
    assert [error for _, error in said] == [""] * 6
    assert sorted(out.split() for out, _ in said) == [["2", str(n)] for n in range(1, 7)]
    assert _version(old) == 2


def test_a_ledger_of_a_newer_version_is_refused_with_the_way_out(old: Path) -> None:
    ledger.attempts()
    connection = sqlite3.connect(old)
    connection.execute("PRAGMA user_version=3")
    connection.close()
    with pytest.raises(StorageError, match=r"newer quantgate \(schema 3, this one knows 2\).*upgrade quantgate"):
        ledger.add_attempt(ledger.Attempt("c" * 16, "canary", "f" * 64, "/c.yaml", "process", "/out"))
    assert _version(old) == 3


def test_an_open_attempt_is_found_by_an_index(old: Path) -> None:
    ledger.attempts()
    connection = sqlite3.connect(old)
    plan = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM attempts WHERE outcome='launching'").fetchall()
    connection.close()
    assert "attempts_open" in plan[0][-1]
