"""A run on a cluster as the gates see it: when its canary is judged, and when it cannot go on any more."""

from __future__ import annotations

from typing import Any

import pytest

from quantgate.errors import StorageError
from quantgate.gates import ledger
from quantgate.gates.judgement import judging
from quantgate.gates.traces import remote_views
from quantgate.launcher import launch_lock
from quantgate.runs.clusters import mirrored
from quantgate.runs.clusters.remote_status import Seen

from .made_remote import ID, TASK, attempt, told


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stands in for the judging: with how many resumes each was judged."""
    found: list[int] = []

    def judge(run: Any, expected: Any, resumes: int) -> ledger.Gate:
        found.append(resumes)
        return ledger.Gate("f" * 64, "canary", False, ("bad",), {}, ID)

    monkeypatch.setattr(judging, "_judged", judge)
    monkeypatch.setattr(judging, "expectations", lambda *_: {})
    monkeypatch.setattr(remote_views, "files", lambda _: object())
    monkeypatch.setattr(remote_views, "see", lambda _: Seen((told("interrupted"),)))
    return found


def test_a_canary_that_is_being_taken_up_again_is_not_judged(judged: list[int]) -> None:
    made = attempt()
    with launch_lock.taken(ID):
        ledger.add_resume(ID, (TASK,))
        view = judging.look(made)
        assert (view.state, [t.state for t in view.tasks], view.gate, judged) == ("resuming", ["resuming"], None, [])
    assert judging.look(made).gate is not None
    assert judged == [1]


def test_a_canary_that_is_taken_up_again_during_the_look_is_not_judged(
    judged: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = attempt()

    def see(_: Any) -> Seen:
        ledger.finish_resume(ID, ledger.add_resume(ID, (TASK,)), "launched", "")
        return Seen((told("interrupted"),))

    monkeypatch.setattr(remote_views, "see", see)
    assert (judging.look(made).gate, judged) == (None, [])


def test_copies_that_cannot_be_made_leave_the_state_and_no_verdict(
    judged: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Any) -> Any:
        raise StorageError("Not enough disk space", where="the cache", fix="free some")

    monkeypatch.setattr(remote_views, "files", full)
    view = judging.look(attempt())
    assert (view.state, view.gate, judged) == ("interrupted", None, [])
    assert "cannot be judged yet: Not enough disk space" in view.reason


def test_a_look_does_not_wait_long_for_another_that_copies_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(mirrored, "mirrored", lambda host, path, wait: waits.append(wait))
    run = judging.look(attempt()).run
    assert run.remote is not None
    remote_views.files(run.remote)
    assert waits == [remote_views.COPY_WAIT_SECONDS]


@pytest.mark.parametrize(
    ("seen", "goes_on"),
    [
        (Seen((told("unknown"),)), True),
        (Seen((told("unknown"),), gone=True), False),
        (Seen(state="unknown", reason="away"), True),
        (Seen(state="unknown", reason="gone", gone=True), False),
        (Seen(state="unreachable", reason="no route"), True),
        (Seen((told("running"),)), True),
    ],
)
def test_a_run_of_which_nothing_is_left_does_not_go_on(
    seen: Seen, goes_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_views, "see", lambda _: seen)
    assert judging.may_run(attempt(kind="full")) is goes_on
