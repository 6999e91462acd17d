"""Two hundred users who wait: how often each of them asks the scheduler that all share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quantgate.gates.judgement import judging
from quantgate.gates.traces import lookup
from quantgate.gates.views import waiting
from quantgate.runs.clusters.remote import RemoteRun
from quantgate.runs.status import TaskStatus


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """A wait on a clock of its own: when the run, which goes on all the time, was looked at."""

    def waited(seconds: float, took: float = 0.0, *, remote: bool = True) -> list[float]:
        now = [0.0]
        seen: list[float] = []
        place = RemoteRun("host", "/r/20261121_100000-0123456789abcdef") if remote else None
        run = lookup.Run("0123456789abcdef", None, None, "slurm", place)
        task = TaskStatus("t.0", "running", "", None, None, None)

        def look(_: Any) -> list[judging.View]:
            seen.append(now[0])
            now[0] += took
            return [judging.View(run, "running", (task,), None)]

        def wait(pause: float) -> bool:
            now[0] += pause
            return False

        monkeypatch.setattr(waiting, "views", look)
        monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])
        monkeypatch.setattr(waiting.children, "wait", wait)
        waiting.until_change(["0123456789abcdef"], seconds)
        return seen

    return waited


def test_the_longest_wait_for_a_run_on_a_cluster_takes_four_looks(looks: Callable[..., list[float]]) -> None:
    assert len(looks(waiting.LONGEST_WAIT)) == 4


def test_a_cluster_that_answers_slowly_is_left_alone_for_longer(looks: Callable[..., list[float]]) -> None:
    assert len(looks(waiting.LONGEST_WAIT, took=4.0)) == 2


def test_a_short_wait_still_ends_with_a_look(looks: Callable[..., list[float]]) -> None:
    assert len(looks(8)) == 2
