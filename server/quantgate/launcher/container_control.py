"""Ending a run in containers that we started through NEL's local executor (0.2.6): scripts by record, containers by name.

`nel kill` ends whatever process has the container's name in its command line, and leaves the script to go on with the next task.
Here a process is one of a recorded script's session, and a container is one whose exact name stands in the task's own script.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from .. import children, redact
from ..errors import LauncherError, StorageError
from ..system.files import open_plain
from ..system.processes import KILL
from .markers import CANCELLED, RESUMING
from .process_control import begun, family_of, send_signal, still_there
from .runner_record import SCRIPT_FILE, RunnerRecord, read_runner

KILLED = "killed_jobs.txt"
"""Where NEL's script looks, beside itself, for jobs that it is to skip."""
ENGINE_SECONDS = 40.0
STOP_SECONDS = 10
"""Between SIGTERM and SIGKILL for what runs in a container."""
END_SECONDS = 20.0
"""How long a script may take to write the exit record of a task whose containers are gone."""
MAX_SCRIPT = 8 << 20
_NAMED = re.compile(r'^\s*(?:CLIENT|SERVER)_CONTAINER_NAME="([^"\n]+)"\s*$', re.MULTILINE)
_ANY_NAME = re.compile(r"(?:client|server)-[\w.-]+-\d{8}_\d{6}(?:_\d{6})?")


def names(task: Path) -> tuple[str, ...]:
    """The names of the containers of a task, from its run.sh: the model's server and the evaluation.

    Only names of NEL's own form for this very task count: the script also holds text from the config, which must not name
    somebody else's container.

    Args:
        task: The task's directory.
    """
    try:
        with open_plain(task / "run.sh") as file:
            text = file.read(MAX_SCRIPT).decode("utf-8", "replace")
    except OSError:
        return ()
    shape = _shape(task.name)
    return tuple(dict.fromkeys(name for name in _NAMED.findall(text) if shape.fullmatch(name)))


def recorded_names(task: str, client: str) -> tuple[str, ...]:
    """The names of the containers of a task whose directory is gone; the server's differs from the client's in its first word.

    Args:
        task: The name of the task's directory.
        client: Name of the container of its evaluation, as NEL recorded it; another name than of NEL's own form counts as none.
    """
    if not client.startswith("client-") or not _shape(task).fullmatch(client):
        return ()
    return (client, client.replace("client", "server", 1))


def _shape(task: str) -> re.Pattern[str]:
    """The names that NEL 0.2.6 gives to the containers of the task with this directory."""
    return re.compile(rf"(?:client|server)-{re.escape(task.rpartition('.')[0])}-\d{{8}}_\d{{6}}(?:_\d{{6}})?")


def without_directory(invocation_id: str, recorded: Sequence[str]) -> list[str]:
    """Which containers run of an invocation whose directory is gone.

    Args:
        invocation_id: Its id; a container of NEL's form that has its directory mounted counts, where the engine tells that.
        recorded: Names of its containers by NEL's record.

    Raises:
        LauncherError: The engine does not answer.
    """
    mounted = re.compile(rf"-{re.escape(invocation_id)}(?:[/,]|$)")
    found = []
    for line in _engine("ps", "--no-trunc", "--format", "{{.Names}}\t{{.Mounts}}").splitlines():
        name, _, mounts = line.strip().partition("\t")
        if name in recorded or (_ANY_NAME.fullmatch(name) and mounted.search(mounts)):
            found.append(name)
    return found


def running(wanted: Sequence[str]) -> list[str]:
    """Which of these containers run.

    Raises:
        LauncherError: The engine does not answer.
    """
    return _listed(wanted) if wanted else []


def remove(wanted: Sequence[str]) -> None:
    """Stop and remove these containers, where they exist.

    Raises:
        LauncherError: The engine does not answer, or one of them stays.
    """
    for _ in range(3):
        there = _listed(wanted, "--all") if wanted else []
        if not there:
            return
        _engine("rm", "--force", *there)
    left = _listed(wanted, "--all")
    if left:
        raise LauncherError(
            f"The container {left[0]} cannot be removed",
            where="the container engine",
            fix=f"`docker rm -f {left[0]}`, then try again",
        )


def end(wanted: Sequence[str]) -> None:
    """Stop these containers, at first politely, and remove them.

    Raises:
        LauncherError: The engine does not answer, or one of them stays.
    """
    _end_containers(wanted)


def living(invocation: Path, tasks: Sequence[str] = ()) -> list[psutil.Process]:
    """The processes on this machine that run the scripts of an invocation, and what these started outside of containers.

    Args:
        invocation: The invocation's directory.
        tasks: Names of task directories whose own scripts are meant; empty for all of the invocation.
    """
    found: dict[int, psutil.Process] = {}
    for record in records(invocation, tasks):
        found.update({p.pid: p for p in family_of(record)})
    return list(found.values())


def records(invocation: Path, tasks: Sequence[str] = ()) -> list[RunnerRecord]:
    """The records of the processes that run an invocation's scripts; with `tasks`, only of scripts of these tasks' own."""
    own = [invocation / task / SCRIPT_FILE for task in tasks] or sorted(invocation.glob(f"*/{SCRIPT_FILE}"))
    files = own if tasks else [invocation / SCRIPT_FILE, *own]
    return [record for record in map(read_runner, files) if record is not None]


def cancel_all(invocation: Path, tasks: Sequence[str]) -> list[str]:
    """End the whole run: its scripts first, so that none goes on with the next task, then its containers.

    Args:
        invocation: The invocation's directory.
        tasks: Names of the task directories that have not ended: they are marked as cancelled.

    Returns:
        What still runs of it, in words; empty when all is gone.

    Raises:
        LauncherError: The engine does not answer; the scripts are ended all the same.
    """
    mark(invocation, tasks)
    family = living(invocation)
    for process in family:
        send_signal(process, signal.SIGTERM)
    wanted = [name for task in tasks for name in names(invocation / task)]
    try:
        _end_containers(wanted)
    finally:
        # A script may have started one more command in between.
        left = list({p.pid: p for p in [*still_there(family, 2.0), *living(invocation)]}.values())
        for survivor in left:
            send_signal(survivor, KILL)
        left = still_there(left, 3.0)
    # A container whose creation was under way when its client was ended appears now.
    _end_containers(wanted)
    return [f"process {p.pid} of the run's script" for p in left] + [f"container {n}" for n in running(wanted)]


def cancel_some(invocation: Path, tasks: Sequence[str]) -> list[str]:
    """End some tasks while the script goes on with the others.

    Args:
        invocation: The invocation's directory.
        tasks: Names of the task directories to end.

    Returns:
        What still runs of these tasks, in words; empty when nothing does.

    Raises:
        LauncherError: The engine does not answer.
    """
    mark(invocation, tasks)
    _skip(invocation, tasks)
    wanted = {task: names(invocation / task) for task in tasks}
    every = [name for task in tasks for name in wanted[task]]
    deadline = time.monotonic() + END_SECONDS
    began = [task for task in tasks if begun(invocation / task / "logs")]
    # Without a script no exit record comes.
    while ((began and living(invocation)) or running(every)) and time.monotonic() < deadline:
        ending = [name for task in began for name in wanted[task]] or every
        # While an image is still being fetched there is no container, only the client that waits for it.
        for client in _clients(living(invocation), ending):
            send_signal(client, signal.SIGTERM)
        _stop(ending)
        time.sleep(0.5)
        began = [task for task in tasks if begun(invocation / task / "logs")]
    left = [f"container {n}" for n in running(every)]
    return left or [f"the script of {task} has not ended" for task in began if living(invocation)]


def mark(invocation: Path, tasks: Sequence[str]) -> None:
    """Note on tasks that they are cancelled; not on one that has ended, of which a container may be left all the same."""
    for task in tasks:
        logs = invocation / task / "logs"
        if (invocation / task).is_dir() and not _has_ended(logs):
            logs.mkdir(exist_ok=True)
            (logs / CANCELLED).touch()


def _skip(invocation: Path, tasks: Sequence[str]) -> None:
    """Tell NEL's sequential script to pass over the tasks that it has not come to."""
    invocation_id = invocation.name.rpartition("-")[2]
    waiting = [t for t in tasks if not begun(invocation / t / "logs") and not _has_ended(invocation / t / "logs")]
    jobs = [f"{invocation_id}.{t.rpartition('.')[2]}" for t in waiting]
    if jobs and (invocation / SCRIPT_FILE).exists():
        with (invocation / KILLED).open("a", encoding="utf-8") as file:
            file.write("".join(f"{job}\n" for job in jobs))
        # It may have looked for the list just before it was written: then the task begins now.
        time.sleep(0.5)


def _has_ended(logs: Path) -> bool:
    return not (logs / RESUMING).exists() and (logs / "stage.exit").exists()


def _clients(family: Sequence[psutil.Process], wanted: Sequence[str]) -> list[psutil.Process]:
    """The engine's clients among a script's processes that run a container of exactly one of these names."""
    found = []
    for process in family:
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            given = [after for word, after in itertools.pairwise(words) if word == "--name"]
            if "run" in words[:3] and any(name in wanted for name in given):
                found.append(process)
    return found


def _end_containers(wanted: Sequence[str]) -> None:
    _stop(wanted)
    if wanted:
        remove(wanted)


def _stop(wanted: Sequence[str]) -> None:
    there = running(wanted)
    if there:
        _engine("stop", "-t", str(STOP_SECONDS), *there)


def _listed(wanted: Sequence[str], *options: str) -> list[str]:
    answer = _engine("ps", *options, "--format", "{{.Names}}")
    there = {name for line in answer.splitlines() for name in line.strip().split(",")}
    return [name for name in wanted if name in there]


def _engine(*arguments: str) -> str:
    try:
        done = children.run(["docker", *arguments], stdin=b"", env=os.environ, seconds=ENGINE_SECONDS)
    except StorageError as error:
        raise LauncherError(
            f"The container engine cannot be called: {error.what}", fix="put docker (or podman as docker) on PATH"
        ) from None
    if done.timed_out or (done.returncode != 0 and arguments[0] == "ps"):
        last = redact.redact(done.output.strip().rpartition("\n")[2])[:200]
        raise LauncherError(
            f"The container engine does not answer: {last or 'no answer in time'}",
            where=f"docker {arguments[0]}",
            fix="start it, then make this call again: what runs of the containers is not known",
        )
    return done.output
