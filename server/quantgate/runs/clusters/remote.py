"""A run on a cluster: where it is, and what is on record of its tasks. Nothing here asks the cluster."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from ...cluster import hosts, ssh_settings, words
from ...errors import BadInput
from ...launcher import execdb
from ..rundir import invocation_in, is_task_name

HOST_SECONDS = 2.0
_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9_][A-Za-z0-9_.@-]{0,252}):(?P<path>/.*)", re.DOTALL)


@dataclass(frozen=True)
class RemoteTask:
    """One task as NEL recorded it.

    Attributes:
        path: Its directory on the cluster.
        job_id: Slurm's id of its first job, as NEL paired them; empty when nothing is on record.
    """

    path: str
    job_id: str = ""

    @property
    def directory(self) -> str:
        """The directory's own name ("ifbench.ifbench.0"): the key of this task within its run."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class RemoteRun:
    """One invocation on a cluster.

    Attributes:
        host: What ssh is given ("tester@login"); the pooled connection is kept by it.
        path: The invocation's directory there.
        tasks: What is on record of its tasks; its directory may hold more.
        only: The one task that is meant, by its directory name; empty for all.
    """

    host: str
    path: str
    tasks: tuple[RemoteTask, ...] = ()
    only: str = ""

    @property
    def directory(self) -> str:
        """What is meant of it there: the invocation's directory, or that of the one task."""
        return f"{self.path}/{self.only}" if self.only else self.path

    @property
    def address(self) -> str:
        """As a caller names it: `host:/absolute/path`."""
        return f"{self.host}:{self.directory}"

    @property
    def invocation_id(self) -> str:
        """From the directory's name; empty when the name has none."""
        return invocation_in(PurePosixPath(self.path).name)


def host_of(name: str, user: str = "") -> hosts.Host:
    """`hosts.find`, remembered for two seconds: many runs are on few hosts, and each time it reads the user's files.

    Raises:
        BadInput: A clusters.yaml is broken.
    """
    return _host_of(name, user, str(ssh_settings.config_file()), int(time.monotonic() / HOST_SECONDS))


@lru_cache(maxsize=64)
def _host_of(name: str, user: str, _config: str, _period: int) -> hosts.Host:
    return hosts.find(name, user)


def parse(address: str) -> RemoteRun | None:
    """The run that `host:/absolute/path` means; None for a text that is no such address.

    The path is an invocation's directory, one of its tasks, or a task's `artifacts` or `logs`.

    Raises:
        BadInput: It is one, and its path cannot be one of a run.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    path = PurePosixPath(match["path"])
    if ".." in path.parts or len(path.parts) < 3 or any(ord(c) < 32 or ord(c) == 127 for c in match["path"]):
        raise BadInput(
            f"{address[:120]!r} is no run directory on a cluster", fix="give host:/absolute/path, without `..`"
        )
    if path.name in ("artifacts", "logs") and is_task_name(path.parent.name):
        path = path.parent
    host = host_of(match["host"]).address
    if is_task_name(path.name) and not invocation_in(path.name):
        return RemoteRun(host, str(path.parent), only=path.name)
    return RemoteRun(host, str(path))


def recorded(jobs: Iterable[execdb.Job]) -> RemoteRun | None:
    """The run of NEL's records of one invocation; None when they name no place on a cluster."""
    rows = [job for job in jobs if job.hostname and PurePosixPath(job.remote_dir).is_absolute()]
    if not rows:
        return None
    first = rows[0]
    path = str(PurePosixPath(first.remote_dir).parent)
    own = [job for job in rows if str(PurePosixPath(job.remote_dir).parent) == path]
    tasks = [RemoteTask(job.remote_dir, job.slurm_job_id) for job in own]
    host = host_of(first.hostname, first.username).address
    return RemoteRun(host, path, tuple(sorted(tasks, key=lambda task: _index(task.directory))))


def with_record(run: RemoteRun, jobs: Mapping[str, execdb.Job]) -> RemoteRun:
    """A run that was named by its address, with what NEL recorded of it when that is the same directory."""
    known = recorded(jobs.values())
    if known is None or known.path != run.path:
        return run
    return RemoteRun(run.host, run.path, known.tasks, run.only)


def _index(directory: str) -> tuple[int, str]:
    tail = directory.rpartition(".")[2]
    return (words.whole(tail) or 0, directory)
