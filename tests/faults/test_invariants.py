"""Each invariant of the campaign can fail: a doctored world is caught, and the same world without the doctoring is not."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quantgate.gates import ledger

from . import invariants, reported
from .client import Answer
from .evidence import Evidence, Violation
from .job import Journal
from .plan import plan
from .truth import Seen, Truth
from .world import World

RUN = "0123456789abcdef"
OTHER = "fedcba9876543210"
KEYS = {"ENDPOINT_KEY": "nvapi-" + "5e" * 24, "HF_TOKEN": "hf_" + "7a" * 17}
GOOD = Seen(100.0, alive=False, began=True, exit_code=0, results=True)
RUNNING = Seen(100.0, alive=True, began=True, exit_code=None, results=False)
LAUNCH = ledger.Attempt(RUN, "subset", "f" * 64, "eval.yaml", "process", "/out", outcome="launched")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A machine on which one run has ended well, and is in the ledger."""
    made = World(plan(1, "process"), tmp_path, KEYS)
    for folder in (made.state, made.results):
        folder.mkdir()
    monkeypatch.setenv("QUANTGATE_HOME", str(made.state))
    ledger.add_attempt(LAUNCH)
    _lay_out(made, RUN)
    return made


def _lay_out(world: World, invocation: str) -> Path:
    task = world.results / "runs" / f"20261122_030000-{invocation}" / "ifbench.ifbench.0"
    for part in ("logs", "artifacts"):
        (task / part).mkdir(parents=True)
    (task.parent / "runner.json").write_text("{}", "utf-8")
    (task / "logs" / "stage.exit").write_text("2026-11-22T03:00:00Z 0\n", "utf-8")
    (task / "artifacts" / "results.yml").write_text("results: {}\n", "utf-8")
    return task


def _row(state: str, invocation: str = RUN, passed: bool = False) -> dict[str, Any]:
    return {"invocation_id": invocation, "state": state, "reason": "", "tasks": [], "gate": {"passed": passed}}


def _status(state: str, at: float = 100.0) -> tuple[Answer, dict[str, Any]]:
    return Answer("status", "answered", at, at + 0.1, {"runs": [_row(state)]}), {}


@pytest.fixture
def evidence(world: World) -> Evidence:
    """What a campaign has on that machine when all is well."""
    truth = Truth(seen={RUN: [GOOD]}, runners={RUN: {4711}})
    return Evidence(world, Journal([_status("succeeded")]), truth, [], {RUN: _row("succeeded")})


@pytest.fixture(autouse=True)
def only_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside an enclosure the process table is everybody's."""
    before = {int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()}
    monkeypatch.setattr(World, "own_pids", lambda _: before | {os.getpid()})


def _found(evidence: Evidence, check: Callable[[Evidence], Iterator[Violation]]) -> list[str]:
    return [violation.what for violation in check(evidence)]


def test_a_world_in_which_all_is_well_has_no_violation(evidence: Evidence) -> None:
    others = [check for check in invariants.CHECKS if check is not invariants.no_process_is_left]
    assert [found for check in others for found in check(evidence)] == []


def test_a_ledger_that_is_damaged_is_caught(evidence: Evidence) -> None:
    with sqlite3.connect(evidence.world.state / "ledger.sqlite") as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        opened.execute("PRAGMA journal_mode=DELETE")
    opened.close()
    file = evidence.world.state / "ledger.sqlite"
    data = bytearray(file.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    file.write_bytes(data)
    assert _found(evidence, invariants.ledger_is_sound)


def test_a_ledger_that_somebody_holds_is_caught(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "LOCK_SECONDS", 0.1)
    holder = sqlite3.connect(evidence.world.state / "ledger.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    (what,) = _found(evidence, invariants.ledger_is_sound)
    holder.close()
    assert "locked" in what


def test_a_run_that_is_not_in_the_ledger_is_caught(evidence: Evidence) -> None:
    _lay_out(evidence.world, OTHER)
    assert _found(evidence, invariants.no_run_is_lost) == [f"{OTHER} began and is not in the ledger"]


def test_a_run_that_status_does_not_find_is_caught(evidence: Evidence) -> None:
    assert _found(replace(evidence, final={}), invariants.no_run_is_lost) == [f"status does not find {RUN}"]


def test_a_run_that_began_and_is_called_a_failed_launch_is_caught(evidence: Evidence) -> None:
    ledger.add_attempt(replace(LAUNCH, invocation_id=OTHER, outcome="failed", error="nothing was started"))
    evidence.truth.runners[OTHER] = {4712}
    evidence.final[OTHER] = _row("failed", OTHER)
    # A runner that was killed before it had done anything.
    assert _found(evidence, invariants.no_run_is_lost) == []
    _lay_out(evidence.world, OTHER)
    (what,) = _found(evidence, invariants.no_run_is_lost)
    assert "the ledger has its launch as failed" in what


def test_a_second_runner_that_nobody_asked_for_is_caught_and_one_of_a_resume_is_not(evidence: Evidence) -> None:
    evidence.truth.runners[RUN] = {4711, 4712}
    assert _found(evidence, invariants.none_is_started_twice) == [f"{RUN} had 2 runners and was resumed 0 times"]
    evidence.journal.add(Answer("resume", "answered", 90.0, 91.0, {}), {"invocation_id": RUN})
    assert _found(evidence, invariants.none_is_started_twice) == []


def test_two_launches_where_one_was_asked_for_are_caught(evidence: Evidence) -> None:
    ledger.add_attempt(replace(LAUNCH, invocation_id=OTHER))
    evidence.truth.runners[OTHER] = {4712}
    evidence.truth.seen[OTHER] = [GOOD]
    (what,) = _found(evidence, invariants.none_is_started_twice)
    assert "2 launches of kind subset" in what
    evidence.truth.seen[RUN] = [RUNNING, replace(GOOD, exit_code=137, results=False, time=103.0)]
    assert _found(evidence, invariants.none_is_started_twice) == []
    evidence.truth.seen[OTHER] = [RUNNING]
    evidence.truth.seen[RUN] = [replace(RUNNING, time=t) for t in (99.0, 102.0)]
    assert any("at the same time" in what for what in _found(evidence, invariants.none_is_started_twice))


def test_a_question_that_is_answered_twice_is_caught_unless_a_fault_took_the_answer(evidence: Evidence) -> None:
    line = json.dumps({"time": 1.0, "event": "answered", "question": "q", "run": RUN}) + "\n"
    evidence.world.asked.write_text(line * 2, "utf-8")
    (what,) = _found(evidence, invariants.none_is_started_twice)
    assert "answered 2 times" in what
    fault = {"kind": "packets", "hit": True, "began": 1.0, "ended": 2.0}
    assert _found(replace(evidence, faults=[fault]), invariants.none_is_started_twice) == []


@pytest.mark.parametrize(
    ("state", "seen", "wrong"),
    [
        ("running", GOOD, "it had ended"),
        ("running", replace(RUNNING, alive=False), "nothing of it ran"),
        ("pending", replace(RUNNING, alive=False, began=False), "nor was it being launched"),
        ("succeeded", RUNNING, "no exit record of 0"),
        ("succeeded", replace(GOOD, results=False), "no exit record of 0 with results"),
        ("failed", RUNNING, "it ran"),
        ("interrupted", RUNNING, "it ran"),
        ("interrupted", GOOD, "had succeeded"),
        ("cancelled", GOOD, "nobody cancelled it"),
        ("unknown", GOOD, "nothing stood in the way"),
        ("unreachable", RUNNING, "nothing stood in the way"),
    ],
)
def test_a_state_that_was_not_true_when_it_was_told_is_caught(
    state: str, seen: Seen, wrong: str, evidence: Evidence
) -> None:
    truth = replace(evidence.truth, seen={RUN: [seen]})
    told = replace(evidence, truth=truth, journal=Journal([_status(state)]))
    (what,) = _found(told, reported.states_are_true)
    assert wrong in what


@pytest.mark.parametrize(
    ("state", "seen"),
    [("running", RUNNING), ("succeeded", GOOD), ("failed", replace(GOOD, exit_code=1, results=False))],
)
def test_a_state_that_was_true_is_not_caught(state: str, seen: Seen, evidence: Evidence) -> None:
    truth = replace(evidence.truth, seen={RUN: [seen]})
    told = replace(evidence, truth=truth, journal=Journal([_status(state)]))
    assert _found(told, reported.states_are_true) == []


def test_not_knowing_is_no_violation_while_a_fault_is_under_way(evidence: Evidence) -> None:
    fault = {"kind": "disk_results", "hit": True, "began": 99.0, "ended": 99.5}
    told = replace(evidence, journal=Journal([_status("unknown")]), faults=[fault])
    assert _found(told, reported.states_are_true) == []
    later = replace(told, faults=[{**fault, "began": 10.0, "ended": 11.0}])
    assert len(_found(later, reported.states_are_true)) == 1


def test_a_run_that_is_called_failed_and_ends_well_is_caught_unless_it_was_resumed(evidence: Evidence) -> None:
    broken = replace(GOOD, exit_code=1, results=False)
    truth = replace(evidence.truth, seen={RUN: [broken, replace(GOOD, time=110.0)]})
    told = replace(evidence, truth=truth, journal=Journal([_status("failed"), _status("succeeded", 110.0)]))
    (what,) = _found(told, reported.states_are_true)
    assert "called failed and succeeded later" in what
    told.journal.add(Answer("resume", "answered", 105.0, 106.0, {}), {"invocation_id": RUN})
    assert _found(told, reported.states_are_true) == []


def test_a_valid_verdict_on_a_run_without_results_is_caught(evidence: Evidence) -> None:
    told = [(Answer("verify_run", "answered", 1.0, 2.0, {"verdict": "valid"}), {"run": RUN})]
    assert _found(replace(evidence, journal=Journal(told)), reported.verdicts_are_true) == []
    next(evidence.world.results.glob("runs/*/*/artifacts/results.yml")).unlink()
    found = _found(replace(evidence, journal=Journal(told)), reported.verdicts_are_true)
    assert [what.partition(",")[0] for what in found] == [
        "verify_run called it valid",
        "the last status said succeeded",
    ]


def test_a_canary_that_passed_without_an_exit_record_of_0_is_caught(evidence: Evidence) -> None:
    next(evidence.world.results.glob("runs/*/*/logs/stage.exit")).write_text("now 1\n", "utf-8")
    told = replace(evidence, final={RUN: _row("failed", passed=True)})
    assert [what.partition(",")[0] for what in _found(told, reported.verdicts_are_true)] == ["its canary passed"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_in_a_file_that_others_can_read_is_caught_and_one_in_a_private_file_is_not(
    mode: int, evidence: Evidence
) -> None:
    file = evidence.world.results / "run.sh"
    file.write_text(f"export KEY={KEYS['HF_TOKEN']}\n", "utf-8")
    file.chmod(0o600)
    assert _found(evidence, invariants.no_secret_is_shown) == []
    file.chmod(mode)
    (what,) = _found(evidence, invariants.no_secret_is_shown)
    assert f"(mode {mode:o}) has HF_TOKEN in it" in what


def test_a_key_in_an_answer_or_in_a_title_is_caught(evidence: Evidence) -> None:
    evidence.journal.add(Answer("logs", "refused", 1.0, 2.0, text=f"no: {KEYS['ENDPOINT_KEY']}"), {})
    evidence.truth.titles.add(f"curl -H {KEYS['ENDPOINT_KEY']}")
    told = _found(evidence, invariants.no_secret_is_shown)
    assert ["an answer of logs" in told[0], "a process title" in told[1]] == [True, True]
    assert not any(KEYS["ENDPOINT_KEY"] in what for what in told)


def test_a_process_that_goes_on_is_caught(evidence: Evidence) -> None:
    mark = "600.0612"
    with subprocess.Popen(["sleep", mark]) as left:
        try:
            deadline = time.monotonic() + 10
            while not any(mark in what for what in _found(evidence, invariants.no_process_is_left)):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            left.kill()
    assert not any(mark in what for what in _found(evidence, invariants.no_process_is_left))
