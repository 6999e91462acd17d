"""The state of a task on this machine, from its files and from the process that runs it.

`failed` is said only when an exit record proves it; where nothing proves an end or a life, the state is `unknown`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from ..launcher.markers import INTERRUPTED_MARKER, SERVER_ERROR_MARKER
from .answer_store import RESPONSE_CACHE, STATS_CACHE
from .logs import log_files, read_tail
from .opening import open_file
from .process import RunnerRecord, alive, orphaned, runner_of, successor_of
from .progress import read_progress
from .reason import REASON_CHARACTERS, failure_reason
from .rundir import TaskDir
from .sanitise import one_line
from .stages import Stages, read_stages, seconds_since_change

State = Literal[
    "pending", "running", "resuming", "succeeded", "failed", "cancelled", "interrupted", "unreachable", "unknown"
]

QUIET_SECONDS = 15 * 60
"""Logs that did not change for so long are no sign of life (a request's time limit is shorter)."""
STILL_SECONDS = 10 * 60
"""A living task of which nothing is written for so long is said to stand still, which a single long answer can do too."""
START_SECONDS = 60
"""How long a launch may take to leave its first record."""

SKIPPED = "cancelled through quantgate before its turn; it is skipped"
CONTAINERS_MAY_LIVE = "a container of it may live on, which cancel ends"

_SIGNALLED = {
    130: "SIGINT",
    137: "SIGKILL: killed from outside, or by the kernel when the memory was full",
    143: "SIGTERM",
}


@dataclass(frozen=True)
class TaskStatus:
    """A task's state.

    Attributes:
        task: The task's directory name ("ifbench.ifbench.0").
        state: One of the states of the tools' contract.
        reason: Why, bounded and redacted; empty when the state says all.
        samples_done: Answered so far; None when nothing tells.
        samples_expected: As the caller gave it.
        eta_seconds: Until the last sample; None when it cannot be known.
        exit_code: Of the finished task.
        scheduler_state: Slurm's own state and reason ("PENDING (Priority)"); empty for a task that is on this machine.
        job_ids: Slurm's jobs of it, oldest first; empty for a task that is on this machine.
        left_queued: The Slurm job that is still in the queue though the task has ended, and keeps it from being resumed.
    """

    task: str
    state: State
    reason: str
    samples_done: int | None = None
    samples_expected: int | None = None
    eta_seconds: int | None = None
    exit_code: int | None = None
    scheduler_state: str = ""
    job_ids: tuple[str, ...] = ()
    left_queued: str = ""


@dataclass(frozen=True)
class _Judged:
    state: State
    reason: str = ""


def task_status(task: TaskDir, expected: int | None = None, now: datetime | None = None) -> TaskStatus:
    """The state and the progress of one task.

    Args:
        task: From a `RunDir`; its directory may have been removed since.
        expected: Samples times repeats that the task is to answer; None when not known.
        now: For tests; the present time otherwise.
    """
    now = now or datetime.now(UTC)
    if not task.path.is_dir():
        gone = f"the run directory {task.path} is gone"
        return TaskStatus(task.directory, "unknown", gone, samples_expected=expected)
    stages = read_stages(task.logs)
    judged = _judge(task, stages, now)
    if judged.state in ("interrupted", "unknown", "cancelled"):
        # The process may have written its exit record and ended between the reading of the two.
        stages = read_stages(task.logs)
        judged = _judge(task, stages, now)
    progress = read_progress(task, stages, expected, now)
    eta = progress.eta_seconds if judged.state == "running" else None
    return TaskStatus(task.directory, judged.state, judged.reason, progress.done, expected, eta, stages.exit_code)


def _judge(task: TaskDir, stages: Stages, now: datetime) -> _Judged:
    if stages.resuming and (coming := _resuming(task, stages)) is not None:
        return coming
    if stages.exit_code is not None:
        return _ended(task, stages, stages.exit_code)
    launcher = task.launcher()
    if stages.none and launcher in ("none", "slurm"):
        return _by_artifacts(task)
    if launcher == "docker":
        return _docker(task, stages, now)
    return _process(task, stages, now)


def _ended(task: TaskDir, stages: Stages, code: int) -> _Judged:
    marker = (task.artifacts / INTERRUPTED_MARKER).is_file()
    if stages.cancelled and (code != 0 or marker):
        return _Judged("cancelled", "cancelled through quantgate")
    if (task.artifacts / SERVER_ERROR_MARKER).is_file() and code != 0:
        return _Judged("failed", failure_reason(task))
    if marker:
        return _Judged("interrupted", f"nemo-evaluator was told to stop before it had finished (exit code {code})")
    if code == 0:
        return _Judged("succeeded")
    if code in _SIGNALLED:
        return _Judged("interrupted", f"exit code {code} ({_SIGNALLED[code]})")
    reason = failure_reason(task) or f"exit code {code}; the logs say nothing"
    if "Health check timeout" in reason and task.launcher() == "docker":
        # NEL's local script (0.2.6) ends then without the server that it started.
        reason = f"{reason}; {CONTAINERS_MAY_LIVE}"
    return _Judged("failed", reason)


def _by_artifacts(task: TaskDir) -> _Judged:
    """Without stage files only what nemo-evaluator itself leaves can prove an end."""
    if (task.artifacts / INTERRUPTED_MARKER).is_file():
        return _Judged("interrupted", "nemo-evaluator was told to stop before it had finished")
    if (task.artifacts / "results.yml").is_file():
        return _Judged("succeeded", "no exit record; results.yml is written when an evaluation has ended")
    return _Judged("unknown", "neither results.yml nor an exit record is here")


def _resuming(task: TaskDir, stages: Stages) -> _Judged | None:
    """A task on the list of a new runner; None when that runner has ended before it came to it."""
    record = successor_of(task)
    lives = alive(record) if record else False
    if record is None or lives is False:
        return None
    if lives is None:
        return _Judged("unknown", f"its process {record.pid} belongs to {record.host or 'another user'}")
    return _Judged("cancelled", SKIPPED) if stages.cancelled else _Judged("resuming", "waiting for its turn")


def _process(task: TaskDir, stages: Stages, now: datetime) -> _Judged:
    record = runner_of(task)
    if record is not None:
        return _by_record(task, stages, record, now)
    quiet = seconds_since_change(task.logs, now)
    if stages.none and (quiet if quiet is not None else _age(task, now)) > START_SECONDS:
        return _Judged("interrupted", "it never started, and no process of this run is on record")
    if stages.none:
        return _Judged("pending", "waiting to be started")
    return _by_activity(task, stages, now, "no process of this run is on record")


def _by_record(task: TaskDir, stages: Stages, record: RunnerRecord, now: datetime) -> _Judged:
    lives = alive(record)
    if lives is None:
        return _by_activity(task, stages, now, f"its process {record.pid} belongs to {record.host or 'another user'}")
    if stages.none and not record.speaks_for(task.directory):
        ended = "it had not started, and the run was resumed without it"
        return _Judged("cancelled" if stages.cancelled else "interrupted", ended)
    if lives and stages.none and stages.cancelled:
        return _Judged("cancelled", SKIPPED)
    if lives:
        ending = "it is being cancelled" if stages.cancelled else ""
        if stages.running:
            return _Judged("running", ending or _standstill(task, now))
        return _Judged("pending", ending or _install_line(task) or "waiting to be started")
    if not stages.none and orphaned(record):
        return _Judged("running", f"its runner {record.pid} is gone and the harness goes on; no exit record will come")
    if stages.cancelled:
        return _Judged(
            "cancelled", "cancelled through quantgate; the process was ended before it could write an exit record"
        )
    if stages.running and task.launcher() == "docker":
        return _Judged("interrupted", f"the script {record.pid} ended without an exit record; {CONTAINERS_MAY_LIVE}")
    if stages.running:
        return _Judged("interrupted", f"the process {record.pid} ended without an exit record")
    if stages.pre_start:
        return _Judged("interrupted", f"the process {record.pid} ended while the harness was being installed")
    return _Judged("interrupted", f"it never started: the process {record.pid} of this run has ended")


def _docker(task: TaskDir, stages: Stages, now: datetime) -> _Judged:
    if _killed_by_nel(task):
        return _Judged("cancelled", "cancelled through quantgate" if stages.cancelled else "nel kill ended it")
    record = runner_of(task)
    if record is not None:
        return _by_record(task, stages, record, now)
    if stages.none:
        if any(_active(sibling, now) for sibling in _siblings(task)):
            return _Judged("pending", "waiting for the task before it")
        if _age(task, now) <= START_SECONDS:
            return _Judged("pending", "waiting to be started")
        return _Judged("unknown", "it has not started, and plain NEL leaves no record of its process")
    return _by_activity(task, stages, now, "plain NEL leaves no record of its process")


def _by_activity(task: TaskDir, stages: Stages, now: datetime, why: str) -> _Judged:
    """Fresh logs are a sign of life; old ones prove nothing."""
    quiet = seconds_since_change(task.logs, now)
    if quiet is not None and quiet <= QUIET_SECONDS:
        return (
            _Judged("running") if stages.running else _Judged("pending", _install_line(task) or "waiting to be started")
        )
    minutes = "" if quiet is None else f" for {quiet / 60:.0f} minutes"
    return _Judged("unknown", f"no exit record and no change in the logs{minutes}; {why}")


def _standstill(task: TaskDir, now: datetime) -> str:
    """Since when nothing was written of a task whose process lives; the hour, so that waiting for a change does not end early."""
    places = (task.logs, *((task.artifacts / cache).parent for cache in (RESPONSE_CACHE, STATS_CACHE)))
    quiet = [seconds for place in places if (seconds := seconds_since_change(place, now)) is not None]
    if not quiet or min(quiet) < STILL_SECONDS:
        return ""
    since = now - timedelta(seconds=min(quiet))
    return f"no log line and no answer since {since:%Y-%m-%d %H:%M} UTC: the endpoint or the harness may hang"


def _install_line(task: TaskDir) -> str:
    """What the installation of the harness printed last, while it is the newest that happened."""
    install = next((f for f in log_files(task) if f.role == "install"), None)
    if install is None:
        return ""
    try:
        began = (task.logs / "stage.pre-start").stat().st_mtime
    except OSError:
        began = 0.0
    last = read_tail(install, lines=3).text.strip().rsplit("\n", 1)[-1] if install.modified >= began else ""
    return one_line(f"installing the harness: {last}" if last else "installing the harness", REASON_CHARACTERS)


def _killed_by_nel(task: TaskDir) -> bool:
    """Whether `nel kill` (0.2.6) noted this task in killed_jobs.txt beside the script that runs it."""
    for folder in (task.path, task.path.parent):
        try:
            with open_file(folder / "killed_jobs.txt") as file:
                lines = file.read(100_000).decode("utf-8", "replace").split()
        except OSError:
            continue
        if any(line.rsplit(".", 1)[-1] == task.job_id_suffix for line in lines):
            return True
    return False


def _siblings(task: TaskDir) -> list[Stages]:
    return [read_stages(p) for p in task.path.parent.glob("*.*/logs") if p != task.logs]


def _active(stages: Stages, now: datetime) -> bool:
    fresh = stages.running_since is None or (now - stages.running_since).days < 30
    return not stages.none and stages.exit_code is None and fresh


def _age(task: TaskDir, now: datetime) -> float:
    try:
        return now.timestamp() - task.path.stat().st_mtime
    except OSError:
        return 0.0
