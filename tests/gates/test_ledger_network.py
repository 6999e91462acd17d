"""The ledger on a network file system, told by a table of mounts that names the test's own directory; the file is a real one."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantgate import workspace
from quantgate.gates import ledger
from quantgate.gates.ledger import before, store
from quantgate.launcher import launch_lock
from quantgate.tools import check_environment


@pytest.fixture
def on_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """From here on the state directory lies on a network."""
    table = tmp_path / "mounts"
    table.write_text(f"/dev/sda1 / ext4 rw 0 0\nfiler:/home {workspace.state_dir().resolve()} nfs4 rw 0 0\n")
    monkeypatch.setattr(workspace, "MOUNTS", table)
    yield table
    launch_lock._directory().rmdir()


def _attempt(invocation_id: str) -> ledger.Attempt:
    return ledger.Attempt(invocation_id, "canary", "f" * 64, "/c.yaml", "process", "/out", host="another-machine")


def _journal() -> str:
    with store.connection() as opened:
        return str(opened.execute("PRAGMA journal_mode").fetchone()[0])


def test_a_local_ledger_has_a_write_ahead_log_and_no_note() -> None:
    assert (_journal(), ledger.network_note()) == ("wal", "")


def test_a_ledger_on_a_network_has_a_rollback_journal_and_says_so(on_network: Path) -> None:
    ledger.add_attempt(_attempt("a" * 16))
    assert _journal() == "delete"
    assert "network file system (nfs4 at" in ledger.network_note()
    assert not list(workspace.state_dir().glob("ledger.sqlite-*"))


def test_the_check_of_the_environment_says_so(on_network: Path) -> None:
    warnings = check_environment.check_environment().warnings
    assert [w for w in warnings if "rollback journal" in w and "QUANTGATE_HOME" in w]


def test_a_ledger_that_has_a_log_loses_it_and_no_row_when_it_is_found_on_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A server that was killed: its rows are in the log, not yet in the file.
    left = (
        "import os\nfrom quantgate.gates import ledger\nfrom quantgate.gates.ledger import store\n"
        "c = store.connection(); open = c.__enter__(); ledger.put_content('f', '/c', {'a': 'b'}); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", left], check=True, timeout=60)
    assert list(workspace.state_dir().glob("ledger.sqlite-wal"))
    table = tmp_path / "mounts"
    table.write_text(f"filer:/home {workspace.state_dir().resolve()} nfs rw 0 0\n")
    monkeypatch.setattr(workspace, "MOUNTS", table)
    assert [c.content for c in ledger.contents_of("/c")] == [{"a": "b"}]
    assert _journal() == "delete"
    assert not list(workspace.state_dir().glob("ledger.sqlite-wal"))


def test_a_ledger_of_an_earlier_schema_is_copied_and_taken_over_on_a_network_too(on_network: Path) -> None:
    old = (Path(__file__).parent / "data" / "ledger-1-first.sql").read_text(encoding="utf-8")
    with contextlib.closing(sqlite3.connect(ledger.path())) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(old)
    assert len(ledger.attempts()) == 4
    assert _journal() == "delete"
    with contextlib.closing(sqlite3.connect(before.path_of(ledger.path(), 1))) as copy:
        assert copy.execute("SELECT count(*) FROM attempts").fetchone() == (4,)


def test_writers_at_once_lose_nothing_without_the_log(on_network: Path) -> None:
    write = (
        "import sys; from pathlib import Path; from quantgate import workspace; workspace.MOUNTS = Path(sys.argv[1])\n"
        "from quantgate.gates import ledger\nfor n in range(10): ledger.add_resume('a' * 16, [])\n"
        "from quantgate.gates.ledger import store\n"
        "with store.connection() as opened: print(opened.execute('PRAGMA journal_mode').fetchone()[0])"
    )
    servers = [
        subprocess.Popen([sys.executable, "-c", write, str(on_network)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [server.communicate(timeout=60)[0].strip() for server in servers] == ["delete"] * 3
    assert len(ledger.resumes("a" * 16)) == 30


def test_the_locks_of_a_state_directory_on_a_network_are_this_machine_s(on_network: Path) -> None:
    assert not launch_lock.shared()
    with launch_lock.taken("a" * 16):
        assert launch_lock.held("a" * 16)
        assert not list(workspace.state_dir().rglob("*.lock"))
    assert not launch_lock.held("a" * 16)
