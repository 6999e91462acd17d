"""A sweep of a thousand jobs on a cluster: how often the scheduler is asked, in how many words, and how much is answered.

The login node is a replayed one (`benchmarks.scale.replay`): a test cluster holds no thousand jobs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.scale import made, replay
from benchmarks.scale.figures import processor
from benchmarks.scale.replay import LoginNode

from quantgate.cluster import launches, scheduler
from quantgate.cluster.look_directories import Directory
from quantgate.cluster.scheduler import Job, Snapshot
from quantgate.errors import ClusterError, Unreachable
from quantgate.gates import ledger
from quantgate.gates.launches import launching
from quantgate.gates.traces import reconcile, remote_launches
from quantgate.runs.clusters import looking, remote
from quantgate.runs.slurm import slurm_state
from quantgate.tools import status as status_tool
from quantgate.tools.status import MOST_TASKS, status

LOOK = Path(str(scheduler.__file__)).with_name("look.sh")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LoginNode]:
    looking._desks.clear()
    with replay.reached(tmp_path / "node") as made_node:
        yield made_node
    looking._desks.clear()


def test_a_run_of_a_thousand_tasks_is_told_by_one_look_and_one_call_of_each_program(
    node: LoginNode, tmp_path: Path
) -> None:
    ids, jobs = made.sweep(tmp_path / "runs", 1, 1000)
    node.jobs(jobs)
    (row,) = status(ids).runs
    calls = [call.split()[0] for call in node.calls()]
    assert row.state == "running"
    assert (sorted(calls), node.counted.commands) == (["sacct", "squeue"], 1)
    assert node.counted.sent < 1000


def test_a_look_at_four_times_as_many_tasks_takes_some_four_times_the_work(node: LoginNode) -> None:
    # A shell that adds a word to a list copies all others: that took sixteen times the work, and 3,000 tasks gave no answer.
    work = []
    for tasks in (500, 2000):
        with made.own_home() as home:
            made.sweep(home / "runs", 1, tasks)
            (place,) = (home / "runs").iterdir()
            rounds = []
            for _ in range(2):
                begun = processor()
                seen = scheduler.look(node, [f"{place}/"])  # type: ignore[arg-type]
                rounds.append(processor() - begun)
                assert len(seen.directories) == tasks
        work.append(min(rounds))
    assert work[1] < 5.5 * work[0]


def test_more_job_ids_than_one_word_holds_are_asked_for_in_several_calls_and_none_is_lost(
    node: LoginNode, tmp_path: Path
) -> None:
    ids, jobs = made.sweep(tmp_path / "runs", 1, 20, links=300)
    node.jobs(jobs)
    (row,) = status(ids).runs
    asked = [int(call.split()[1]) for call in node.calls() if call.startswith("sacct")]
    # The last job of a task that waits is not in its list yet.
    assert len(asked) == 3
    assert max(asked) < 128 * 1024
    place = next((tmp_path / "runs").iterdir())
    seen = scheduler.look(node, [f"{place}/"])  # type: ignore[arg-type]
    assert seen.problems == ()
    assert len(seen.accounting or {}) == len(jobs) - sum(t.state in {"pending", "resuming"} for t in row.tasks)


def test_ids_on_record_beyond_one_command_line_are_asked_for_by_the_next(
    node: LoginNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def look(_: object, places: list[str], ids: list[str] = []) -> Snapshot:  # noqa: B006
        asked.append((len(places), len(ids)))
        return Snapshot(
            1, "me", "1", {p: Directory(p, True) for p in places}, {}, {i: Job(i, "COMPLETED") for i in ids}
        )

    monkeypatch.setattr(scheduler, "look", look)
    tasks = tuple(remote.RemoteTask(f"/r/a.{n}", str(n)) for n in range(4500))
    seen = looking.look(remote.RemoteRun(replay.HOST, "/r", tasks))
    assert asked == [(1, 2000), (0, 2000), (0, 500)]
    assert len(seen.accounting or {}) == 4500


def test_a_task_that_writes_a_file_for_every_sample_costs_a_look_one_line(node: LoginNode, tmp_path: Path) -> None:
    made.sweep(tmp_path / "runs", 1, 3)
    task = next((tmp_path / "runs").glob("*/*.2"))
    for number in range(2000):
        (task / "artifacts" / f"sample-{number}.json").touch()
    before = node.run(["sh", "-s", "--", "-", f"{task.parent}/"], stdin=LOOK.read_bytes()).out
    (task / "artifacts" / "newest.json").touch()
    after = node.run(["sh", "-s", "--", "-", f"{task.parent}/"], stdin=LOOK.read_bytes()).out
    assert len(after) < 3000
    assert scheduler.parse(before).directories[str(task)].changed is not None
    assert "newest.json" in after


def test_an_answer_beyond_the_bound_is_said_to_be_one(node: LoginNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        node, "run", lambda *_, **__: dataclasses.replace(LoginNode.run(node, ["true"]), truncated=True)
    )
    with pytest.raises(ClusterError, match=r"more to tell of these runs than 8 MB.*ask for fewer runs"):
        scheduler.look(node, ["/r/"])  # type: ignore[arg-type]


class _Counted(dict[str, Job]):
    """A queue that counts how often all of it is gone through."""

    passes = 0

    def items(self) -> Any:
        self.passes += 1
        return super().items()

    def __iter__(self) -> Any:
        self.passes += 1
        return super().__iter__()


def test_the_queue_is_gone_through_a_fixed_number_of_times_for_any_number_of_tasks() -> None:
    queue = _Counted(
        {str(n): Job(str(n), "PENDING", output=f"/r/a.{n}/logs/slurm-{n}.log", name=f"x-y.a.{n}") for n in range(500)}
    )
    queue["900"] = Job("900", "PENDING", dependency="afternotok:7", output="/elsewhere/x")
    queue["901_3"] = Job("901_3", "RUNNING")
    seen = Snapshot(10, "me", "1", {}, queue, {})
    told = [slurm_state.judge(Directory(f"/r/a.{n}", True, script=True), seen) for n in range(500)]
    assert [t.state for t in told] == ["pending"] * 500
    assert told[7].job_ids == ("7", "900")
    assert slurm_state.judge(Directory("/r/b.0", True), seen, ["901"]).job_ids == ("901", "901_3")
    assert queue.passes <= 6


def test_an_answer_shows_so_many_tasks_those_that_need_somebody_first_and_counts_all(
    node: LoginNode, tmp_path: Path
) -> None:
    ids, jobs = made.sweep(tmp_path / "runs", 1, 400)
    failed = {str(job.job_id) for job in jobs if job.state == "RUNNING"}
    node.jobs([dataclasses.replace(j, state="FAILED") if str(j.job_id) in failed else j for j in jobs])
    result = status(ids)
    (row,) = result.runs
    assert len(row.tasks) == MOST_TASKS
    assert sum(t.state == "failed" for t in row.tasks) == 100
    assert len(result.model_dump_json()) < 40_000
    assert f"400 tasks, of which {MOST_TASKS} are shown: 100 failed" in result.warnings[0]
    assert "200 succeeded in all" in result.warnings[0]


@pytest.mark.parametrize(
    ("counts", "each"),
    [([], 120), ([5], 120), ([1000], 120), ([12] * 10, 120), ([3] * 50, 2), ([1] * 49 + [500], 71), ([9] * 200, 1)],
)
def test_runs_share_the_tasks_of_an_answer(counts: list[int], each: int) -> None:
    assert status_tool._tasks_of_each(counts) == each


def test_a_config_that_was_run_often_on_a_cluster_is_looked_for_there_once(
    node: LoginNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, jobs = made.sweep(tmp_path / "runs", 20, 1, states=["COMPLETED"], fingerprint="f" * 64)
    node.jobs(jobs)
    found: list[ledger.Attempt | None] = []

    def submit(planned: Any, kind: str, tasks: Any, limit: int, same: Any, skip: Any) -> None:
        found.append(same())

    monkeypatch.setattr(launching.submission, "submit", submit)
    monkeypatch.setattr(launching, "_unmet", lambda *_: [])
    monkeypatch.setattr(launching.plan, "read", lambda _: _Planned())
    for name in ("refuse_limit_in_config", "require_subset"):
        monkeypatch.setattr(launching.limits, name, lambda *_: None)
    launching.run("config", tasks=[], max_samples=0, skip_gates_reason="")
    assert found == [None]
    assert node.counted.commands == 1


class _Planned:
    """Stands for a plan whose tasks are not sized."""

    fingerprint = "f" * 64
    tasks = ()

    def chosen(self, tasks: list[str]) -> tuple[str, ...]:
        return ("t",)

    def named(self, chosen: tuple[str, ...]) -> list[str]:
        return []

    def launched(self, tasks: list[str]) -> dict[str, object]:
        return {}


def _unseen(folder: Path, count: int, **changes: object) -> list[str]:
    """Launches on the replayed cluster that nobody saw to their end: some of them left a job there."""
    folder.mkdir()
    place = {"executor": "slurm", "output_dir": f"{replay.HOST}:{folder}", "run_dir": "", "outcome": ledger.LAUNCHING}
    attempts = [made.attempt(n, **(place | changes)) for n in range(count)]
    made.write_by_schema(attempts)
    for attempt in attempts[::2]:
        task = folder / f"20261121_100000-{attempt.invocation_id}" / "t.0"
        task.mkdir(parents=True)
        (task / ".slurm_job_id.list").write_text("4711\n")
    return [attempt.invocation_id for attempt in attempts]


def test_launches_whose_end_nobody_saw_are_searched_for_many_at_a_time(node: LoginNode, tmp_path: Path) -> None:
    ids = _unseen(tmp_path / "runs", 2 * remote_launches.AT_ONCE)
    reconcile.settle_all()
    assert node.counted.commands == 2
    outcomes = [found.outcome for i in ids if (found := ledger.attempt(i))]
    assert outcomes == ["launched", "failed"] * remote_launches.AT_ONCE
    assert not remote_launches._ahead


def test_a_launch_that_may_still_begin_is_not_searched_for(
    node: LoginNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = _unseen(tmp_path / "runs", 5)
    monkeypatch.setattr(reconcile, "may_start", lambda attempt: attempt.invocation_id in ids[:2])
    searched: list[str] = []
    real = launches.search
    monkeypatch.setattr(launches, "search", lambda link, dirs: searched.extend(dirs) or real(link, dirs))
    reconcile.settle_all()
    assert sorted(searched) == sorted(ids[2:])
    assert {found.outcome for i in ids[:2] if (found := ledger.attempt(i))} == {ledger.LAUNCHING}


def test_a_cluster_that_does_not_answer_is_asked_once_for_all_its_launches(
    node: LoginNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = _unseen(tmp_path / "runs", 3 * remote_launches.AT_ONCE)
    asked: list[int] = []

    def silent(_: object, dirs: dict[str, str]) -> None:
        asked.append(len(dirs))
        raise Unreachable("no answer")

    monkeypatch.setattr(launches, "search", silent)
    monkeypatch.setattr(remote_launches, "_silent", {})
    reconcile.settle_all()
    assert asked == [remote_launches.AT_ONCE]
    assert {found.outcome for i in ids if (found := ledger.attempt(i))} == {ledger.LAUNCHING}
