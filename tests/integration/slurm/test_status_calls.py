"""`status` over a real link: many runs in one look, clusters that are down beside ones that are up, and addresses."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from quantgate.cluster import connection, scheduler
from quantgate.errors import BadInput
from quantgate.gates import ledger
from quantgate.gates.permission.consent import ConsentNeeded
from quantgate.results import verify
from quantgate.runs.clusters import looking
from quantgate.runs.rundir import RunDir
from quantgate.tools.status import status
from tests.runs.building import REAL
from tests.runs.building import TASK as REAL_TASK

from .cluster import Cluster
from .conftest import MakeCluster
from .nel_jobs import RESULTS, launched, lay_out, record, submit, until
from .settings import USER

LONG = "sleep 600"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many places each look asked for, in order."""
    seen: list[int] = []
    real = scheduler.look

    def counted(link: connection.Connection, places: list[str], job_ids: list[str]) -> scheduler.Snapshot:
        seen.append(len(places))
        return real(link, places, job_ids)

    monkeypatch.setattr(scheduler, "look", counted)
    return seen


def test_fifty_runs_are_told_by_one_look(reached: Cluster, looks: list[int]) -> None:
    tasks = [submit(lay_out(reached, LONG), "--hold") for _ in range(50)]
    try:
        rows = status([t.invocation_id for t in tasks]).runs
        assert looks == [50]
        assert [(r.state, r.tasks[0].job_ids) for r in rows] == [("pending", [t.job_id]) for t in tasks]
        newest = status().runs
        assert {r.state for r in newest} == {"pending"}
        assert len(looks) <= 2
    finally:
        reached.run("scancel", *(t.job_id for t in tasks))


def test_twenty_calls_at_once_make_one_connection_and_few_looks(reached: Cluster, looks: list[int]) -> None:
    tasks = [submit(lay_out(reached, LONG), "--hold") for _ in range(20)]
    connection.close_all()
    try:
        with ThreadPoolExecutor(20) as pool:
            states = list(pool.map(lambda t: status([t.invocation_id]).runs[0].state, tasks))
        assert states == ["pending"] * 20
        assert len(looks) <= 4
        assert sum(looks) >= 20
        peers = reached.checked("sh", "-c", "pgrep -fc '^sshd: tester$' || true").strip()
        assert int(peers) <= 1
    finally:
        reached.run("scancel", *(t.job_id for t in tasks))


def test_a_cluster_that_is_down_is_unreachable_and_another_is_told_as_it_is(
    cluster: Cluster, make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_cluster(accounting=False)
    config = cluster.base / "etc" / "ssh_config_both"
    gone = other.ssh_config.read_text("utf-8").replace("Host testcluster", "Host gonecluster")
    config.write_text(cluster.ssh_config.read_text("utf-8") + gone, "utf-8")
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(config))
    connection.close_all()
    here = launched(cluster, LONG)
    there = lay_out(other, LONG)
    other.alias = "gonecluster"
    submit(there)
    ids = [here.invocation_id, there.invocation_id]
    try:
        until(lambda: [r.state for r in status(ids).runs], lambda seen: seen == ["running", "running"])
        other.stop()
        looking.forget(f"{USER}@gonecluster")
        connection.connection(f"{USER}@gonecluster").close()
        result = status(ids)
        assert [r.state for r in result.runs] == ["running", "unreachable"]
        assert "gonecluster cannot be reached" in result.runs[1].tasks[0].reason
        assert "failed" not in result.model_dump_json().replace("not failed", "")
    finally:
        cluster.run("scancel", here.job_id)
        connection.close_all()


def test_a_run_is_found_by_its_address_and_one_task_by_its_own(reached: Cluster) -> None:
    task = launched(reached, f"sleep 1; {RESULTS}")
    task.until("succeeded")
    address = f"{reached.alias}:{task.directory.parent}"
    (whole,) = status([address]).runs
    (single,) = status([f"{address}/{task.directory.name}"]).runs
    for row in (whole, single):
        assert (row.state, row.invocation_id, row.kind) == ("succeeded", task.invocation_id, "external")
        assert [t.task for t in row.tasks] == [task.directory.name]
    assert whole.run_dir == address


def test_a_directory_that_is_gone_is_told_as_gone(reached: Cluster) -> None:
    task = launched(reached, f"sleep 1; {RESULTS}")
    task.until("succeeded")
    shutil.rmtree(task.directory.parent)
    row = task.told()
    assert row.state == "unknown"
    assert "is gone" in row.reason
    (unknown,) = status([f"{reached.alias}:{reached.home}/runs/20261121_120000-0123456789abcdef"]).runs
    assert unknown.state == "unknown"
    assert "there is no run directory" in unknown.reason


def test_waiting_sees_the_change_and_ends_early(reached: Cluster) -> None:
    task = launched(reached, f"sleep 4; {RESULTS}")
    task.until("running")
    before = time.monotonic()
    (row,) = status([task.invocation_id], wait_seconds=30).runs
    assert row.state == "succeeded"
    assert time.monotonic() - before < 25


def test_progress_comes_from_the_progress_file_and_from_the_statistics_of_the_answers(reached: Cluster) -> None:
    task = launched(reached, "echo 40 > artifacts/progress; sleep 600")
    stats = task.directory / "artifacts" / "response_stats_cache"
    stats.mkdir()
    with closing(sqlite3.connect(stats / "cache.db")) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE Cache (key, value)")
        row = until(task.told, lambda r: r.samples_done == 40)
        assert (row.state, row.eta_seconds) == ("running", -1)
        writer.executemany("INSERT INTO Cache VALUES (?, ?)", [(n, '{"status_code": 200}') for n in range(50)])
        writer.commit()
        # Still in the writer's side file, which is not touched.
        assert task.told().samples_done == 40
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = {p.name: p.stat().st_mtime_ns for p in stats.iterdir()}
        assert task.told().samples_done == 50
        assert {p.name: p.stat().st_mtime_ns for p in stats.iterdir()} == before
    reached.run("scancel", task.job_id)


def test_a_job_that_sbatch_refused_does_not_shift_the_others(reached: Cluster) -> None:
    """NEL pairs the ids that sbatch printed with the tasks by order: with the first refused, its record names the second's job."""
    refused = lay_out(reached, LONG)
    other = lay_out(reached, LONG, task="mmlu.1")
    other.directory.rename(refused.directory.parent / "mmlu.1")
    script = refused.directory.parent / "mmlu.1" / "run.sub"
    script.write_text(script.read_text("utf-8").replace(str(other.directory), str(script.parent)), "utf-8")
    refused.job_id = reached.checked("sbatch", "--parsable", "--hold", str(script)).strip()
    record(refused)
    try:
        first, second = refused.run().tasks
        assert (first.state, first.job_ids) == ("unknown", [])
        assert (second.state, second.job_ids) == ("pending", [refused.job_id])
    finally:
        reached.run("scancel", refused.job_id)


def test_a_host_that_nobody_named_is_not_contacted(reached: Cluster) -> None:
    task = lay_out(reached, LONG)
    task.job_id = "1"
    task.cluster.alias = "stranger.example"
    try:
        record(task)
    finally:
        task.cluster.alias = "testcluster"
    with pytest.raises(ConsentNeeded, match=r"neither in clusters.yaml nor in ssh_config"):
        status([task.invocation_id])
    (row,) = status().runs
    assert (row.state, row.tasks[0].state) == ("unknown", "unknown")
    assert "was not asked" in row.tasks[0].reason


@pytest.mark.parametrize("name", ["testcluster:/", "testcluster:/a/../../etc", "testcluster:/a/\n@end"])
def test_an_address_that_cannot_be_one_is_refused(reached: Cluster, name: str) -> None:
    with pytest.raises(BadInput):
        status([name])


def test_an_sshd_that_dies_during_the_look_is_told_and_the_next_call_goes_on(reached: Cluster) -> None:
    task = launched(reached, LONG)
    task.until("running")
    stop = threading.Event()

    def cut() -> None:
        while not stop.wait(0.05):
            reached.run("pkill", "-f", "^sshd: tester")

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        states = {task.told().state for _ in range(3)}
    finally:
        stop.set()
        cutter.join()
    assert states <= {"running", "unreachable"}
    assert task.told().state == "running"
    reached.run("scancel", task.job_id)


def test_a_canary_on_a_cluster_is_judged_once_from_its_files_and_not_before_its_end(
    reached: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = lay_out(reached, "sleep 4")
    shutil.copytree(REAL / REAL_TASK / "artifacts", task.directory / "artifacts", dirs_exist_ok=True)
    results = task.directory / "artifacts" / "results.yml"
    results.rename(results.with_name("held"))
    script = task.directory / "run.sub"
    script.write_text(script.read_text("utf-8") + "mv artifacts/held artifacts/results.yml\n", "utf-8")
    ledger.add_attempt(
        ledger.Attempt(
            invocation_id=task.invocation_id,
            kind="canary",
            fingerprint="f" * 64,
            config="/nowhere/eval.yaml",
            executor="slurm",
            output_dir=f"{USER}@{reached.alias}:{task.directory.parent.parent}",
            run_dir=f"{USER}@{reached.alias}:{task.directory.parent}",
            sample_limit=20,
            outcome="launched",
        )
    )
    submit(task)
    judged: list[str] = []
    real = verify.verify

    def counted(run: RunDir, *rest: Any, **options: Any) -> Any:
        judged.append(str(run.path))
        return real(run, *rest, **options)

    monkeypatch.setattr(verify, "verify", counted)
    task.until("running")
    assert (task.run().gate.judged, judged) == (False, [])
    task.until("succeeded")
    row = task.run()
    assert row.kind == "canary"
    assert (row.gate.judged, row.gate.passed) == (True, True)
    assert row.gate.evidence == {task.directory.name: "samples"}
    assert row.gate.estimate.tokens_per_sample > 0
    assert len(judged) == 1
    assert not judged[0].startswith(str(reached.home))
