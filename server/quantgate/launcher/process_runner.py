"""Runs the tasks of one process invocation, one after the other, and outlives the server that launched it.

`python -m quantgate.launcher.process_runner DIRECTORY [TASK …]` reads DIRECTORY/plan.json, which the process executor wrote, and
leaves in every task directory what NEL's local executor leaves: `logs/stage.*`, `logs/client_stdout.log`, `artifacts/`. It also
writes `runner.json`, by which a later server tells a running evaluation from one whose process is gone. With names of task
directories only these run: that is how a run is resumed.

Two markers in `logs/` are ours. `stage.cancelled` is written by whoever cancels a task: one that has not begun is skipped, one
that runs is ended. `stage.resuming` means that a new runner has this task on its list and has not come to it. `stage.pre-start`
is written before `stage.cancelled` is looked for, and a canceller writes its marker first and then looks: one sees the other.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import psutil

from .. import faults
from ..errors import QuantgateError
from ..system.processes import KILL, group_of, session_of, signal_group
from . import adapter_port, exporting, harness_env, launch_lock
from .harnesses import require_wheel
from .markers import CANCELLED, INTERRUPTED_MARKER, RESUMING, SERVER_ERROR_MARKER
from .process_plan import PlannedTask, read_plan
from .runner_record import RUNNER_FILE, RunnerRecord, own_record, write_runner

ATTEMPT = ".attempt-"
"""In the name of a log of an attempt before a resume (`client_stdout.attempt-1.log`); runs/scanner/files.py reads it."""
EXPORT_VARIABLE = "QUANTGATE_EXPORT_"
TASK_VARIABLE = "QUANTGATE_TASK_{index}_"
"""Prefix under which a task's declared variables travel in the runner's environment; they are on no disk."""
INTERRUPTED_CODE = 143
SETUP_FAILED_CODE = 1
POLL_SECONDS = 0.5
STOP_SECONDS = 8.0
"""Between SIGTERM and SIGKILL for a harness; it writes its interrupted marker in this time."""


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _stage(logs: Path, name: str, code: int | None = None) -> None:
    text = _now() if code is None else f"{_now()} {code}"
    temporary = logs / f".stage.{name}"
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(logs / f"stage.{name}")


def _task_environment(task: PlannedTask, environment: Path) -> dict[str, str]:
    """What the harness sees: like its container, the base environment and the variables that the task declared."""
    prefix = TASK_VARIABLE.format(index=task.index)
    declared = {name: os.environ[prefix + name] for name in task.variables if prefix + name in os.environ}
    base = harness_env.base_environment() | adapter_port.variables()
    return {**base, **harness_env.variables(require_wheel(task.harness), environment), **declared}


def _put_aside(logs: Path) -> None:
    """Give the logs of the attempt before a name of their own: what broke it says nothing of the one that begins.

    NEL's script for containers (0.2.6) begins its log anew; a job on a cluster has logs of its own.
    """
    number = 1 + sum(1 for _ in logs.glob(f"client_stdout{ATTEMPT}*.log"))
    for name in ("client_stdout", "stdout", "install"):
        with contextlib.suppress(FileNotFoundError):
            (logs / f"{name}.log").rename(logs / f"{name}{ATTEMPT}{number}.log")


def _begin(logs: Path, artifacts: Path, record: RunnerRecord) -> None:
    """Take a task up: the stage files and markers of an earlier run go, its logs are put aside, its artifacts stay."""
    if (logs / "stage.pre-start").exists():
        _put_aside(logs)
    for stage in ("exit", "running", "pre-start"):
        (logs / f"stage.{stage}").unlink(missing_ok=True)
    # nemo-evaluator removes these itself, but only once its config is found valid (0.2.8).
    for marker in (INTERRUPTED_MARKER, SERVER_ERROR_MARKER):
        (artifacts / marker).unlink(missing_ok=True)
    write_runner(logs / RUNNER_FILE, record)
    _stage(logs, "pre-start")
    (logs / RESUMING).unlink(missing_ok=True)


def _group_lives(group: int) -> bool:
    """Whether a process of this group, of our own session, still runs."""
    own = session_of(0)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            ours = group_of(process.pid) == group and session_of(process.pid) == own
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def _take_up(tasks: Sequence[PlannedTask], *, resuming: bool) -> None:
    """Note what is to come; only what is cancelled from now on is skipped."""
    for task in tasks:
        logs = Path(task.directory) / "logs"
        (logs / CANCELLED).unlink(missing_ok=True)
        if resuming:
            logs.mkdir(parents=True, exist_ok=True)
            _stage(logs, "resuming")


class _Runner:
    """Holds the process of the task in hand, so that a signal can end it and be told from a failure."""

    def __init__(self, exports: exporting.Exports) -> None:
        self.exports = exports
        self.slow: set[str] = set()
        self.current: subprocess.Popen[bytes] | None = None
        self.terminated = False
        self.stopping = False

    def stop(self, signum: int, frame: object) -> None:  # noqa: ARG002 - the shape of a signal handler
        self.stopping = True
        self._terminate()

    def _signal(self, signum: int) -> None:
        """Signal the whole group of the harness: its shell alone would die and leave the evaluation running."""
        if self.current is not None:
            signal_group(self.current.pid, signum)

    def _terminate(self) -> None:
        # Once only: nemo-evaluator (0.2.8) takes a second SIGTERM as an order to die without its marker.
        if self.current is not None and not self.terminated:
            self.terminated = True
            self._signal(signal.SIGTERM)

    def _wait(self, cancelled: Callable[[], bool]) -> int:
        """The harness's exit code, 128 + n for a signal; after a stop its group gets `STOP_SECONDS`, then SIGKILL."""
        assert self.current is not None
        deadline: float | None = None
        while True:
            if deadline is None and (self.stopping or cancelled()):
                self._terminate()
                deadline = time.monotonic() + STOP_SECONDS
            if deadline is not None and time.monotonic() >= deadline:
                self._signal(KILL)
            try:
                code = self.current.wait(timeout=POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            break
        if self.terminated:
            # Its shell dies of the signal at once; what it started may still be putting its files in order.
            deadline = deadline or time.monotonic() + STOP_SECONDS
            while time.monotonic() < deadline and _group_lives(self.current.pid):
                time.sleep(0.1)
        # What the shell left behind, if anything, must not outlive the exit record.
        self._signal(KILL)
        self.current = None
        return code if code >= 0 else 128 - code

    def run(self, task: PlannedTask, record: RunnerRecord) -> None:
        """Run one task from its pre-start to its exit record."""
        directory = Path(task.directory)
        logs, artifacts, work = directory / "logs", directory / "artifacts", directory / "work"
        for folder in (logs, artifacts, work):
            folder.mkdir(parents=True, exist_ok=True)
        _begin(logs, artifacts, record)
        with (logs / "stdout.log").open("a", encoding="utf-8") as out:
            ended = self.stopping or (logs / CANCELLED).exists()
            code = INTERRUPTED_CODE if ended else self._evaluate(task, logs, work, out)
            if code != 0 and (self.stopping or (logs / CANCELLED).exists()):
                code = INTERRUPTED_CODE
            if code == 0 and (artifacts / INTERRUPTED_MARKER).exists():
                code = INTERRUPTED_CODE
            if code == 0 and self.exports.plan.destinations:
                with contextlib.suppress(OSError):
                    exporting.expect(logs, self.exports.plan.destinations)
            _stage(logs, "exit", code)
            out.write(f"{_now()} task {task.name} ended with exit code {code}\n")
            if code == 0:
                self._export(task, logs, work, out)
        shutil.rmtree(work, ignore_errors=True)

    def _export(self, task: PlannedTask, logs: Path, work: Path, out: TextIO) -> None:
        """Export a task that has succeeded; whatever becomes of that, the task has."""
        for destination in self.exports.plan.destinations:
            if self.stopping:
                return
            out.write(f"{_now()} exporting {task.name} to {destination}, see {exporting.LOG}\n")
            out.flush()
            export = exporting.Export(destination, logs, work)
            with contextlib.suppress(OSError):
                if destination in self.slow:
                    export.note("not tried: the export of an earlier task took too long")
                    continue
                try:
                    self._export_to(export, task.index)
                except OSError as error:
                    export.note(f"it could not be started: {error}")

    def _export_to(self, export: exporting.Export, index: int) -> None:
        late = time.monotonic() + exporting.EXPORT_SECONDS
        self.terminated = False
        self.current = self.exports.begin(export, index)
        self._wait(lambda: time.monotonic() > late)
        if self.terminated and not self.stopping:
            self.slow.add(export.destination)
        ended_with_run = "it was ended with the run" if self.stopping else ""
        export.note(ended_with_run or ("it took too long" if self.terminated else ""))

    def _evaluate(self, task: PlannedTask, logs: Path, work: Path, out: TextIO) -> int:
        try:
            with (logs / "install.log").open("a", encoding="utf-8") as log:
                environment = harness_env.ensure(require_wheel(task.harness), log)
        except KeyboardInterrupt:
            self.stopping = True
            out.write(f"{_now()} stopped while the harness was being installed\n")
            return INTERRUPTED_CODE
        except (QuantgateError, OSError) as error:
            out.write(f"{_now()} the harness could not be installed: {error}\n")
            return SETUP_FAILED_CODE
        out.write(f"{_now()} harness environment {environment}\n")
        out.flush()
        if self.stopping or (logs / CANCELLED).exists():
            return INTERRUPTED_CODE
        _stage(logs, "running")
        with (logs / "client_stdout.log").open("ab") as client:
            self.terminated = False
            self.current = subprocess.Popen(
                ["bash", "--noprofile", "--norc", str(Path(task.directory) / "command.sh")],
                cwd=work,
                env=_task_environment(task, environment),
                stdin=subprocess.DEVNULL,
                stdout=client,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
            return self._wait((logs / CANCELLED).exists)


def main(invocation: Path, tasks: Sequence[str] = ()) -> None:
    """Run the tasks of an invocation; a failed or cancelled task does not stop the next one, a signal does.

    Args:
        invocation: Its directory.
        tasks: Names of the task directories to run (a resume); empty for all.
    """
    os.umask(0o077)
    runner = _Runner(exporting.read(invocation, EXPORT_VARIABLE))
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, runner.stop)
    planned = [t for t in read_plan(invocation) if not tasks or Path(t.directory).name in tasks]
    _take_up(planned, resuming=bool(tasks))
    record = own_record(tuple(tasks))
    faults.reached("runner-before-record")
    write_runner(invocation / RUNNER_FILE, record)
    launch_lock.let_go()
    for task in planned:
        if not runner.stopping:
            runner.run(task, record)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
