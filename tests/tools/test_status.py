"""`status`: which runs, in which order, with which warnings, and what to call next."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import BadInput, UnknownName
from quantgate.gates import ledger
from quantgate.launcher import execdb
from quantgate.tools import TOOLS
from quantgate.tools.status import status
from tests.runs.building import NAME, REAL, TASK, age, empty_task, runner, stage

INVOCATION = "5f3c9a1e7b2d4860"


def _launched(invocation: str, created: float = 1000.0, **changes: Any) -> None:
    values: dict[str, Any] = {
        "invocation_id": invocation,
        "kind": "full",
        "fingerprint": "f" * 64,
        "config": "/configs/eval.yaml",
        "executor": "process",
        "output_dir": "/nowhere",
        "outcome": "launched",
        "created": created,
        **changes,
    }
    ledger.add_attempt(ledger.Attempt(**values))


def _recorded(invocation: str, created: float, output_dir: str = "/nowhere/task.0", executor: str = "local") -> None:
    """A line of NEL's own record, with the fields in NEL's order."""
    file = execdb.path()
    file.parent.mkdir(parents=True, exist_ok=True)
    row = {
        "invocation_id": invocation,
        "job_id": f"{invocation}.0",
        "timestamp": created,
        "executor": executor,
        "data": {"output_dir": output_dir},
        "config": {"evaluation": {"tasks": [{"name": "ifbench.ifbench"}]}},
    }
    with file.open("a") as lines:
        lines.write(json.dumps(row) + "\n")


@pytest.fixture
def real(tmp_path: Path) -> Path:
    return Path(shutil.copytree(REAL, tmp_path / NAME))


def _finished(tmp_path: Path, exit_code: int, *marks: str) -> Path:
    task = empty_task(tmp_path)
    stage(task, "running")
    stage(task, "exit", f"2026-11-21T09:55:36Z {exit_code}\n")
    for mark in marks:
        stage(task, mark)
    return task.path.parent


def test_an_unknown_id_among_several_is_a_warning_and_the_known_ones_are_told(real: Path) -> None:
    result = status(["0123456789abcdef", str(real), "../../etc", "not an id"])
    assert [r.state for r in result.runs] == ["succeeded"]
    assert len(result.warnings) == 3
    assert "0123456789abcdef" in result.warnings[0]


def test_when_no_id_is_known_the_call_is_refused() -> None:
    with pytest.raises(UnknownName, match="0123456789abcdef"):
        status(["0123456789abcdef", "fedcba9876543210"])


@pytest.mark.parametrize(
    "name",
    [
        "../../etc",
        "/etc",
        "'; DROP TABLE attempts;--",
        "\x00",
        "a" * 5000,
        "/" + "a" * 5000,
        "~nobody-of-that-name/x",
        "",
    ],
)
def test_an_id_that_is_none_is_refused_and_opens_nothing(name: str) -> None:
    with pytest.raises(BadInput):
        status([name])


def test_a_run_that_is_named_twice_is_told_once(real: Path) -> None:
    _launched(INVOCATION, run_dir=str(real))
    result = status([INVOCATION, INVOCATION[:8], str(real), f"{real}/"])
    assert [r.invocation_id for r in result.runs] == [INVOCATION]


@pytest.mark.parametrize(("given", "taken"), [(-3, 0), (46, 45), (100_000, 45)])
def test_a_wait_out_of_range_is_clamped_with_a_warning(real: Path, given: int, taken: int) -> None:
    result = status([str(real)], wait_seconds=given)
    assert any(f"wait_seconds={given} was taken as {taken}" in w for w in result.warnings)


def test_a_run_whose_directory_was_deleted_is_unknown_and_says_why(real: Path) -> None:
    _launched(INVOCATION, run_dir=str(real))
    shutil.rmtree(real)
    started = time.monotonic()
    result = status([INVOCATION], wait_seconds=45)
    assert time.monotonic() - started < 5, "nothing is left to wait for"
    assert result.runs[0].state == "unknown"
    assert f"{real} is gone" in result.runs[0].reason
    assert "Nothing of this run can be read" in result.next_step


def test_a_directory_without_a_task_is_unknown_and_not_pending_for_ever(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (row,) = status([str(tmp_path / NAME)]).runs
    assert (row.state, row.reason) == ("unknown", "its directory holds no task")


def test_a_launch_that_failed_says_why() -> None:
    _launched(INVOCATION, outcome="failed", error="NEL did not answer within 300 s")
    (row,) = status([INVOCATION]).runs
    assert row.state == "failed"
    assert "NEL did not answer" in row.reason


def test_our_runs_and_those_of_plain_nel_are_listed_together_newest_first(real: Path) -> None:
    _launched("a" * 16, 1000.0)
    _launched("b" * 16, 3000.0)
    _recorded("c" * 16, 2000.0)
    _recorded(INVOCATION, 4000.0, str(real / TASK))
    _recorded("b" * 16, 3000.0, executor="process")
    rows = status().runs
    assert [(r.invocation_id[:4], r.kind) for r in rows] == [
        (INVOCATION[:4], "external"),
        ("bbbb", "full"),
        ("cccc", "external"),
        ("aaaa", "full"),
    ]
    assert (rows[0].state, rows[0].executor) == ("succeeded", "local")
    assert rows[0].tasks[0].job_ids == [f"{INVOCATION}.0"]
    assert rows[0].tasks[0].scheduler_state == ""
    assert rows[2].state == "unknown"
    assert "not on this machine" in rows[2].reason


def test_a_run_of_plain_nel_is_found_by_its_id_too(real: Path) -> None:
    _recorded(INVOCATION, 4000.0, str(real / TASK))
    (row,) = status([INVOCATION]).runs
    assert (row.kind, row.state, row.run_dir) == ("external", "succeeded", str(real))


def test_a_clock_that_was_set_back_does_not_change_the_order_of_our_launches() -> None:
    _launched("a" * 16, 5000.0)
    _launched("b" * 16, 100.0)
    assert [r.invocation_id[0] for r in status().runs] == ["b", "a"]


@pytest.mark.parametrize("damage", ["binary", "directory", "unreadable", "half a line", "no strings"])
def test_a_broken_record_of_nel_hides_none_of_our_runs(damage: str) -> None:
    _launched("a" * 16)
    file = execdb.path()
    file.parent.mkdir(parents=True)
    if damage == "directory":
        file.mkdir()
    elif damage == "unreadable":
        file.symlink_to(file)
    else:
        content = {
            "binary": os.urandom(100_000),
            "half a line": b'{"invocation_id": "cc',
            "no strings": b'[1]\n{"job_id": 3}\n',
        }
        file.write_bytes(content[damage])
    assert [r.invocation_id for r in status().runs] == ["a" * 16]


def test_a_record_that_leads_to_a_file_or_to_no_run_is_told_and_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "something.0").mkdir()
    _recorded("c" * 16, 1.0, str(tmp_path / "something.0" / "else.0"))
    _recorded("d" * 16, 2.0, "\x00")
    _launched("a" * 16)
    assert {r.invocation_id[0]: r.state for r in status().runs} == {"a": "unknown", "c": "unknown", "d": "unknown"}


def test_what_was_left_out_is_counted_over_both_records() -> None:
    _launched(INVOCATION)
    _launched_often(1199)
    for number in range(30):
        _recorded(f"f{number:015x}", 1.0)
    result = status()
    assert (len(result.runs), result.omitted) == (10, 1220)


def test_the_next_step_of_each_end_is_a_call_that_exists(tmp_path: Path, real: Path) -> None:
    ends: dict[str, tuple[Path, str]] = {
        "succeeded": (real, "verify_run"),
        "failed": (_finished(tmp_path / "1", 1), "resume"),
        "interrupted": (_finished(tmp_path / "2", 143), "resume"),
        "cancelled": (_finished(tmp_path / "3", 143, "cancelled"), "resume"),
    }
    tools = {spec.name for spec in TOOLS}
    for number, (state, (path, wanted)) in enumerate(ends.items()):
        invocation = f"{number}" * 16
        moved = path.rename(path.with_name(f"20261121_095453-{invocation}"))
        _launched(invocation, run_dir=str(moved))
        result = status([invocation])
        assert result.runs[0].state == state, result.runs[0]
        calls = set(re.findall(r"(\w+)\(", result.next_step))
        assert wanted in calls
        assert calls <= tools
        assert invocation in result.next_step


def test_a_run_that_was_not_launched_here_is_not_offered_to_be_resumed(tmp_path: Path) -> None:
    result = status([str(_finished(tmp_path, 143))])
    assert "resume(" not in result.next_step
    assert f"logs(invocation_id='{tmp_path / NAME}')" in result.next_step


def test_several_tasks_each_have_their_own_state_and_progress(tmp_path: Path, real: Path) -> None:
    shutil.copytree(real / TASK, real / "ifbench.ifbench.1")
    (real / "ifbench.ifbench.1" / "logs" / "stage.exit").unlink()
    runner(real / "ifbench.ifbench.1" / "logs")
    for part in ("logs", "artifacts"):
        (real / "ifbench.ifbench.2" / part).mkdir(parents=True)
    runner(real)
    (row,) = status([str(real)]).runs
    assert row.state == "running"
    told = [(t.task[-1], t.state, t.samples_done, t.samples_expected) for t in row.tasks]
    assert told == [("0", "succeeded", 20, 20), ("1", "running", 20, 20), ("2", "pending", -1, 294)]


def test_old_tasks_that_nobody_runs_are_not_waited_for(tmp_path: Path) -> None:
    task = empty_task(tmp_path)
    age(task.path, 3600)
    assert status([str(task.path.parent)], wait_seconds=45).runs[0].state == "interrupted"


def test_ten_thousand_launches_and_five_thousand_records_cost_little_more_than_ten(real: Path) -> None:
    _launched(INVOCATION, run_dir=str(real))
    status(), status([INVOCATION])
    few = _cpu_seconds()
    _launched_often(10_000)
    for number in range(5_000):
        _recorded(f"e{number:015x}", 1.0)
    status()
    assert status().omitted == 14_991
    assert _cpu_seconds() < few + 0.15


def _launched_often(count: int) -> None:
    """Copies of the first launch, newer than it, whose directories are gone."""
    with ledger.store.connection() as opened:
        opened.execute("BEGIN")
        opened.executemany(
            "INSERT INTO attempts SELECT ?, kind, fingerprint, config, executor, output_dir, '/gone', tasks, sample_limit,"
            " outcome, error, endpoint, created, host, skip_reason FROM attempts WHERE rowid=1",
            [(f"{n:016x}",) for n in range(count)],
        )
        opened.execute("COMMIT")


def _cpu_seconds() -> float:
    started = time.process_time()
    status()
    status([INVOCATION])
    return time.process_time() - started
