from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quantgate.runs import status as status_module
from quantgate.runs.rundir import RunDir, TaskDir
from quantgate.runs.status import task_status

from .building import age, empty_task, real_copy, runner, stage

DEAD = {"create_time": 1.0}


@pytest.fixture
def task(tmp_path: Path) -> TaskDir:
    return empty_task(tmp_path)


def test_a_real_finished_task_has_succeeded_with_all_its_samples(tmp_path: Path) -> None:
    status = task_status(real_copy(tmp_path).tasks[0], 20)
    assert (status.state, status.samples_done, status.samples_expected, status.exit_code) == ("succeeded", 20, 20, 0)
    assert status.eta_seconds is None


def test_a_task_whose_process_lives_is_running(task: TaskDir) -> None:
    stage(task, "pre-start")
    stage(task, "running")
    runner(task.logs)
    assert task_status(task).state == "running"


def test_a_running_stage_without_its_process_is_interrupted_and_says_why(task: TaskDir) -> None:
    stage(task, "running")
    runner(task.logs, **DEAD)
    status = task_status(task)
    assert status.state == "interrupted"
    assert "ended without an exit record" in status.reason


def test_an_exit_record_written_between_the_two_looks_counts(task: TaskDir, monkeypatch: pytest.MonkeyPatch) -> None:
    stage(task, "running")
    runner(task.logs, **DEAD)

    def ends_now(record: object) -> bool:
        stage(task, "exit", "2026-11-21T09:55:36Z 0\n")
        return False

    monkeypatch.setattr(status_module, "alive", ends_now)
    assert task_status(task).state == "succeeded"


def test_a_half_written_exit_record_proves_nothing(task: TaskDir) -> None:
    stage(task, "running")
    stage(task, "exit", "2026-11-21T09:55")
    runner(task.logs)
    assert task_status(task).state == "running"


@pytest.mark.parametrize("code", [130, 137, 143])
def test_a_signal_is_an_interruption_not_a_failure(task: TaskDir, code: int) -> None:
    stage(task, "exit", f"2026-11-21T09:55:36Z {code}\n")
    status = task_status(task)
    assert status.state == "interrupted"
    assert str(code) in status.reason


@pytest.mark.parametrize("code", [0, 143])
def test_the_marker_of_nemo_evaluator_means_interrupted_also_after_exit_code_0(task: TaskDir, code: int) -> None:
    stage(task, "exit", f"2026-11-21T09:55:36Z {code}\n")
    (task.artifacts / ".nemo_evaluator_interrupted").write_text("{}")
    assert task_status(task).state == "interrupted"


def test_a_cancelled_task_is_told_from_an_interrupted_one(task: TaskDir) -> None:
    stage(task, "exit", "2026-11-21T09:55:36Z 143\n")
    stage(task, "cancelled")
    assert task_status(task).state == "cancelled"


def test_a_task_that_was_killed_after_its_cancellation_is_cancelled(task: TaskDir) -> None:
    stage(task, "running")
    stage(task, "cancelled")
    runner(task.logs, **DEAD)
    assert task_status(task).state == "cancelled"


def test_a_task_that_finished_before_the_cancellation_reached_it_has_succeeded(task: TaskDir) -> None:
    stage(task, "exit", "2026-11-21T09:55:36Z 0\n")
    stage(task, "cancelled")
    assert task_status(task).state == "succeeded"


def test_a_failure_names_the_known_cause_and_hides_the_key(task: TaskDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_API_KEY", "s3cret-value-123")
    stage(task, "exit", "2026-11-21T09:55:36Z 1\n")
    (task.logs / "client_stdout.log").write_text(
        "Traceback (most recent call last):\n"
        '  File "/app/run.py", line 3, in main\n'
        "openai.AuthenticationError: Error code: 401 - Incorrect API key provided: s3cret-value-123\n"
        "RuntimeError: the command ended with 1\n"
    )
    status = task_status(task)
    assert status.state == "failed"
    assert "refused the credentials" in status.reason
    assert "401" in status.reason
    assert "s3cret" not in status.reason


def test_a_failure_without_a_known_cause_gives_the_last_exception_and_its_frame(task: TaskDir) -> None:
    stage(task, "exit", "2026-11-21T09:55:36Z 2\n")
    (task.logs / "client_stdout.log").write_text(
        'Traceback (most recent call last):\n  File "/app/run.py", line 3, in main\nZeroDivisionError: division by zero\nbye\n'
    )
    assert task_status(task).reason == "client_stdout.log: ZeroDivisionError: division by zero (run.py:3 in main)"


def test_a_failure_with_silent_logs_gives_the_exit_code(task: TaskDir) -> None:
    stage(task, "exit", "2026-11-21T09:55:36Z 2\n")
    assert task_status(task).reason == "exit code 2; the logs say nothing"


def test_a_reason_is_bounded(task: TaskDir) -> None:
    stage(task, "exit", "2026-11-21T09:55:36Z 2\n")
    (task.logs / "client_stdout.log").write_text("ValueError: " + "x" * 100_000)
    assert len(task_status(task).reason) <= 300


def test_a_run_that_the_endpoint_broke_is_failed_not_interrupted(task: TaskDir) -> None:
    stage(task, "exit", "2026-11-21T09:55:36Z 143\n")
    (task.artifacts / ".nemo_evaluator_server_error").write_text("Request failed with status 500")
    status = task_status(task)
    assert status.state == "failed"
    assert "status 500" in status.reason


def test_a_harness_that_could_not_be_installed_is_the_reason(task: TaskDir) -> None:
    stage(task, "pre-start")
    stage(task, "exit", "2026-11-21T09:55:36Z 1\n")
    (task.logs / "install.log").write_text("ERROR: No matching distribution found for nvidia-ifbench==26.3\n")
    assert "nvidia-ifbench==26.3" in task_status(task).reason


def test_an_installation_in_progress_is_pending_with_its_last_line(task: TaskDir) -> None:
    stage(task, "pre-start")
    runner(task.logs)
    (task.logs / "install.log").write_text("Collecting nvidia-ifbench\nDownloading spacy\n")
    status = task_status(task)
    assert (status.state, status.reason) == ("pending", "installing the harness: Downloading spacy")


def test_an_installation_whose_process_is_gone_is_interrupted(task: TaskDir) -> None:
    stage(task, "pre-start")
    runner(task.logs, **DEAD)
    status = task_status(task)
    assert status.state == "interrupted"
    assert "installed" in status.reason


def test_a_task_in_the_queue_of_a_living_run_is_pending(task: TaskDir) -> None:
    runner(task.path.parent)
    assert task_status(task).state == "pending"


def test_a_task_in_the_queue_of_a_dead_run_is_interrupted(task: TaskDir) -> None:
    runner(task.path.parent, **DEAD)
    status = task_status(task)
    assert status.state == "interrupted"
    assert "never started" in status.reason


def test_a_launch_gets_a_minute_to_leave_its_first_record(task: TaskDir) -> None:
    assert task_status(task).state == "pending"
    age(task.path, 61)
    assert task_status(task).state == "interrupted"


def test_a_run_of_another_host_is_running_while_its_logs_grow_and_unknown_after(task: TaskDir) -> None:
    stage(task, "running")
    runner(task.logs, host="elsewhere")
    assert task_status(task).state == "running"
    age(task.logs, 16 * 60)
    status = task_status(task)
    assert status.state == "unknown"
    assert "elsewhere" in status.reason


class TestDocker:
    """NEL's local executor leaves no record of its process."""

    @pytest.fixture(autouse=True)
    def _script(self, task: TaskDir) -> None:
        (task.path / "run.sh").write_text("docker run --rm image\n")

    def test_fresh_logs_are_a_sign_of_life(self, task: TaskDir) -> None:
        stage(task, "running")
        assert task_status(task).state == "running"

    def test_quiet_logs_are_unknown_never_failed(self, task: TaskDir) -> None:
        stage(task, "running")
        age(task.logs, 16 * 60)
        status = task_status(task)
        assert status.state == "unknown"
        assert "16 minutes" in status.reason

    def test_a_task_waits_for_the_one_before_it(self, task: TaskDir, tmp_path: Path) -> None:
        first = empty_task(tmp_path, "other.1")
        stage(first, "running", datetime.now(UTC).isoformat())
        age(task.path, 3600)
        assert task_status(task).state == "pending"

    def test_an_old_task_that_never_began_is_unknown(self, task: TaskDir) -> None:
        age(task.path, 3600)
        assert task_status(task).state == "unknown"

    def test_nel_kill_is_a_cancellation(self, task: TaskDir) -> None:
        stage(task, "running")
        (task.path.parent / "killed_jobs.txt").write_text("5f3c9a1e7b2d4860.0\n")
        assert task_status(task).state == "cancelled"


@pytest.mark.parametrize(
    ("file", "state"),
    [("results.yml", "succeeded"), (".nemo_evaluator_interrupted", "interrupted"), ("other", "unknown")],
)
def test_a_slurm_run_is_judged_by_what_nemo_evaluator_left(task: TaskDir, file: str, state: str) -> None:
    (task.path / "run.sub").write_text("#!/bin/bash\n")
    (task.artifacts / file).write_text("x")
    assert task_status(task).state == state


def test_a_bare_output_directory_with_results_has_succeeded(tmp_path: Path) -> None:
    (tmp_path / "results.yml").write_text("results: {}\n")
    assert task_status(RunDir.find(tmp_path).tasks[0]).state == "succeeded"


def test_a_deleted_run_is_unknown_and_says_so(task: TaskDir) -> None:
    shutil.rmtree(task.path.parent)
    status = task_status(task, 5)
    assert status.state == "unknown"
    assert "is gone" in status.reason


def test_a_living_task_of_which_nothing_is_written_any_more_says_since_when(tmp_path: Path) -> None:
    task = empty_task(tmp_path)
    stage(task, "running")
    runner(task.logs)
    answers = task.artifacts / "response_stats_cache"
    answers.mkdir()
    (answers / "cache.db").write_bytes(b"")
    age(task.logs, 1500)
    assert (task_status(task).state, task_status(task).reason) == ("running", "")
    age(answers, 1200)
    row = task_status(task)
    assert row.state == "running"
    assert row.reason == task_status(task, now=datetime.now(UTC) + timedelta(seconds=50)).reason
    since = datetime.fromtimestamp((answers / "cache.db").stat().st_mtime, UTC)
    assert f"no answer since {since:%Y-%m-%d %H:%M} UTC" in row.reason


def test_a_task_on_the_list_of_a_new_runner_is_resuming_until_its_turn(task: TaskDir) -> None:
    stage(task, "exit", "2026-11-21T09:55:36Z 143\n")
    runner(task.logs, **DEAD)
    runner(task.path.parent, tasks=[task.directory])
    stage(task, "resuming")
    assert task_status(task).state == "resuming"
    stage(task, "cancelled")
    assert task_status(task).state == "cancelled"


def test_a_new_runner_that_ended_before_a_task_s_turn_leaves_the_state_as_it_was(task: TaskDir) -> None:
    stage(task, "exit", "2026-11-21T09:55:36Z 1\n")
    runner(task.logs, **DEAD)
    runner(task.path.parent, tasks=[task.directory], **DEAD)
    stage(task, "resuming")
    assert task_status(task).state == "failed"


def test_a_new_runner_on_another_machine_is_not_known(task: TaskDir) -> None:
    stage(task, "exit", "2026-11-21T09:55:36Z 1\n")
    runner(task.path.parent, tasks=[task.directory], host="elsewhere")
    stage(task, "resuming")
    status = task_status(task)
    assert (status.state, "elsewhere" in status.reason) == ("unknown", True)


def test_a_task_that_never_began_does_not_wait_for_a_runner_that_does_not_have_it(task: TaskDir) -> None:
    runner(task.path.parent, tasks=["another.task.1"])
    status = task_status(task)
    assert (status.state, "resumed without it" in status.reason) == ("interrupted", True)


def test_a_task_that_was_cancelled_before_its_turn_is_cancelled_while_its_runner_goes_on(task: TaskDir) -> None:
    runner(task.path.parent)
    stage(task, "cancelled")
    assert task_status(task).state == "cancelled"


@pytest.mark.parametrize(
    ("changes", "state", "says"), [({}, "running", ""), (DEAD, "interrupted", "a container of it may live on")]
)
def test_a_recorded_script_tells_whether_its_containers_run_however_quiet_the_logs_are(
    task: TaskDir, changes: dict[str, object], state: str, says: str
) -> None:
    (task.path / "run.sh").write_text("docker run image\n")
    stage(task, "pre-start")
    stage(task, "running")
    runner(task.path.parent, **changes)
    (task.path.parent / "runner.json").rename(task.path.parent / "script.json")
    age(task.logs, 3600)
    status = task_status(task)
    assert status.state == state
    assert says in status.reason
