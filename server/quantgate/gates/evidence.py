"""What a launch left on disk: its directory, and whether anything in it began to run."""

from __future__ import annotations

from pathlib import Path

from ..launcher import execdb
from ..launcher.runner_record import RUNNER_FILE, SCRIPT_FILE
from . import ledger


def invocation_dir(attempt: ledger.Attempt) -> Path | None:
    """The invocation's directory below its output directory, whatever the time stamp in its name."""
    if attempt.run_dir and Path(attempt.run_dir).is_dir():
        return Path(attempt.run_dir)
    output = Path(attempt.output_dir)
    matches = sorted(output.glob(f"*-{attempt.invocation_id}")) if output.is_dir() else []
    return matches[0] if matches else None


def started(directory: Path) -> bool:
    """Whether anything of an invocation began to run: a directory that was only prepared is no run."""
    marks = (RUNNER_FILE, SCRIPT_FILE, f"*/{SCRIPT_FILE}", "*/logs/stage.*")
    return any(next(directory.glob(mark), None) is not None for mark in marks)


def started_dir(attempt: ledger.Attempt) -> Path | None:
    """The directory in which a launch began to run, below its output directory or where NEL's record says; None without one."""
    found = invocation_dir(attempt)
    if found is not None and started(found):
        return found
    for job in execdb.jobs(attempt.invocation_id).values():
        recorded = Path(job.output_dir).parent if job.output_dir else None
        if recorded and recorded.name.endswith(attempt.invocation_id) and started(recorded):
            return recorded
    return None
