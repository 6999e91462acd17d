"""The state of a task on a cluster, from what was seen there. Rows of Slurm are written as its 22.05 writes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quantgate.cluster.look_directories import Directory
from quantgate.cluster.scheduler import Job, Snapshot
from quantgate.runs.slurm import slurm_words
from quantgate.runs.slurm.slurm_state import SlurmState, judge

HERE = "/lustre/runs/20261121_120000-5f3c9a1e7b2d4860/ifbench.ifbench.0"
NAME = "research-nel.ifbench.ifbench.0"
CLOCK = 10_000
THERE = Directory(HERE, exists=True, script=True)


def _job(job_id: str, state: str, **facts: object) -> Job:
    return replace(Job(job_id, state, name=NAME), **facts)  # type: ignore[arg-type]


def _seen(queue: list[Job] | None, accounting: list[Job] | None, problems: tuple[str, ...] = ()) -> Snapshot:
    return Snapshot(
        clock=CLOCK,
        user="tester",
        uid="1000",
        queue=None if queue is None else {j.job_id: j for j in queue},
        accounting=None if accounting is None else {j.job_id: j for j in accounting},
        problems=problems,
        users={"1001": "alex"},
    )


def _ended(state: str, directory: Directory = THERE, **facts: object) -> SlurmState:
    return judge(replace(directory, chain=("812",)), _seen([], [_job("812", state, **facts)]), ["812"])


@pytest.mark.parametrize(
    ("state", "facts", "expected", "words"),
    [
        ("FAILED", {"exit_code": 3}, "failed", "exit code 3"),
        ("FAILED", {"exit_code": 0, "signal": 9}, "failed", "signal 9"),
        # Written by hand in Slurm's format: without cgroups the test cluster cannot make this state.
        ("OUT_OF_MEMORY", {"exit_code": 0, "signal": 125}, "failed", "host memory"),
        ("TIMEOUT", {}, "interrupted", "time limit"),
        ("PREEMPTED", {}, "interrupted", "higher priority"),
        ("NODE_FAIL", {}, "interrupted", "node of it failed"),
        ("BOOT_FAIL", {}, "interrupted", "never ran"),
        ("DEADLINE", {}, "interrupted", "deadline"),
        ("CANCELLED", {"by": "1000"}, "cancelled", "by you (tester), not through quantgate"),
        ("CANCELLED", {"by": "1001"}, "cancelled", "by user alex"),
        ("CANCELLED", {"by": "7"}, "cancelled", "the user with id 7"),
        ("CANCELLED", {"by": "0"}, "cancelled", "root"),
        ("CANCELLED", {}, "cancelled", "by whom is not on record"),
        ("REVOKED", {}, "unknown", "another cluster"),
        ("COMPLETED", {"exit_code": 0}, "failed", "left no results.yml"),
        ("SOME_NEW_STATE", {}, "unknown", "still has it as SOME_NEW_STATE"),
    ],
)
def test_an_end_is_what_the_accounting_says(state: str, facts: dict[str, object], expected: str, words: str) -> None:
    told = _ended(state, **facts)
    assert told.state == expected
    assert words in told.reason
    assert told.job_ids == ("812",)


@pytest.mark.parametrize("state", ["COMPLETED", "TIMEOUT", "CANCELLED"])
def test_results_prove_the_success_whatever_ended_the_job_afterwards(state: str) -> None:
    assert _ended(state, replace(THERE, results=True)).state == "succeeded"
    assert _ended(state, replace(THERE, results=True, interrupted=True)).state != "succeeded"


def test_a_job_that_fails_after_the_results_is_failed_and_points_to_them() -> None:
    told = _ended("FAILED", replace(THERE, results=True), exit_code=1)
    assert (told.state, told.exit_code) == ("failed", 1)
    assert "verify_run reads them" in told.reason


def test_a_success_without_its_directory_is_not_claimed() -> None:
    told = judge(Directory(HERE, exists=False), _seen([], [_job("812", "COMPLETED")]), ["812"])
    assert (told.state, told.scheduler_state) == ("unknown", "COMPLETED")
    assert "is gone" in told.reason


@pytest.mark.parametrize(("ended", "changed"), [(CLOCK - 119, None), (None, CLOCK - 119), (CLOCK + 5, None)])
def test_results_that_may_only_not_be_visible_yet_are_no_failure(ended: int | None, changed: int | None) -> None:
    told = _ended("COMPLETED", replace(THERE, changed=changed), exit_code=0, ended=ended)
    assert told.state == "unknown"
    assert "not visible yet" in told.reason


def test_a_success_without_results_long_after_its_end_is_a_failure() -> None:
    assert _ended("COMPLETED", replace(THERE, changed=CLOCK - 5), ended=CLOCK - 120).state == "failed"
    unseen = replace(THERE, exists=None)
    told = _ended("COMPLETED", unseen, ended=CLOCK - 120)
    assert told.state == "unknown"
    assert "cannot be seen" in told.reason


@pytest.mark.parametrize("state", ["RUNNING", "PENDING"])
@pytest.mark.parametrize("old", [{"interrupted": True}, {"results": True, "interrupted": True}, {"cancelled": True}])
def test_markers_of_a_job_before_do_not_end_the_one_that_the_accounting_has_as_alive(
    state: str, old: dict[str, bool]
) -> None:
    directory = replace(THERE, chain=("812", "813"), **old)  # type: ignore[arg-type]
    rows = [_job("812", "TIMEOUT"), _job("813", state)]
    without_queue = judge(directory, _seen(None, rows, ("squeue: away",)))
    assert without_queue.state == "unknown"
    assert f"job 813 is {state}" in without_queue.reason
    assert judge(directory, _seen([], rows)).state == "unknown"


def test_a_job_that_waits_after_one_that_was_told_to_stop_keeps_it_open_without_the_queue() -> None:
    directory = replace(THERE, chain=("812",), interrupted=True)
    rows = [_job("812", "COMPLETED"), _job("813", "PENDING")]
    assert judge(directory, _seen(None, rows, ("squeue: away",)), ["813"]).state == "unknown"


def test_results_of_the_newest_job_prove_its_success_though_the_accounting_lags() -> None:
    directory = replace(THERE, chain=("812", "813"), results=True)
    assert judge(directory, _seen([], [_job("813", "RUNNING")])).state == "succeeded"


def test_a_failure_without_its_directory_is_one() -> None:
    assert (
        judge(Directory(HERE, exists=None), _seen([], [_job("812", "FAILED", exit_code=1)]), ["812"]).state == "failed"
    )


def test_what_quantgate_cancelled_is_said_so() -> None:
    assert _ended("CANCELLED", replace(THERE, cancelled=True), by="1000").reason == "cancelled through quantgate"


@pytest.mark.parametrize("state", ["TIMEOUT", "PREEMPTED", "NODE_FAIL"])
@pytest.mark.parametrize("follow_on", ["PENDING", "RUNNING"])
def test_a_follow_on_that_nel_resumes_with_makes_it_resuming(state: str, follow_on: str) -> None:
    queue = [_job("813", follow_on, output=f"{HERE}/logs/slurm-%A.log")]
    told = judge(replace(THERE, chain=("812",)), _seen(queue, [_job("812", state)]), ["812"])
    assert (told.state, told.job_ids) == ("resuming", ("812", "813"))
    assert "follow-on job 813" in told.reason


@pytest.mark.parametrize("state", ["FAILED", "OUT_OF_MEMORY", "CANCELLED", "COMPLETED"])
def test_a_follow_on_that_only_exits_changes_nothing(state: str) -> None:
    directory = replace(THERE, chain=("812",), results=state == "COMPLETED")
    alone = judge(directory, _seen([], [_job("812", state, by="1000")]))
    queue = [_job("813", "RUNNING", output=f"{HERE}/logs/slurm-813.log")]
    told = judge(directory, _seen(queue, [_job("812", state, by="1000")]))
    assert told.state == alone.state
    assert (told.left_queued, alone.left_queued) == ("813", "")


def test_a_failed_follow_on_does_not_make_the_evaluation_fail() -> None:
    accounting = [_job("812", "COMPLETED"), _job("813", "FAILED", exit_code=1)]
    assert judge(replace(THERE, chain=("812",), results=True), _seen([], accounting), ["812"]).state == "succeeded"


def test_a_resumed_chain_is_told_by_its_last_job_and_not_by_the_one_on_record() -> None:
    accounting = [_job("812", "TIMEOUT", elapsed=3600), _job("813", "FAILED", exit_code=1, elapsed=60)]
    told = judge(replace(THERE, chain=("812", "813")), _seen([], accounting), ["812"])
    assert (told.state, told.elapsed) == ("failed", 3660)


def test_a_running_job_says_that_it_was_resumed_and_for_how_long_it_ran() -> None:
    queue = [_job("813", "RUNNING", started=CLOCK - 100)]
    told = judge(replace(THERE, chain=("812", "813")), _seen(queue, [_job("812", "TIMEOUT", elapsed=3600)]), ["812"])
    assert (told.state, told.reason, told.elapsed) == ("running", "resumed once, last after job 812", 3700)


def test_the_end_of_the_whole_walltime_is_told_by_nels_own_words() -> None:
    line = "ERROR: Maximum total walltime (24:00:00) exceeded. Accumulated: 24:00:10"
    directory = replace(THERE, chain=("812",), said=(("813", line),))
    told = judge(directory, _seen([], [_job("812", "TIMEOUT")]))
    assert told.state == "interrupted"
    assert "max_walltime is used up" in told.reason


@pytest.mark.parametrize(
    ("line", "state"),
    [
        (
            "slurmstepd: error: *** JOB 812 ON node7 CANCELLED AT 2026-11-21T17:00:00 DUE TO TIME LIMIT ***",
            "interrupted",
        ),
        (
            "slurmstepd-n7: error: *** JOB 812 ON n7 CANCELLED AT 2026-11-21T17:00:00 DUE TO PREEMPTION ***",
            "interrupted",
        ),
        (
            "slurmstepd: error: *** JOB 812 ON n7 CANCELLED AT 2026-11-21T17:00:00 DUE TO NODE FAILURE, SEE X ***",
            "interrupted",
        ),
        ("slurmstepd: error: *** JOB 812 ON n7 CANCELLED AT 2026-11-21T17:00:00 ***", "cancelled"),
        ("previous SLURM_JOB_ID 812 finished with 'FAILED' state. EXIT!", "failed"),
        ("slurmstepd: error: *** JOB 999 ON n7 CANCELLED AT 2026-11-21T17:00:00 ***", "unknown"),
    ],
)
def test_without_accounting_the_jobs_own_logs_tell(line: str, state: str) -> None:
    directory = replace(THERE, chain=("812",), said=(("812", line),))
    assert judge(directory, _seen([], None, ("sacct: Slurm accounting storage is disabled",))).state == state


@pytest.mark.parametrize("accounting", [None, []])
def test_without_a_record_of_the_job_only_results_or_the_marker_prove_an_end(accounting: list[Job] | None) -> None:
    seen = _seen([], accounting, () if accounting == [] else ("sacct: disabled",))
    chain = replace(THERE, chain=("812",), changed=CLOCK - 5)
    assert judge(chain, seen).state == "unknown"
    assert judge(replace(chain, results=True), seen).state == "succeeded"
    assert judge(replace(chain, results=True, interrupted=True), seen).state == "interrupted"
    assert judge(replace(chain, interrupted=True), seen).state == "interrupted"


def test_an_end_that_the_accounting_does_not_know_yet_is_not_guessed() -> None:
    told = _ended("RUNNING")
    assert told.state == "unknown"
    assert "still has it as RUNNING" in told.reason


def test_without_the_queue_an_end_that_something_may_follow_is_not_told() -> None:
    problems = ("squeue: Unable to contact slurm controller",)
    directory = replace(THERE, chain=("812",))
    for state, expected in (
        ("FAILED", "failed"),
        ("TIMEOUT", "unknown"),
        ("RUNNING", "unknown"),
        ("PENDING", "unknown"),
    ):
        told = judge(directory, _seen(None, [_job("812", state, exit_code=1)], problems))
        assert told.state == expected
        assert ("squeue" in told.reason) is (expected == "unknown")
    assert judge(directory, _seen(None, None, problems)).state == "unknown"


def test_an_array_is_told_by_the_part_that_has_come_least_far() -> None:
    rows = {f"9_{n}": _job(f"9_{n}", state) for n, state in ((1, "COMPLETED"), (2, "FAILED"), (3, "COMPLETED"))}
    seen = replace(_seen([], []), accounting=rows)
    assert judge(replace(THERE, results=True), seen, ["9"]).scheduler_state == "FAILED"
    assert judge(THERE, replace(seen, queue={"9_2": _job("9_2", "RUNNING")}), ["9"]).state == "running"


def test_a_job_that_nel_paired_with_the_wrong_task_is_left_out() -> None:
    other = _job("812", "FAILED", exit_code=1)
    told = judge(THERE, _seen([], [replace(other, name="research-nel.mmlu.1")]), ["812"])
    assert (told.state, told.job_ids) == ("unknown", ())
    assert "sbatch may have refused it" in told.reason


def test_a_job_of_which_the_accounting_has_heard_little_is_kept() -> None:
    told = judge(
        Directory(HERE, exists=False), _seen([], [replace(_job("812", "COMPLETED"), name="allocation")]), ["812"]
    )
    assert told.job_ids == ("812",)


def test_a_job_that_was_put_back_into_the_queue_is_resuming() -> None:
    told = judge(replace(THERE, chain=("812",)), _seen([_job("812", "PENDING", reason="BeginTime")], []), ["812"])
    assert told.state == "resuming"


def test_a_job_that_writes_nothing_is_said_to_stand_still_by_the_clusters_clock() -> None:
    queue = [_job("812", "RUNNING", started=CLOCK - 9000)]
    quiet = judge(replace(THERE, chain=("812",), changed=CLOCK - 1500), _seen(queue, []))
    assert quiet.state == "running"
    assert "no log line for more than 20 minutes" in quiet.reason
    assert judge(replace(THERE, chain=("812",), changed=CLOCK - 60), _seen(queue, [])).reason == ""


@pytest.mark.parametrize("state", ["COMPLETING", "SUSPENDED", "STOPPED"])
def test_what_is_not_quite_running_says_so(state: str) -> None:
    told = judge(replace(THERE, chain=("812",)), _seen([_job("812", state)], []))
    assert (told.state, bool(told.reason)) == ("running", True)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("Priority", "higher priority"),
        ("QOSMaxGRESPerUser", "limit of the QOS"),
        ("AssocGrpGRES", "limit of the account"),
        ("InvalidAccount", "mend execution.account"),
        ("ReqNodeNotAvail, UnavailableNodes:n7", "down, drained or reserved"),
        ("ReservationDeleted", "was deleted"),
        ("JobHeldAdmin", "administrator"),
        ("DependencyNeverSatisfied", "can never start"),
        ("BrandNewReason", "Slurm's reason is BrandNewReason"),
        ("", "has not looked at it yet"),
    ],
)
def test_a_waiting_job_says_why(code: str, words: str) -> None:
    told = judge(THERE, _seen([_job("812", "PENDING", reason=code)], []), ["812"])
    assert told.state == "pending"
    assert words in told.reason
    assert told.scheduler_state == (f"PENDING ({code})" if code else "PENDING")


def test_the_expected_start_is_told_by_the_clusters_clock() -> None:
    queue = [_job("812", "PENDING", reason="Priority", started=CLOCK + 1800)]
    assert "in about 30 min" in judge(THERE, _seen(queue, []), ["812"]).reason


def test_a_task_without_any_job_is_not_said_to_have_failed() -> None:
    assert judge(THERE, _seen([], [])).state == "unknown"
    assert judge(Directory(HERE, exists=False), _seen([], [])).state == "unknown"
    assert judge(replace(THERE, results=True), _seen([], [])).state == "succeeded"


def test_every_state_of_the_table_has_a_phase_and_every_end_a_state() -> None:
    for name, row in slurm_words._rows()["states"].items():
        meaning = slurm_words.meaning(name)
        assert meaning.phase in ("waiting", "active", "ended"), name
        assert (meaning.phase == "ended") == ("state" in row), name
        assert not meaning.resumes or meaning.state == "interrupted"
