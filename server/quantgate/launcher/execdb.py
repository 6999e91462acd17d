"""NEL's own record of jobs, read from its file each time: in the launcher's process it is loaded once and goes stale."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from .. import workspace


@dataclass(frozen=True)
class Job:
    """One job as NEL recorded it; `output_dir` is its task directory and empty for remote jobs."""

    job_id: str
    invocation_id: str
    executor: str
    output_dir: str


def home() -> Path:
    """The home directory that NEL gets: the user's, or one in the state directory where that cannot be written.

    NEL 0.2.6 makes `~/.nemo-evaluator` when it is imported and stops where it cannot.
    """
    own = Path.home()
    folder = own / ".nemo-evaluator"
    if os.access(folder if folder.is_dir() else own, os.W_OK):
        return own
    spare = workspace.state_dir() / "home"
    spare.mkdir(mode=0o700, exist_ok=True)
    return spare


def path() -> Path:
    """NEL's file: NEMO_EVALUATOR_EXEC_DB_FILE, else below `~/.nemo-evaluator`."""
    given = os.environ.get("NEMO_EVALUATOR_EXEC_DB_FILE")
    return Path(given) if given else home() / ".nemo-evaluator" / "exec-db" / "exec.v1.jsonl"


def jobs(invocation_id: str) -> dict[str, Job]:
    """The jobs of the invocations whose id begins so; empty when there are none or more than one invocation.

    A line that is not a record (a crash in the middle of a write) is passed over.
    """
    found: dict[str, Job] = {}
    try:
        with path().open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if invocation_id not in line:
                    continue
                job = _job(line)
                if job and job.invocation_id.startswith(invocation_id):
                    found[job.job_id] = job
    except OSError:
        return {}
    return found if len({j.invocation_id for j in found.values()}) == 1 else {}


def _job(line: str) -> Job | None:
    try:
        row = json.loads(line)
        data = row.get("data") or {}
        return Job(str(row["job_id"]), str(row["invocation_id"]), str(row["executor"]), str(data.get("output_dir", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
