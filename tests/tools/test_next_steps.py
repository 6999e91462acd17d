"""The next step of each end that a tool can come to, also of those that need a cluster, another person's run or bad luck.

The domain's own records stand for what happened; nothing runs. What real runs lead to is read by the fixture of
tests/next_steps.py in every other test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quantgate import environment
from quantgate.gates import ledger
from quantgate.gates.cancel.cancellation import Cancellation
from quantgate.gates.judgement import judging
from quantgate.gates.resume.relaunch import Refusal, Resumption
from quantgate.gates.traces import lookup
from quantgate.launcher import containers
from quantgate.nemotron.compiling import Compiled
from quantgate.runs.logs import LogEntry
from quantgate.runs.scanning.scan import ScanReport
from quantgate.runs.status import TaskStatus
from quantgate.server.offering import Offer
from quantgate.tools import cancel, check_environment, compile_config, grep_slurm_logs, list_tasks, logs, resume, status
from quantgate.workspaces import Workspace

from ..next_steps import assert_can_be_followed, calls_in

ID = "5f3c9a1e7b2d4860"
CONFIG = "/evals/it's mine.yaml"
RECORDED = next((Path(__file__).parents[1] / "data" / "runs").glob("*-*"))
ATTEMPT = ledger.Attempt(ID, "full", "f" * 64, CONFIG, "process", "/out", outcome="launched")
STATES = [
    "pending",
    "running",
    "resuming",
    "succeeded",
    "failed",
    "cancelled",
    "interrupted",
    "unreachable",
    "unknown",
]


def _run(kind: str = "full", *, here: bool = True, launched: bool = True) -> lookup.Run:
    found = lookup.find(str(RECORDED))
    return replace(
        found,
        invocation_id=ID,
        directory=found.directory if here else None,
        attempt=replace(ATTEMPT, kind=kind) if launched else None,
    )


def _view(
    state: Any, run: lookup.Run, *, passed: bool | None = None, tasks: bool = True, queued: str = ""
) -> judging.View:
    gate = None if passed is None else ledger.Gate("f" * 64, "canary", passed)
    task = TaskStatus("ifbench.ifbench.0", state, "as it is", None, None, None, left_queued=queued)
    return judging.View(run, state, (task,) if tasks else (), gate)


def _of_status() -> Iterator[tuple[str, str]]:
    yield "status: nothing known", status._next_step([])
    for state in STATES:
        for name, run in {
            "launched here": _run(),
            "not launched here": _run(launched=False),
            "left nothing": _run(here=False),
            "left nothing, not launched here": _run(here=False, launched=False),
        }.items():
            yield f"status: {state}, {name}", status._next_step([_view(state, run)])
    yield "status: its follow-on is queued", status._next_step([_view("failed", _run(), queued="813")])
    yield "status: no tasks", status._next_step([_view("unreachable", _run(), tasks=False)])
    for passed in (True, False):
        yield f"status: canary {passed}", status._next_step([_view("succeeded", _run("canary"), passed=passed)])
    yield "status: two", status._next_step([_view("running", _run()), _view("pending", _run())])


def _of_logs() -> Iterator[tuple[str, str]]:
    entries = [LogEntry("t.0", "client_stdout.log", "", 10, 0), LogEntry("t.1", "it's.log", "", 9000, 4500)]
    for state in STATES:
        yield f"logs: {state}", logs._next_step(ID, _view(state, _run()), entries)
        yield f"logs: {state}, nothing above", logs._next_step(ID, _view(state, _run()), entries[:1])


def _of_ends() -> Iterator[tuple[str, str]]:
    here = _run()
    for name, done in {
        "ended": Cancellation(here, cancelled=("t.0",)),
        "not launched here": Cancellation(_run(launched=False), cancelled=("t.0",)),
        "still there": Cancellation(here, cancelled=("t.0",), still_running=("process 7",)),
        "not known": Cancellation(here, finished=(("t.0", "unknown"),)),
        "ended before": Cancellation(here, finished=(("t.0", "succeeded"),)),
    }.items():
        yield f"cancel: {name}", cancel._next_step(done)
    for name, again in {
        "resumed": Resumption(here, resumed=("t.0",)),
        "sbatch": Resumption(here, refused=(Refusal("t.0", "sbatch said no"),)),
        "goes on": Resumption(here, refused=(Refusal("t.0", "it goes on"),)),
        "nothing to do": Resumption(here, refused=(Refusal("t.0", "done"),)),
    }.items():
        yield f"resume: {name}", resume._next_step(again)
    for verdict, files in {"clean": 3, "suspicious": 0, "failed": 2}.items():
        report = ScanReport(verdict, (), (), files, 100)  # type: ignore[arg-type]
        yield f"grep: {verdict}", grep_slurm_logs._next_step(report, ID)


def _of_the_start() -> Iterator[tuple[str, str]]:
    asked = {"workspace": "", "config": CONFIG, "host": ""}
    spaces = [Workspace(Path("/w"), checkpoints=[Path("/w/a"), Path("/w/b")], configs=[], runs=[], patches=[])]
    launcher, engine = environment.Launcher("0.2.6", "0.2.6", True), containers.Containers("", False, "none")
    empty = environment.Environment([], launcher, engine, [], [], [], "")
    for name, found in {
        "blocked": replace(empty, blockers=["X is not set"]),
        "config": replace(empty, config=CONFIG),
        "nothing": empty,
        "two checkpoints": replace(empty, workspaces=spaces),
        "one checkpoint": replace(empty, workspaces=[replace(spaces[0], checkpoints=[Path("/w/a")])]),
    }.items():
        yield f"check_environment: {name}", check_environment._next_step(found, asked)
    compiled = Compiled({}, {}, (), (), "eval", Path(CONFIG))
    for name, errors, made in [
        ("whole", 0, compiled),
        ("subset", 0, replace(compiled, task_filters=("mmlu_pro",), sample_limit=40)),
        ("one sample", 0, replace(compiled, sample_limit=1)),
        ("dry run", 0, replace(compiled, dry_run=True)),
        ("errors", 2, compiled),
    ]:
        yield f"compile_config: {name}", compile_config._next_step(CONFIG, errors, made)


ENDS: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
    "status": _of_status,
    "logs": _of_logs,
    "ends": _of_ends,
    "start": _of_the_start,
}


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_every_end_of_a_tool_leads_on(ends: Callable[[], Iterator[tuple[str, str]]]) -> None:
    for name, text in ends():
        try:
            assert_can_be_followed(text)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_a_read_only_server_says_of_each_call_that_it_does_not_offer_it(
    ends: Callable[[], Iterator[tuple[str, str]]],
) -> None:
    offer = Offer(read_only=True)
    offered = {spec.name for spec in offer.specs}
    for name, text in ends():
        told = offer.told(text)
        for called in {found.spec.name for found in calls_in(text)} - offered:
            assert f" {called}" in told.removeprefix(text), name


def test_a_failed_run_of_ours_is_resumed_and_that_of_another_is_not() -> None:
    ours, theirs = (status._next_step([_view("failed", _run(launched=launched))]) for launched in (True, False))
    assert "resume" in {c.spec.name for c in calls_in(ours)}
    assert "resume" not in {c.spec.name for c in calls_in(theirs)}


def test_a_run_whose_follow_on_is_still_queued_is_looked_at_again_before_it_is_resumed() -> None:
    alone, followed = (status._next_step([_view("failed", _run(), queued=job)]) for job in ("", "813"))
    assert [c.spec.name for c in calls_in(alone)] == ["logs", "resume"]
    assert [c.spec.name for c in calls_in(followed)] == ["logs", "status", "cancel", "resume"]
    assert "Job 813" in followed


def test_a_cluster_that_does_not_answer_is_asked_again_with_a_wait() -> None:
    text = status._next_step([_view("unreachable", _run())])
    (again,) = [found for found in calls_in(text) if found.spec.name == "status"]
    assert again.arguments["wait_seconds"] == 30
    assert "not failed" in text


def test_of_several_checkpoints_none_is_taken_for_the_one_that_is_meant() -> None:
    texts = dict(_of_the_start())
    assert "'/w/a'" in texts["check_environment: one checkpoint"]
    assert "/w/a" not in texts["check_environment: two checkpoints"]


def test_the_page_above_is_named_by_its_file_task_and_offset() -> None:
    (_, text) = next(_of_logs())
    (above,) = [found for found in calls_in(text) if found.spec.name == "logs"]
    assert above.arguments == {"invocation_id": ID, "task": "t.1", "file": "it's.log", "before": 4500}


def test_no_page_is_named_where_nothing_is_above() -> None:
    text = dict(_of_logs())["logs: running, nothing above"]
    assert [found.spec.name for found in calls_in(text)] == ["status"]


def test_the_first_search_without_a_hit_asks_for_other_words() -> None:
    answer = list_tasks.list_tasks(query="zzzzqqqq")
    assert_can_be_followed(answer.next_step)
