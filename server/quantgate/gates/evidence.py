"""What a launch left on this machine: its directory, and whether anything in it began to run; or NEL's record of its jobs."""

from __future__ import annotations

from pathlib import Path

from ..launcher import execdb
from ..launcher.runner_record import RUNNER_FILE, SCRIPT_FILE
from ..runs import remote
from . import ledger, plan


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


def started_dir(attempt: ledger.Attempt) -> str:
    """The directory in which a launch began to run, below its output directory or where NEL's record says; empty without one.

    NEL records the jobs of a cluster after their submission: there the record is enough, and the directory `host:/path`.
    """
    jobs = execdb.jobs(attempt.invocation_id).values()
    if attempt.executor == plan.SLURM:
        there = remote.recorded(jobs)
        return there.address if there is not None else ""
    found = invocation_dir(attempt)
    if found is not None and started(found):
        return str(found)
    for job in jobs:
        recorded = Path(job.output_dir).parent if job.output_dir else None
        if recorded and recorded.name.endswith(attempt.invocation_id) and started(recorded):
            return str(recorded)
    return ""
