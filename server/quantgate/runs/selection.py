"""The log files that a caller means: by task, by role, by name."""

from __future__ import annotations

from ..errors import UnknownName
from .logs import LogFile, log_files
from .rundir import RunDir

ALL = "all"


def select(run: RunDir, *, task: str, source: str, file: str) -> list[LogFile]:
    """The log files of a run that match, newest first within a task.

    Args:
        run: The run.
        task: A task's name or directory; empty for all.
        source: A role ("client", "install", …) or "all".
        file: A file's name; empty for all.

    Raises:
        UnknownName: No such task, role or file; the message lists what there is.
    """
    tasks = run.tasks
    if task:
        chosen = run.task(task)
        if chosen is None:
            raise UnknownName("task", task, fix="one of: " + ", ".join(t.directory for t in run.tasks))
        tasks = (chosen,)
    files = [f for t in tasks for f in log_files(t)]
    if source != ALL:
        roles = sorted({f.role for f in files})
        files = [f for f in files if f.role == source]
        if not files:
            raise UnknownName("log source", source, fix="there are: " + ", ".join([ALL, *roles]))
    if file:
        names = sorted({f.path.name for f in files})
        files = [f for f in files if f.path.name == file]
        if not files:
            raise UnknownName("log file", file, fix="there are: " + ", ".join(names))
    return files
