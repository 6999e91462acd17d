"""What follows from what a cluster has of a launch: it is failed only when nothing of it can come any more."""

from __future__ import annotations

import pytest

from quantgate.cluster import connection, control, launches
from quantgate.cluster.launches import Launch
from quantgate.errors import ClusterError, LauncherError, NoAnswer, Unreachable
from quantgate.gates import ledger
from quantgate.gates.cancel import remote_cancelling
from quantgate.gates.traces import lookup, remote_launches
from quantgate.gates.traces.remote_launches import IN_FLIGHT_SECONDS

HOST, PATH = "me@login", "/out/20260101_000000-4f0c9d2e11aa22bb"
SEEN = {"listed": True, "queue_answered": True}


@pytest.mark.parametrize(
    ("found", "outcome", "state"),
    [
        (Launch(jobs=("7",)), "launched", None),
        (Launch(**SEEN, directory=PATH, age=1, jobs=("7",), submitting=True), "launched", None),
        (Launch(listed=True, problem="squeue: away"), "open", "unknown"),
        (Launch(queue_answered=True), "open", "unknown"),
        (Launch(**SEEN, submitting=True), "open", "pending"),
        (Launch(**SEEN, directory=PATH, age=1), "open", "pending"),
        (Launch(**SEEN, directory=PATH), "open", "pending"),
        (Launch(**SEEN, directory=PATH, age=IN_FLIGHT_SECONDS + 1), "failed", None),
        (Launch(**SEEN), "failed", None),
    ],
)
def test_a_launch_is_failed_only_when_nothing_of_it_can_come(found: Launch, outcome: str, state: str | None) -> None:
    known = remote_launches.conclude(found, HOST)
    assert known.outcome == outcome
    if outcome == "open":
        assert known.state == state
        assert known.why
    if found.directory:
        assert known.run_dir == f"{HOST}:{PATH}"


def test_a_launch_that_nel_itself_calls_over_is_not_waited_for() -> None:
    fresh = Launch(**SEEN, directory=PATH, age=1)
    assert remote_launches.conclude(fresh, HOST, over=True).outcome == "failed"
    unseen = Launch(listed=True, directory=PATH, age=1, problem="squeue: away")
    assert remote_launches.conclude(unseen, HOST, over=True).outcome == "open"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoAnswer("killed"), "uncertain"),
        (Unreachable("the link broke"), "uncertain"),
        (ClusterError("Slurm took 0 of 2 jobs"), "over"),
        (LauncherError("Slurm took 1 of 2 jobs"), "over"),
    ],
)
def test_what_an_error_says_of_the_end(error: Exception, said: str) -> None:
    assert remote_launches.said_by(error) == said


def _attempt() -> ledger.Attempt:
    return ledger.Attempt("4f0c9d2e11aa22bb", "full", "f", "/c", "slurm", f"{HOST}:/out")


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (Launch(**SEEN, directory=PATH, age=1, jobs=("7",)), "launched"),
        (Launch(**SEEN, directory=PATH, age=1), "failed"),
        (Launch(listed=True, directory=PATH, age=1, problem="squeue: away"), "open"),
    ],
)
def test_a_refusal_is_believed_once_the_cluster_has_been_searched(
    monkeypatch: pytest.MonkeyPatch, found: Launch, outcome: str
) -> None:
    asked = []
    monkeypatch.setattr(connection, "connection", lambda host: host)
    monkeypatch.setattr(launches, "search", lambda host, dirs: asked.append((host, dirs)) or dict.fromkeys(dirs, found))
    said = remote_launches.said_by(ClusterError("Slurm took 0 of 1 jobs"))
    attempt = _attempt()
    assert remote_launches.look(attempt, said).outcome == outcome
    assert asked == [(HOST, {attempt.invocation_id: "/out"})]
    remote_launches._open.clear()


def test_of_a_launch_whose_end_nobody_saw_only_stamped_jobs_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def cancel(link: str, root: str, tasks: tuple[str, ...], *, stamp: str) -> control.Ended:
        asked.append((link, root, tasks, stamp))
        return control.Ended(after=())

    attempt = _attempt()
    monkeypatch.setattr(connection, "connection", lambda host: host)
    monkeypatch.setattr(control, "cancel", cancel)
    monkeypatch.setattr(remote_cancelling, "_others", lambda run, chosen: [])
    remote_cancelling.cancel(lookup.Run(attempt.invocation_id, None, attempt, "slurm"), ())
    assert asked == [(HOST, "", (), f"quantgate:{attempt.invocation_id}")]
