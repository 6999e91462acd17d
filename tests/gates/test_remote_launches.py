"""What follows from what a cluster has of a launch: it is failed only when nothing of it can come any more."""

from __future__ import annotations

import pytest

from quantgate.cluster.launches import Launch
from quantgate.errors import ClusterError, LauncherError, NoAnswer, Unreachable
from quantgate.gates import remote_launches
from quantgate.gates.remote_launches import IN_FLIGHT_SECONDS

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
        (ClusterError("Slurm took 0 of 2 jobs"), "nothing"),
        (LauncherError("Slurm took 1 of 2 jobs"), "over"),
    ],
)
def test_what_an_error_says_of_the_end(error: Exception, said: str) -> None:
    assert remote_launches.said_by(error) == said
