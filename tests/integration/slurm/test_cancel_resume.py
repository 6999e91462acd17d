"""Cancel and resume on a real cluster: the whole chain of jobs, nothing else, and no word more than was seen."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quantgate.cluster import connection, control, launches
from quantgate.errors import ClusterError, QuantgateError, Refused, UnknownName, Unreachable
from quantgate.gates import ledger
from quantgate.gates.cancel import cancelling
from quantgate.gates.judgement import judging
from quantgate.gates.resume import resuming
from quantgate.gates.traces import lookup
from quantgate.tools.cancel import cancel
from quantgate.tools.resume import resume

from . import made_jobs
from .cluster import Cluster
from .conftest import MakeCluster
from .made_jobs import FOREVER, MadeRun, cleared, until
from .settings import ACCOUNT

TASK, OTHER = "ifbench.ifbench.0", "mmlu.mmlu.1"
STUBBORN = "trap '' TERM; sleep 600 & while :; do wait; done"
"""A job that Slurm has to kill, after its KillWait of 5 s on this cluster."""

Make = Callable[..., MadeRun]


@pytest.fixture
def make(reached: Cluster) -> Iterator[Make]:
    """Makes runs on the shared cluster, of which nothing is left afterwards."""
    made: list[MadeRun] = []

    def one(tasks: Mapping[str, str] | None = None, **options: bool | int | tuple[str, ...]) -> MadeRun:
        made.append(made_jobs.make(reached, tasks or {TASK: FOREVER}, **options))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for run in made:
        cleared(run)


@pytest.fixture
def recorded(make: Make, tmp_path: Path) -> Make:
    """As `make`, for runs that are launches of ours in the ledger."""

    def one(tasks: Mapping[str, str] | None = None, **options: bool | int | tuple[str, ...]) -> MadeRun:
        run = make(tasks, **options)
        made_jobs.record(run, tmp_path)
        return run

    return one


def _states(run: MadeRun) -> dict[str, str]:
    return {t.task: t.state for t in judging.view(lookup.find(run.invocation_id)).tasks}


def _end_sessions(cluster: Cluster) -> None:
    cluster.run("pkill", "-f", "^sshd: tester")


def test_a_running_job_and_its_follow_on_are_ended_and_a_second_call_finds_nothing(recorded: Make) -> None:
    run = recorded()
    until(lambda: run.running(TASK), "the run")
    jobs = set(run.chain())
    assert len(jobs) == 2
    done = cancel(run.invocation_id)
    assert [(c.task, set(c.job_ids)) for c in done.cancelled] == [(TASK, jobs)]
    assert (done.still_running, done.finished) == ([], [])
    assert run.chain() == {}
    view = judging.view(lookup.find(run.invocation_id))
    assert (view.tasks[0].state, view.tasks[0].reason) == ("cancelled", "cancelled through quantgate")
    again = cancel(run.invocation_id)
    assert (again.cancelled, again.still_running) == ([], [])
    assert [(f.task, f.state) for f in again.finished] == [(TASK, "cancelled")]


def test_a_job_that_waits_is_ended(recorded: Make) -> None:
    run = recorded(flags=("--begin", "now+1hour"))
    assert list(run.chain().values()) == ["PENDING"]
    done = cancelling.cancel(run.invocation_id, [])
    assert done.jobs == {TASK: (run.jobs[TASK],)}
    assert run.chain() == {}


def test_one_task_is_ended_and_the_other_goes_on(recorded: Make) -> None:
    run = recorded({TASK: FOREVER, OTHER: FOREVER})
    until(lambda: run.running(TASK) and run.running(OTHER) and len(run.chain()) == 4, "the run")
    done = cancelling.cancel(run.invocation_id, ["ifbench.ifbench"])
    assert (done.cancelled, done.still_running) == ((TASK,), ())
    assert len(done.jobs[TASK]) == 2
    left = run.chain()
    assert sorted(left.values()) == ["PENDING", "RUNNING"]
    assert run.jobs[OTHER] in left
    with pytest.raises(UnknownName, match=r"no\.such"):
        cancelling.cancel(run.invocation_id, ["no.such"])


def test_a_follow_on_that_is_submitted_while_its_job_is_being_ended_is_ended_too(
    recorded: Make, reached: Cluster
) -> None:
    late = (
        f'trap "sleep 2; sbatch --dependency=afternotok:$SLURM_JOB_ID $0 $SLURM_JOB_ID; exit 1" TERM; {FOREVER} & wait'
    )
    run = recorded({TASK: late}, follow_on=False)
    until((run.root / TASK / "logs" / "started").exists, "the run")
    done = cancelling.cancel(run.invocation_id, [])
    assert (done.cancelled, done.still_running) == ((TASK,), ())
    assert len(done.jobs[TASK]) == 2
    assert run.chain() == {}
    assert reached.checked("squeue", "-h") == ""


def test_a_job_of_the_user_that_waits_for_one_of_ours_or_bears_its_name_is_left_alone(
    recorded: Make, reached: Cluster
) -> None:
    run = recorded()
    until(lambda: run.running(TASK), "the run")
    name = f"{ACCOUNT}-nemo-evaluator-launcher.{TASK}"
    mine = ["sbatch", "--parsable", "-A", ACCOUNT, "-o", str(reached.home / "own.log"), "--job-name", name]
    waits = reached.checked(
        *mine, "-d", f"afternotok:{run.jobs[TASK]}", "--begin", "now+1hour", "--wrap", "true"
    ).strip()
    other = reached.checked(*mine, "--wrap", "sleep 600").strip()
    try:
        done = cancel(run.invocation_id)
        assert [w for w in done.warnings if w.startswith(f"Job {waits} waits for {run.jobs[TASK]} and was not made")]
        left = reached.checked("squeue", "-h", "-o", "%i").split()
        assert {waits, other} == set(left)
    finally:
        reached.run("scancel", waits, other)


def test_a_copy_of_a_run_and_a_list_of_somebody_elses_jobs_end_nothing(make: Make, reached: Cluster) -> None:
    run = make()
    until(lambda: run.running(TASK), "the run")
    copy = run.root.with_name("20251121_120001-" + "f" * 16)
    shutil.copytree(run.root, copy)
    done = cancelling.cancel(f"{reached.alias}:{copy}", [])
    assert done.cancelled == ()
    assert sorted(run.chain().values()) == ["PENDING", "RUNNING"]


def test_a_run_of_plain_nel_is_ended_by_its_record_or_by_its_address_and_not_resumed(make: Make) -> None:
    record = Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"])
    for named in ("record", "address"):
        run = make(ours=False)
        made_jobs.record_of_nel(run, record)
        until(lambda run=run: run.running(TASK), "the run")  # type: ignore[misc]
        done = cancelling.cancel(run.invocation_id if named == "record" else run.address, [])
        assert (done.cancelled, done.still_running) == ((TASK,), ())
        assert run.chain() == {}
        with pytest.raises(Refused, match="not launched by quantgate"):
            resuming.resume(run.invocation_id, [])


def test_a_run_whose_directory_is_gone_is_ended_by_where_its_jobs_write(recorded: Make) -> None:
    run = recorded()
    until(lambda: run.running(TASK), "the run")
    jobs = set(run.chain())
    shutil.rmtree(run.root)
    done = cancelling.cancel(run.invocation_id, [])
    assert set(done.jobs[TASK]) == jobs
    assert done.still_running == ()


def test_a_link_that_breaks_while_jobs_are_ended_claims_nothing_and_the_end_comes_all_the_same(
    recorded: Make, reached: Cluster
) -> None:
    run = recorded({TASK: STUBBORN})
    until(lambda: run.running(TASK), "the run")
    connection.connection(reached.alias).run(["true"])
    timer = threading.Timer(2.0, _end_sessions, [reached])
    timer.start()
    with pytest.raises(Unreachable, match="jobs of the run may have been ended"):
        cancelling.cancel(run.invocation_id, [])
    timer.join()
    until(lambda: run.chain() == {}, "the end that was ordered", 20)
    again = cancelling.cancel(run.invocation_id, [])
    assert (again.cancelled, again.still_running, again.finished) == ((), (), ((TASK, "cancelled"),))


def test_a_host_that_does_not_answer_is_told_and_nothing_is_claimed(recorded: Make, reached: Cluster) -> None:
    run, idle = recorded(), recorded(submit=False)
    until(lambda: run.running(TASK), "the run")
    connection.close_all()
    reached.kill("sshd")
    try:
        with pytest.raises(Unreachable, match=r"cannot be reached: .*; nothing was ended"):
            cancelling.cancel(run.invocation_id, [])
        with pytest.raises(Unreachable, match="nothing was submitted"):
            resuming.resume(idle.invocation_id, [])
    finally:
        reached.start("sshd")
    until(lambda: connection_stands(reached), "sshd")
    assert sorted(run.chain().values()) == ["PENDING", "RUNNING"]
    assert ledger.resumes(idle.invocation_id) == []


def connection_stands(cluster: Cluster) -> bool:
    """Whether the cluster answers through ssh."""
    try:
        return connection.connection(cluster.alias).run(["true"]).code == 0
    except Unreachable:
        return False


def test_what_is_not_gone_in_time_is_said_to_be_left(recorded: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "CANCEL_SECONDS", 1)
    run = recorded({TASK: STUBBORN})
    until(lambda: run.running(TASK), "the run")
    done = cancel(run.invocation_id)
    assert done.cancelled == []
    assert [s for s in done.still_running if s == f"{TASK}: job {run.jobs[TASK]} is COMPLETING"]
    assert "once more" in done.next_step


def test_a_scheduler_that_does_not_answer_is_told_and_nothing_is_claimed(
    make_cluster: MakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = make_cluster()
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(own.ssh_config))
    connection.close_all()
    try:
        run = made_jobs.make(own, {TASK: FOREVER})
        made_jobs.record(run, tmp_path)
        until(lambda: run.running(TASK), "the run")
        idle = made_jobs.make(own, {TASK: FOREVER}, submit=False)
        made_jobs.record(idle, tmp_path)
        own.kill("slurmctld", signal.SIGTERM)
        with pytest.raises(ClusterError, match="cannot be seen, so nothing was ended: squeue: "):
            cancelling.cancel(run.invocation_id, [])
        with pytest.raises(ClusterError, match="cannot be seen, so nothing was submitted: squeue: "):
            resuming.resume(idle.invocation_id, [])
        own.start("slurmctld")
        until(lambda: own.run("squeue", "-h").code == 0, "slurmctld")
        assert sorted(run.chain().values()) == ["PENDING", "RUNNING"]
        assert idle.chain() == {}
        assert cancelling.cancel(run.invocation_id, []).cancelled == (TASK,)
    finally:
        connection.close_all()


def test_a_cancelled_task_is_resumed_with_its_earlier_jobs_on_the_list(recorded: Make) -> None:
    run = recorded({TASK: FOREVER, OTHER: "true"})
    until((run.root / OTHER / "logs" / "started").exists, "the other task")
    (run.root / OTHER / "artifacts" / "results.yml").write_text("results: {}\n", "utf-8")
    until(lambda: _states(run)[OTHER] == "succeeded" and run.running(TASK), "the run")
    cancelling.cancel(run.invocation_id, [TASK])
    before = run.listed(TASK)
    done = resume(run.invocation_id)
    assert (done.resumed, [(r.task, "succeeded" in r.reason) for r in done.refused]) == ([TASK], [(OTHER, True)])
    job = done.jobs[0].job_id
    assert job in run.chain()
    assert run.listed(TASK)[: len(before) + 1] == [*before, job]
    assert [(r.tasks, r.outcome) for r in ledger.resumes(run.invocation_id)] == [((TASK,), "launched")]
    until(lambda: _states(run)[TASK] == "running", "the resumed task")
    assert not (run.root / TASK / "logs" / "stage.cancelled").exists()


def test_what_waits_or_runs_is_not_resumed(recorded: Make) -> None:
    waiting, running = recorded(flags=("--begin", "now+1hour")), recorded()
    until(lambda: running.running(TASK), "the run")
    for run, state in ((waiting, "pending"), (running, "running")):
        done = resuming.resume(run.invocation_id, [])
        assert done.resumed == ()
        assert f"it is {state}" in done.refused[0].reason
        before = run.chain()
        # What a look of two seconds ago did not show is seen right before the submission.
        link = connection.connection(run.cluster.alias)
        told = control.resubmit(link, str(run.root), [TASK], stamp=launches.stamped(run.invocation_id))
        assert told.queued == ()
        assert (
            told.refused[0][1].startswith(f"it goes on: job {run.jobs[TASK]} is ") or "it goes on" in told.refused[0][1]
        )
        assert run.chain() == before


def test_resumes_at_once_queue_one_job(make: Make, reached: Cluster) -> None:
    run = make(submit=False)
    links = [connection.Connection(reached.alias) for _ in range(6)]

    def one(link: connection.Connection) -> str:
        try:
            done = control.resubmit(link, str(run.root), [TASK], stamp=launches.stamped(run.invocation_id))
        except ClusterError as error:
            return error.what
        return "queued" if done.queued else done.refused[0][1]

    try:
        with ThreadPoolExecutor(6) as pool:
            told = list(pool.map(one, links))
    finally:
        for link in links:
            link.close()
    assert told.count("queued") == 1, told
    locked = "Another resume of this run is under way"
    assert all(t in ("queued", locked) or t.startswith("it goes on") for t in told), told
    until(lambda: run.running(TASK), "the run")
    assert len(run.chain()) == 2
    assert not [p for p in run.root.iterdir() if p.name.startswith(".quantgate_resume")]


def test_a_lock_that_was_left_is_set_aside_and_a_fresh_one_is_respected(make: Make, reached: Cluster) -> None:
    run = make(submit=False)
    link = connection.connection(reached.alias)
    lock = run.root / ".quantgate_resume"
    lock.mkdir()
    (lock / "owner").write_text(f"{int(time.time()) - 20}.1.node\n", "utf-8")
    with pytest.raises(ClusterError, match="Another resume"):
        control.resubmit(link, str(run.root), [TASK])
    (lock / "owner").write_text(f"{int(time.time()) - 4000}.1.node\n", "utf-8")
    done = control.resubmit(link, str(run.root), [TASK])
    assert [task for task, _ in done.queued] == [TASK]
    assert "left its lock" in done.notes[0]
    assert not lock.exists()


def test_the_words_of_a_refused_submission_are_the_reason(recorded: Make, reached: Cluster) -> None:
    run = recorded(submit=False)
    reached.checked("scontrol", "update", "PartitionName=batch", "State=INACTIVE")
    try:
        done = resume(run.invocation_id)
    finally:
        reached.checked("scontrol", "update", "PartitionName=batch", "State=UP")
    assert done.resumed == []
    assert done.refused[0].reason.startswith("sbatch refused it: sbatch: error:")
    assert "partition" in done.refused[0].reason.lower()
    assert [r.outcome for r in ledger.resumes(run.invocation_id)] == ["failed"]
    assert run.chain() == {}
    assert resume(run.invocation_id).resumed == [TASK]


def test_a_link_that_breaks_during_a_resume_may_have_queued_and_the_next_one_queues_nothing(
    recorded: Make, reached: Cluster
) -> None:
    run = recorded(submit=False)
    slow = reached.base / "bin" / "sbatch"
    slow.write_text('#!/bin/sh\nsleep 3\nexec /usr/bin/sbatch "$@"\n', "utf-8")
    slow.chmod(0o755)
    try:
        connection.connection(reached.alias).run(["true"])
        timer = threading.Timer(2.0, _end_sessions, [reached])
        timer.start()
        with pytest.raises(Unreachable, match="jobs may have been queued"):
            resuming.resume(run.invocation_id, [])
        timer.join()
        assert [r.outcome for r in ledger.resumes(run.invocation_id)] == ["unknown"]
        until(run.chain, "the job that was queued all the same")
        # Once by the script, which goes on without its reader, and once by the job itself.
        until(lambda: len(run.listed(TASK)) == 2, "its note in the list")
        until(lambda: not (run.root / ".quantgate_resume").exists(), "the end of the lock")
    finally:
        slow.unlink()
    jobs = run.listed(TASK)
    again = resuming.resume(run.invocation_id, [])
    assert (again.resumed, len(again.refused)) == ((), 1)
    assert run.listed(TASK)[: len(jobs)] == jobs
    assert jobs[0] in judging.view(lookup.find(run.invocation_id)).tasks[0].job_ids


def test_a_job_whose_keys_are_gone_is_not_submitted(make: Make, reached: Cluster) -> None:
    run = make(submit=False)
    script = run.root / TASK / "run.sub"
    secrets = script.with_name(".secrets.env")
    text = script.read_text("utf-8")
    script.write_text(text.replace("\n_this_script", f'\nsource "{secrets}"\n_this_script', 1), "utf-8")
    link = connection.connection(reached.alias)
    done = control.resubmit(link, str(run.root), [TASK])
    assert ".secrets.env is gone" in done.refused[0][1]
    secrets.write_text("", "utf-8")
    assert control.resubmit(link, str(run.root), [TASK]).queued


def test_a_config_that_was_changed_is_not_resumed(recorded: Make) -> None:
    run = recorded(submit=False)
    config = Path(ledger.attempts(limit=1)[0].config)
    config.write_text(config.read_text("utf-8").replace("model_id: small", "model_id: other"), "utf-8")
    with pytest.raises(QuantgateError, match="not what was launched"):
        resuming.resume(run.invocation_id, [])
    assert run.chain() == {}


def test_without_accounting_a_task_is_resumed_when_the_queue_shows_that_nothing_of_it_runs(
    make_cluster: MakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = make_cluster(accounting=False)
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(own.ssh_config))
    connection.close_all()
    try:
        run = made_jobs.make(own, {TASK: "exit 3"}, follow_on=False)
        made_jobs.record(run, tmp_path)
        until(lambda: run.listed(TASK) and run.chain() == {}, "the end of the job")
        done = resuming.resume(run.invocation_id, [])
        assert done.resumed == (TASK,), done.refused
        assert run.listed(TASK)[:2] == [run.jobs[TASK], done.jobs[TASK]]
        until(lambda: run.chain() == {}, "the end of the second job")
        (run.root / TASK / "run.sub").write_text(
            (run.root / TASK / "run.sub").read_text("utf-8").replace("exit 3", FOREVER), "utf-8"
        )
        assert resuming.resume(run.invocation_id, []).resumed == (TASK,)
        ended = cancelling.cancel(run.invocation_id, [])
        assert (ended.cancelled, ended.still_running) == ((TASK,), ())
        assert run.chain() == {}
    finally:
        connection.close_all()


def test_a_launch_that_nobody_saw_to_its_end_is_ended_by_the_stamp_of_its_jobs(make: Make, tmp_path: Path) -> None:
    run = make()
    attempt = made_jobs.record(run, tmp_path, outcome="launching")
    until(lambda: run.running(TASK), "the run")
    jobs = set(run.chain())
    done = cancel(attempt.invocation_id)
    assert {j for c in done.cancelled for j in c.job_ids} == jobs
    assert done.still_running == []
    assert run.chain() == {}


def test_after_a_timeout_the_job_that_took_over_is_the_one_that_is_ended(recorded: Make) -> None:
    chain = recorded(minutes=1)
    alone = recorded(minutes=1, follow_on=False)
    until(lambda: len(chain.listed(TASK)) == 2, "the job that takes over", 150)
    first, second = chain.listed(TASK)
    until(lambda: chain.chain().get(second) == "RUNNING" and len(chain.chain()) == 2, "its follow-on")
    assert first not in chain.chain()
    done = cancelling.cancel(chain.invocation_id, [])
    assert second in done.jobs[TASK]
    assert first not in done.jobs[TASK]
    assert chain.chain() == {}
    until(lambda: alone.chain() == {}, "the end of the job without a follow-on", 30)
    until(lambda: _states(alone)[TASK] == "interrupted", "the accounting")
    resumed = resuming.resume(alone.invocation_id, [])
    assert resumed.resumed == (TASK,)
    assert resumed.jobs[TASK] in alone.chain()
