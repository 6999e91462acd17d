"""A broken line in NEL's own record of jobs must not stop a launch.

NEL 0.2.6 reads the whole record as UTF-8 text when it starts and takes every line that is JSON for an object: a byte that is no
text, a `null` or a list ends it. Our child needs the jobs of one invocation only, so it reads those and passes the rest over.
"""

from __future__ import annotations

import os
from typing import Any

from .execdb import VARIABLE, path, records

FIELDS = ("invocation_id", "job_id", "timestamp", "executor", "data", "config")


def use(invocation_id: str) -> None:
    """Make NEL know, of its record, this invocation's jobs only. Only in the child that talks to NEL, before anything else of NEL.

    Raises:
        OSError: The directory of the record cannot be made.
    """
    place = path()
    given = os.environ.get(VARIABLE)
    # The module reads the record when it is imported: for that moment it gets an empty one.
    os.environ[VARIABLE] = os.devnull
    try:
        from nemo_evaluator_launcher.common import execdb
    finally:
        os.environ.pop(VARIABLE)
        if given is not None:
            os.environ[VARIABLE] = given
    execdb.EXEC_DB_FILE, execdb.EXEC_DB_DIR = place, place.parent
    place.parent.mkdir(parents=True, exist_ok=True)
    database = execdb.ExecutionDB()
    for record in filter(_is_whole, records(invocation_id)):
        job = execdb.JobData(**{name: record.get(name) for name in FIELDS})
        if job.job_id not in database._jobs:
            database._invocations.setdefault(job.invocation_id, []).append(job.job_id)
        database._jobs[job.job_id] = job


def _is_whole(record: dict[str, Any]) -> bool:
    return (
        isinstance(record.get("job_id"), str) and isinstance(record.get("data"), dict) and bool(record.get("executor"))
    )
