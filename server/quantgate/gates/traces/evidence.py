"""What a launch left on this machine: its directory, and whether anything in it began to run; or NEL's record of its jobs."""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath

from ...launcher import execdb
from ...launcher.runner_record import RUNNER_FILE, SCRIPT_FILE
from ...runs.clusters import remote
from .. import ledger
from ..planning import plan


def invocation_dir(attempt: ledger.Attempt) -> Path | None:
    """The invocation's directory below its output directory, whatever the time stamp in its name; None for one on a cluster."""
    if attempt.executor not in plan.LOCAL:
        # A directory of the same name on this machine is not the cluster's.
        return None
    if attempt.run_dir and Path(attempt.run_dir).is_dir():
        return Path(attempt.run_dir)
    output = Path(attempt.output_dir)
    matches = sorted(output.glob(f"*-{attempt.invocation_id}")) if output.is_dir() else []
    return matches[0] if matches else None


def started(directory: Path) -> bool:
    """Whether anything of an invocation began to run: a directory that was only prepared is no run."""
    marks = (RUNNER_FILE, SCRIPT_FILE, f"*/{SCRIPT_FILE}", "*/logs/stage.*")
    return any(next(directory.glob(mark), None) is not None for mark in marks)


def recorded_place(attempt: ledger.Attempt) -> remote.RemoteRun | None:
    """Where NEL's record has the jobs of a launch on a cluster; None without one that can be right.

    An agent can write that file: what names another host, or a place that is not below the launch's output directory, is none.
    """
    there = remote.recorded(execdb.jobs(attempt.invocation_id).values())
    host, _, output_dir = attempt.output_dir.partition(":")
    if there is None or not host or not output_dir.startswith("/"):
        return None
    # A launch without a login name leaves that to ssh, whatever name the record has.
    if (there.host if "@" in host else there.host.rpartition("@")[2]) != host:
        return None
    path = PurePosixPath(there.path)
    below = PurePosixPath(output_dir) in path.parents and ".." not in path.parts
    return dataclasses.replace(there, host=host) if below else None


def started_dir(attempt: ledger.Attempt) -> str:
    """The directory in which a launch began to run, below its output directory or where NEL's record says; empty without one.

    NEL records the jobs of a cluster after their submission: there the record is enough, and the directory `host:/path`.
    """
    if attempt.executor == plan.SLURM:
        there = recorded_place(attempt)
        return there.address if there is not None else ""
    jobs = execdb.jobs(attempt.invocation_id).values()
    found = invocation_dir(attempt)
    if found is not None and started(found):
        return str(found)
    for job in jobs:
        recorded = Path(job.output_dir).parent if job.output_dir else None
        if recorded and recorded.name.endswith(attempt.invocation_id) and started(recorded):
            return str(recorded)
    return ""
