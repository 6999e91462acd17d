"""Waiting on real processes: what ends a wait, and what a wait costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from quantgate.errors import BadInput
from quantgate.gates.judgement import judging
from quantgate.gates.views import waiting
from quantgate.runs.clusters.remote import RemoteRun
from quantgate.runs.status import State
from tests.runs.building import empty_task, stage
from tests.watch.live_run import LiveRun, live_run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[LiveRun]:
    with live_run(tmp_path) as made:
        yield made


class Waiting(threading.Thread):
    """A wait for a change, and how long it took; `begun` once what may change has been noted."""

    def __init__(self, run: LiveRun, monkeypatch: pytest.MonkeyPatch, seconds: float = 30) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.looks = 0
        self._run, self._seconds = run, seconds
        look = waiting.views

        def counted(names: list[str]) -> list[judging.View]:
            seen = look(names)
            self.looks += 1
            if self.looks == 2:
                self.begun.set()
            return seen

        monkeypatch.setattr(waiting, "views", counted)
        # Only the signs beside the logs may end the wait, not the look that comes by time.
        monkeypatch.setattr(waiting, "LOOK_SECONDS", 60)
        self.start()
        assert self.begun.wait(20)

    def run(self) -> None:
        started = time.monotonic()
        (self.view,) = waiting.until_change([str(self._run.path)], self._seconds)
        self.took = time.monotonic() - started

    def ended(self) -> judging.View:
        """What it saw last."""
        self.join(40)
        assert not self.is_alive()
        return self.view


def test_the_end_of_the_only_task_ends_the_wait_at_once(run: LiveRun, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = Waiting(run, monkeypatch)
    run.tell("exit 0")
    assert wait.ended().state == "succeeded"
    assert wait.took < 10


def test_the_end_of_one_of_several_tasks_ends_the_wait(run: LiveRun, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("logs", "artifacts"):
        (run.path / "ifbench.ifbench.1" / part).mkdir(parents=True)
    wait = Waiting(run, monkeypatch)
    run.tell("exit 1")
    view = wait.ended()
    assert [(view.state, *(t.state for t in view.tasks))] == [("running", "failed", "pending")]
    assert wait.took < 10


def test_a_process_that_dies_without_a_word_ends_the_wait(run: LiveRun, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = Waiting(run, monkeypatch)
    run.process.kill()
    run.process.wait(timeout=10)
    assert wait.ended().state == "interrupted"
    assert wait.took < 10


def test_another_reason_in_the_same_state_ends_the_wait(run: LiveRun, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = Waiting(run, monkeypatch)
    (run.task / "logs" / "stage.cancelled").touch()
    view = wait.ended()
    assert (view.tasks[0].state, view.tasks[0].reason) == ("running", "it is being cancelled")
    assert wait.took < 10


def test_progress_and_a_growing_log_do_not_end_the_wait_and_cost_no_look(
    run: LiveRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = Waiting(run, monkeypatch, seconds=4.5)
    run.tell("say one more line")
    run.tell("answer 3")
    before = time.process_time()
    view = wait.ended()
    assert wait.took >= 4.4
    # One at the start, one for the first sign, one for the new directory of the cache, one at the end.
    assert wait.looks <= 4
    assert time.process_time() - before < 0.5
    assert view.tasks[0].samples_done == 3, "the answer tells how it stands now, not when the wait began"


def test_the_lines_of_an_installation_do_not_end_the_wait(tmp_path: Path) -> None:
    first = _pending("installing the harness: Collecting spacy")
    assert waiting._states([first]) == waiting._states([_pending("installing the harness: Downloading")])
    assert waiting._states([first]) != waiting._states([_pending("waiting to be started")])


def _pending(reason: str) -> judging.View:
    task = judging.TaskStatus("t.0", "pending", reason, None, None, None)
    return judging.View(judging.lookup.Run("", None, None, ""), "pending", (task,), None)


def test_nothing_is_waited_for_once_all_have_ended(tmp_path: Path) -> None:
    task = empty_task(tmp_path)
    stage(task, "exit", "2026-11-21T09:55:36Z 0\n")
    started = time.monotonic()
    waiting.until_change([str(task.path.parent)], 45)
    waiting.until_final([str(task.path.parent)], 45)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(("state", "waits"), [("failed", True), ("succeeded", False)])
def test_a_follow_on_that_is_still_queued_is_waited_for_where_it_keeps_a_run_from_being_resumed(
    state: State, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = judging.TaskStatus("t.0", state, "exit code 9; its follow-on job 8 starts only to exit", left_queued="8")
    left = replace(task, reason="exit code 9", left_queued="")
    run = judging.lookup.Run(
        "0123456789abcdef", None, None, "slurm", RemoteRun("host", "/r/20261121_100000-0123456789abcdef")
    )
    rows = [task, task, left, left]
    monkeypatch.setattr(waiting, "views", lambda _: [judging.View(run, state, (rows.pop(0),), None)])
    monkeypatch.setattr(waiting, "CLUSTER_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.01)
    (seen,) = waiting.until_change(["0123456789abcdef"], 20)
    assert (seen.left_queued, len(rows)) == ("", 1 if waits else 3)


def test_a_directory_that_is_deleted_while_it_is_waited_for_ends_the_wait(
    run: LiveRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            waiting.until_change([str(run.path)], 30)
        except BadInput as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    run.path.rename(run.path.with_name("elsewhere"))
    thread.join(20)
    assert not thread.is_alive()
    assert "No run directory" in str(caught[0])
