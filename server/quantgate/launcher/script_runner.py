"""Runs NEL's scripts for containers, with a record by which a later server finds their processes.

NEL's local executor (0.2.6) starts `bash run_all.sequential.sh`, or one `bash run.sh` for each task, and keeps no record of these
processes. In a launch of ours they are started through here:

`… script_runner record PROGRAM [ARGUMENT …]`  writes `script.json` into the working directory and becomes the program
`… script_runner again DIRECTORY TASK …`       runs the run.sh of some tasks of an invocation again, one after the other
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import launch_lock
from .markers import CANCELLED, INTERRUPTED_MARKER, RESUMING, SERVER_ERROR_MARKER
from .runner_record import SCRIPT_FILE, own_record, read_runner, write_runner

START_SECONDS = 10.0
"""How long a started command may take to leave its record, on a busy machine."""


def recording(argv: Sequence[str]) -> list[str]:
    """The command that records its process and then becomes this one: the same process id, session and start."""
    return [sys.executable, "-P", "-m", "quantgate.launcher.script_runner", "record", *argv]


def again(directory: Path, tasks: Sequence[str]) -> list[str]:
    """The command that runs some tasks of an invocation again."""
    return [sys.executable, "-P", "-m", "quantgate.launcher.script_runner", "again", str(directory), *tasks]


def await_record(file: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a started command has left its record or has ended, at most `START_SECONDS`.

    Args:
        file: The record that it is to leave.
        process: The started command.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        record = read_runner(file)
        if record is not None and record.pid == process.pid:
            return
        time.sleep(0.02)


def run_again(directory: Path, tasks: Sequence[str]) -> None:
    """Run the scripts of some tasks, one after the other; a failed or cancelled one does not stop the next.

    Args:
        directory: The invocation's directory.
        tasks: Names of the task directories.
    """
    os.umask(0o077)
    record = own_record(tuple(tasks))
    for task in tasks:
        logs = directory / task / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        (logs / CANCELLED).unlink(missing_ok=True)
        (logs / RESUMING).touch()
        write_runner(directory / task / SCRIPT_FILE, record)
    launch_lock.let_go()
    for task in tasks:
        _run(directory / task)


def _run(task: Path) -> None:
    logs = task / "logs"
    for stage in ("exit", "running"):
        (logs / f"stage.{stage}").unlink(missing_ok=True)
    for marker in (INTERRUPTED_MARKER, SERVER_ERROR_MARKER):
        # A container may have written them as another user; nemo-evaluator removes them itself when it gets so far.
        with contextlib.suppress(PermissionError):
            (task / "artifacts" / marker).unlink(missing_ok=True)
    # The order that a canceller relies on: begun, then a look whether it is cancelled (process_runner says why).
    (logs / "stage.pre-start").touch()
    (logs / RESUMING).unlink(missing_ok=True)
    if (logs / CANCELLED).exists():
        (logs / "stage.pre-start").unlink()
        return
    with (task / "run.log").open("ab") as log:
        subprocess.run(["bash", "run.sh"], cwd=task, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)


def main(arguments: Sequence[str]) -> None:
    """Do what the first argument says."""
    verb, *rest = arguments
    if verb == "again":
        run_again(Path(rest[0]), rest[1:])
        return
    write_runner(Path.cwd() / SCRIPT_FILE, own_record())
    launch_lock.let_go()
    os.execvp(rest[0], rest)  # noqa: S606 - NEL's own script, without a shell in between


if __name__ == "__main__":
    main(sys.argv[1:])
