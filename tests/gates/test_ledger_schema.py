"""The ledger's tables change without losing a row, whole or not at all, and never back.

The old ledgers in data/ were written by the code of their time, with launches of every outcome and kind: `ledger-1-first` by
the first commit, whose gates had a key of two columns, `ledger-1` and `ledger-2` by the later schemas.
"""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import StorageError
from quantgate.gates import ledger
from quantgate.gates.ledger import before, schema

DATA = Path(__file__).with_name("data")
OLD = ["ledger-1-first", "ledger-1", "ledger-2"]
CANARY, FULL, SUBSET, UNSETTLED = "1a" * 8, "2b" * 8, "2b3c" * 4, "4d" * 8
FIRST, SECOND, THIRD = (f"{number:064x}" for number in (11, 12, 13))
Rows = dict[str, list[dict[str, Any]]]


def _made(name: str) -> Path:
    with closing(sqlite3.connect(ledger.path())) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript((DATA / f"{name}.sql").read_text(encoding="utf-8"))
    return ledger.path()


@pytest.fixture(params=OLD)
def old(request: pytest.FixtureRequest) -> Path:
    """A ledger of each earlier schema."""
    return _made(request.param)


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return schema.version_of(connection)


def _rows(path: Path) -> Rows:
    """Every row of every table, in the order of writing."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        return {
            name: [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY rowid")] for name in names
        }


def _tables(path: Path) -> dict[str, Any]:
    """Columns, keys and indexes, without the wording of the statements that made them."""
    with closing(sqlite3.connect(path)) as connection:
        names = [
            row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY name")
        ]
        columns = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in names}
        indexes = {
            (name, index[1]): (
                index[2:],
                connection.execute(f"PRAGMA index_info({index[1]})").fetchall(),
            )
            for name in names
            for index in connection.execute(f"PRAGMA index_list({name})").fetchall()
        }
    return {"columns": columns, "indexes": indexes}


def _kept(before_change: Rows, after: Rows) -> bool:
    """Whether every row is there with every value that it had; columns and tables may have been added."""
    return all(
        [{name: row[name] for name in old_row} for row, old_row in zip(after[table], rows, strict=True)] == rows
        for table, rows in before_change.items()
    )


def test_every_row_of_an_earlier_schema_is_there_after_the_change(old: Path) -> None:
    rows = _rows(old)
    assert len(rows["attempts"]) >= 4
    assert len(rows["gates"]) == 3
    newest = [row["invocation_id"] for row in reversed(rows["attempts"])]
    assert [attempt.invocation_id for attempt in ledger.attempts()] == newest
    assert _version(old) == schema.SCHEMA_VERSION
    assert _kept(rows, _rows(old))


def test_launches_gates_contents_and_resumes_of_an_earlier_schema_mean_what_they_meant(old: Path) -> None:
    had_resumes = "resumes" in _rows(old)
    canary = ledger.attempt(CANARY)
    assert canary is not None
    assert (canary.kind, canary.tasks, canary.sample_limit) == ("canary", ("ifbench", "gpqa.*"), 5)
    assert (canary.outcome, canary.run_dir) == ("launched", "/out dir/20251114_1a")
    assert canary.config == "/work/eval/it's a config.yaml"
    subset = ledger.attempt(SUBSET[:4])
    assert subset is not None
    assert (subset.outcome, subset.error) == ("failed", "sbatch: error: invalid account\nsecond line")
    assert ledger.attempt("2b") is None, "two ids begin so"
    assert [attempt.invocation_id for attempt in ledger.open_attempts()][:1] == [UNSETTLED]
    gate = ledger.gate(FIRST, "canary", CANARY)
    assert gate is not None
    assert (gate.passed, gate.reasons, gate.detail) == (True, ("5 of 5 samples",), {"limit": 5, "tasks": ["ifbench"]})
    failed = ledger.gate(THIRD, "canary", UNSETTLED)
    assert failed is not None
    assert (failed.passed, failed.reasons[1]) == (False, "it's empty")
    assert ledger.gate(FIRST, "dry_run") is not None
    resumes = [("launching", ("ifbench", "gpqa")), ("launched", ("ifbench",))] if had_resumes else []
    assert [(resume.outcome, resume.tasks) for resume in ledger.resumes(FULL)] == resumes
    contents = [SECOND, FIRST] if had_resumes else []
    assert [content.fingerprint for content in ledger.contents_of("/work/eval/zwei.yaml")] == contents


def test_a_changed_ledger_has_the_tables_of_a_new_one(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.attempts()
    changed = _tables(old)
    monkeypatch.setenv("QUANTGATE_HOME", str(tmp_path / "fresh"))
    ledger.attempts()
    assert ledger.path() != old
    assert changed == _tables(ledger.path())


def test_a_second_canary_no_longer_replaces_the_first_in_a_ledger_of_the_first_commit() -> None:
    _made("ledger-1-first")
    ledger.put_gate(ledger.Gate(FIRST, "canary", False, ("late",), {}, "9f" * 8))
    kept = ledger.gate(FIRST, "canary", CANARY)
    assert kept is not None
    assert kept.passed
    second = ledger.gate(FIRST, "canary", "9f" * 8)
    assert second is not None
    assert second.reasons == ("late",)


def test_the_ledger_before_the_change_is_kept_beside_it_for_its_owner_only(old: Path) -> None:
    rows, version = _rows(old), _version(old)
    ledger.attempts()
    copy = old.with_name(f"ledger.schema-{version}.sqlite")
    assert copy == before.path_of(old, version)
    assert _rows(copy) == rows
    assert _version(copy) == version
    assert copy.stat().st_mode & 0o777 == 0o600
    assert not list(old.parent.glob("*.part*"))


def test_a_new_ledger_leaves_no_copy() -> None:
    ledger.attempts()
    assert not list(ledger.path().parent.glob("ledger.schema-*"))


def test_a_ledger_that_cannot_be_copied_is_not_changed(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, version = _rows(old), _version(old)

    def full(part: Path, *_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(before.os, "open", full)
        with pytest.raises(StorageError, match="No space left"):
            ledger.attempts()
    assert (_rows(old), _version(old)) == (rows, version)
    assert len(ledger.attempts()) == len(rows["attempts"])


def test_a_change_that_stops_half_way_leaves_the_old_ledger(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, version = _rows(old), _version(old)
    last = schema.STEPS[-1]
    broken = (*schema.STEPS[:-1], (*last[:1], "CREATE TABLE gates (already there)", *last[1:]))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", broken)
        with pytest.raises(StorageError, match="already exists"):
            ledger.attempts()
    assert (_rows(old), _version(old)) == (rows, version)
    assert len(ledger.attempts()) == len(rows["attempts"])


KILLED = """
import os, signal, sys
from quantgate.gates import ledger
from quantgate.gates.ledger import before, schema

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Dying(tuple):
    def __iter__(self):
        for number, statement in enumerate(tuple.__iter__(self)):
            if number == int(sys.argv[1]):
                die()
            yield statement
        die()

if sys.argv[1] == "copy":
    before.sqlite3 = type("", (), {"connect": lambda file: die()})
else:
    schema.STEPS = (*schema.STEPS[:-1], Dying(schema.STEPS[-1]))
ledger.attempts()
"""
"""Dies by SIGKILL while the ledger is copied, before a statement of the last step, or before its end is written."""


@pytest.mark.parametrize("where", ["copy", "0", "2", "99"])
def test_a_server_that_is_killed_in_the_change_loses_nothing(where: str) -> None:
    old = _made("ledger-1-first")
    rows = _rows(old)
    killed = subprocess.run([sys.executable, "-c", KILLED, where], capture_output=True, check=False, timeout=60)
    assert killed.returncode == -9, killed.stderr
    assert (_rows(old), _version(old)) == (rows, 1)
    assert len(ledger.attempts()) == len(rows["attempts"])
    assert _kept(rows, _rows(old))
    assert _rows(before.path_of(old, 1)) == rows
    assert not list(old.parent.glob("*.part*"))


def test_several_servers_that_open_an_old_ledger_at_once_change_it_once() -> None:
    old = _made("ledger-1-first")
    rows = _rows(old)
    look = "from quantgate.gates import ledger; print(len(ledger.attempts()), ledger.add_resume('1a' * 8, ['t']))"
    servers = [
        subprocess.Popen([sys.executable, "-c", look], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    said = [server.communicate(timeout=60) for server in servers]
    assert [error for _, error in said] == [""] * 6
    assert sorted(out.split() for out, _ in said) == [["4", str(n)] for n in range(1, 7)]
    assert _version(old) == schema.SCHEMA_VERSION
    assert _kept(rows, _rows(old))
    assert _rows(before.path_of(old, 1)) == rows, "no second server copied what the first had changed"


def test_a_ledger_of_a_newer_version_is_refused_with_the_way_out_and_left_alone() -> None:
    newer = schema.SCHEMA_VERSION + 1
    ledger.add_attempt(ledger.Attempt("b" * 16, "canary", "f" * 64, "/c.yaml", "process", "/out"))
    with closing(sqlite3.connect(ledger.path())) as connection:
        connection.execute("CREATE TABLE of_tomorrow (x)")
        connection.execute(f"PRAGMA user_version={newer}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    digest = hashlib.sha256(ledger.path().read_bytes()).hexdigest()
    with pytest.raises(StorageError, match=rf"newer quantgate \(schema {newer}, this one knows {newer - 1}\)") as error:
        ledger.add_attempt(ledger.Attempt("c" * 16, "canary", "f" * 64, "/c.yaml", "process", "/out"))
    assert error.value.where == str(ledger.path())
    assert "upgrade quantgate" in error.value.fix
    assert hashlib.sha256(ledger.path().read_bytes()).hexdigest() == digest
    assert not list(ledger.path().parent.glob("ledger.schema-*"))


def test_the_refusal_names_the_copy_that_this_version_can_read() -> None:
    copy = before.path_of(ledger.path(), schema.SCHEMA_VERSION)
    copy.touch()
    with closing(sqlite3.connect(ledger.path())) as connection:
        connection.execute(f"PRAGMA user_version={schema.SCHEMA_VERSION + 1}")
    with pytest.raises(StorageError, match="newer quantgate") as error:
        ledger.attempts()
    assert str(copy) in error.value.fix


def test_an_open_attempt_is_found_by_an_index(old: Path) -> None:
    ledger.attempts()
    with closing(sqlite3.connect(old)) as connection:
        plan = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM attempts WHERE outcome='launching'").fetchall()
    assert "attempts_open" in plan[0][-1]
