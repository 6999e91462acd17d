"""A run in containers is taken up again: NEL writes the scripts of its tasks once more, and only the chosen ones are run.

Imported only in the child process that talks to NEL. `nel resume` (0.2.6) would run every script of the invocation, finished tasks
too, with container names that are taken. Here NEL's own dry run writes fresh scripts aside; those of the chosen tasks replace the
old ones, so that what is run with the user's keys is what the config gives.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nemo_evaluator_launcher.common.execdb import ExecutionDB
from nemo_evaluator_launcher.executors.local import executor
from omegaconf import DictConfig

from .. import faults
from ..errors import BadInput, Refused
from ..system import processes
from . import commands, container_control, launch_lock, script_runner
from .runner_record import SCRIPT_FILE

ASIDE = ".again"
"""In the invocation's directory, for this user only, while a resume is prepared."""
SECRETS = ".secrets.env"
SCRIPT = "run.sh"


def take_up(cfg: DictConfig, directory: Path, tasks: Sequence[str], prepare: Callable[..., str]) -> None:
    """Run the scripts of some tasks again.

    Args:
        cfg: The config, composed and filtered as at the launch.
        directory: The invocation's directory.
        tasks: Names of the task directories.
        prepare: NEL's own `execute_eval`.

    Raises:
        BadInput: The config runs commands or tasks that nobody trusted.
        Refused: The config does not give one of these tasks.
        LauncherError: Containers of the run before cannot be removed.
    """
    aside = directory / ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    try:
        _strict(executor)
        _write_below(executor, aside)
        prepare(cfg, dry_run=True)
        fresh = next(aside.iterdir())
        missing = [task for task in tasks if not (fresh / task / SCRIPT).is_file()]
        if missing:
            raise Refused(f"The config does not give the task {missing[0]}", fix="start a new run: run(config=…)")
        # A name of the run before would be taken, and its container may go on without its script.
        container_control.remove([name for task in tasks for name in container_control.names(directory / task)])
        for task in tasks:
            _replace(fresh, directory, task)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    faults.reached("scripts-written")
    _forget_killed(directory, tasks)
    _record(directory, tasks)
    _start(directory, tasks, parallel=cfg.execution.get("mode", "parallel") == "parallel")


def _write_below(module: Any, aside: Path) -> None:
    """Let NEL write its scripts there: it puts them into `<output_dir>/<time stamp>-<invocation id>`.

    With another output directory in the config the scripts would record that one as the run's.
    """
    stamp = module.get_timestamp_string

    def placed(include_microseconds: bool = True) -> str:
        return str(stamp() if include_microseconds else aside / "fresh")

    module.get_timestamp_string = placed


def _strict(module: Any) -> None:
    """Let NEL's dry run check what a launch checks: it only warns of commands and tasks that nobody trusted (0.2.6)."""
    safeguard, command = module.check_unlisted_tasks_safeguard, module.get_eval_factory_command

    def refuse_unlisted(names: list[str], dry_run: bool) -> None:  # noqa: ARG001 - the shape of NEL's function
        safeguard(names, dry_run=False)

    def refuse_unsafe(*arguments: Any) -> Any:
        struct = command(*arguments)
        if struct.is_potentially_unsafe and os.environ.get(commands.TRUST_COMMANDS) != "1":
            raise BadInput(
                "The config runs commands of its own (pre_cmd or post_cmd)",
                where="evaluation",
                fix=f"a person reviews them and starts the server with {commands.TRUST_COMMANDS}=1",
            )
        return struct

    module.check_unlisted_tasks_safeguard, module.get_eval_factory_command = refuse_unlisted, refuse_unsafe


def _replace(fresh: Path, directory: Path, task: str) -> None:
    """Put one task's fresh script and secrets in the place of the old ones, whole and for this user only."""
    for name in (SECRETS, SCRIPT):
        source = fresh / task / name
        if not source.is_file():
            continue
        temporary = directory / task / f".{name}.{os.getpid()}"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(source.read_text(encoding="utf-8").replace(str(fresh), str(directory)))
        temporary.replace(directory / task / name)


def _forget_killed(directory: Path, tasks: Sequence[str]) -> None:
    """Take these tasks off NEL's list of killed jobs: it would still say so of tasks that run."""
    file = directory / container_control.KILLED
    if file.is_file():
        again = {task.rpartition(".")[2] for task in tasks}
        kept = [line for line in file.read_text("utf-8", "replace").split() if line.rpartition(".")[2] not in again]
        file.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _record(directory: Path, tasks: Sequence[str]) -> None:
    """Tell NEL the new names of the containers, as `nel resume` does."""
    database = ExecutionDB()
    for task in tasks:
        job = database.get_job(f"{directory.name.rpartition('-')[2]}.{task.rpartition('.')[2]}")
        if job is None:
            continue
        client = [n for n in container_control.names(directory / task) if n.startswith("client-")]
        job.data.update(resumed_at=time.time(), **({"container": client[0]} if client else {}))
        job.data.pop("killed", None)
        database.write_job(job)


def _start(directory: Path, tasks: Sequence[str], *, parallel: bool) -> None:
    for group in [[task] for task in tasks] if parallel else [list(tasks)]:
        process = subprocess.Popen(
            script_runner.again(directory, group),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **processes.inheriting(launch_lock.inherited()),
            **processes.own_group(),
        )
        faults.reached("scripts-started")
        script_runner.await_record(directory / group[-1] / SCRIPT_FILE, process)
        if process.poll() not in (None, 0):
            raise RuntimeError(f"the process that runs the scripts ended at once with exit code {process.returncode}")
