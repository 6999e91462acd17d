"""Which logs a task has: whose output each is, of which job of a chain, and which names lead out of the run."""

import os
import re
from typing import Dict, List, NamedTuple, Tuple

from .reading import OPEN

MAX_FILES = 200

ROLES = (
    (re.compile(r"client(_stdout|-.*)?\.log"), "client"),
    (re.compile(r"server(_stdout|-.*)?\.log"), "server"),
    (re.compile(r"slurm-.*\.(log|out)"), "slurm"),
    (re.compile(r"proxy.*\.log"), "proxy"),
    (re.compile(r"export.*\.log"), "export"),
    (re.compile(r"install\.log"), "install"),
    (re.compile(r".*\.log"), "runner"),
)
ORDER = ("client", "server", "runner", "install", "slurm", "proxy", "export")
# NEL 0.2.6: slurm-JID.log, client-JID.log, server-INSTANCE-JID-TASK.log, proxy-JID…, export-JID….
_JOB = re.compile(r"(?:slurm|client|proxy|export)-(\d{1,12})(?:[._-].*)?|server-\d+-(\d{1,12})-.*")
# The process executor's name for a log of an attempt before a resume: client_stdout.attempt-1.log.
_ATTEMPT = re.compile(r"\.(attempt-(\d{1,6}))(?=\.log\Z)")
_BEFORE_ALL = -(10**7)
_CHAIN_BYTES = 64 * 1024
_TASK = re.compile(r"(.+)\.(\d{1,6})")


class Found(NamedTuple):
    """One log: its name in the directory of logs, its role, size in bytes, time of change, and the job that wrote it."""

    name: str
    role: str
    size: int
    modified: float
    job: str


def role_of(name: str) -> str:
    """Whose output a file is by its name; empty when it is no log."""
    plain = _ATTEMPT.sub("", name)
    return next((role for pattern, role in ROLES if pattern.fullmatch(plain)), "")


def job_of(name: str) -> str:
    """The Slurm job that a log's name holds, or the attempt of a run without jobs; empty when it holds none."""
    attempt = _ATTEMPT.search(name)
    if attempt is not None:
        return attempt.group(1)
    match = _JOB.fullmatch(name)
    return "" if match is None else match.group(1) or match.group(2)


def newest_first(found: List[Found], chain: Dict[str, int]) -> List[Found]:
    """In the order of reading: the newest job's first, then by role, then the youngest.

    Args:
        found: The logs of a task.
        chain: The place of each job in the task's chain.
    """
    place = {job: chain.get(job, _place(job)) for job in {f.job for f in found}}
    return sorted(found, key=lambda f: (-place[f.job], ORDER.index(f.role), -f.modified, f.name))


def _place(job: str) -> int:
    """The place of a job without a chain; attempts come before what has the plain names."""
    attempt = job.partition("attempt-")[2]
    return _BEFORE_ALL + int(attempt) if attempt else int(job or -1)


def listing(logs: str, run: str) -> Tuple[List[Found], List[str]]:
    """The logs in a directory, and the names that lead out of the run's directory: those are never read.

    Raises:
        OSError: The directory cannot be listed.
    """
    found: List[Found] = []
    outside: List[str] = []
    with os.scandir(logs) as entries:
        named = [(entry, role_of(entry.name)) for entry in entries]
    base, root = os.path.realpath(logs), os.path.realpath(run)
    for entry, role in named:
        if not role:
            continue
        if leads_out(entry, base, root):
            outside.append(entry.name)
            continue
        try:
            if entry.is_file():
                seen = entry.stat()
                found.append(Found(entry.name, role, seen.st_size, seen.st_mtime, job_of(entry.name)))
        except OSError:
            # Gone since it was listed.
            continue
    return found, sorted(outside)[:MAX_FILES]


def leads_out(entry: "os.DirEntry[str]", base: str, root: str) -> bool:
    """Whether a name in the directory of logs leads to somewhere outside the run's directory, by any link on the way.

    Args:
        entry: From the directory of logs.
        base: The real path of that directory.
        root: The real path of the run's.
    """
    try:
        target = os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(base, entry.name)
    except (OSError, RuntimeError):
        return True
    return target != root and not target.startswith(root.rstrip(os.sep) + os.sep)


def chain_of(task: str) -> Dict[str, int]:
    """The place of each job in a task's chain, from NEL's record of it; empty when there is none."""
    try:
        # Not to wait for whoever writes into a named pipe, nor for the end of a device.
        descriptor = os.open(os.path.join(task, ".slurm_job_id.list"), OPEN)
        with os.fdopen(descriptor, "rb") as file:
            ids = re.findall(rb"\d{1,12}", file.read(_CHAIN_BYTES))
    except OSError:
        return {}
    return {job.decode(): place for place, job in enumerate(ids)}


def earlier_jobs(found: List[Found], chain: Dict[str, int]) -> List[str]:
    """The jobs, or the attempts, that a later one of the same task took over from.

    A follow-on that only sees that there is nothing to resume takes over nothing: NEL 0.2.6 writes a job into its record of the
    chain when it goes to work. Without that record, the jobs with a log of the client or a server are those that worked.
    """
    attempts = {f.job for f in found if f.job.startswith("attempt-")}
    if attempts:
        return sorted(attempts)
    jobs = {f.job for f in found if f.job and f.size}
    working = {job for job in jobs if job in chain} or {
        f.job for f in found if f.job in jobs and f.role in {"client", "server"}
    }
    if not working:
        working = jobs
    newest = max(working, key=lambda job: (chain.get(job, -1), int(job)), default="")
    if newest in chain:
        return sorted(job for job in jobs if chain.get(job, chain[newest]) < chain[newest])
    return sorted(job for job in jobs if int(job) < int(newest))


def tasks_of(run: str, wanted: str) -> Tuple[List[Dict[str, str]], List[str]]:
    """The tasks in a run's directory, in the order of the config, and those that are links: they may lead anywhere.

    Args:
        run: The directory of an invocation.
        wanted: A task's directory, or its name when only one has it; empty for all.

    Raises:
        OSError: The directory cannot be listed.
    """
    found = []
    for name in os.listdir(run):
        match = _TASK.fullmatch(name)
        path = os.path.join(run, name)
        if match is not None and os.path.isdir(path):
            found.append((int(match.group(2)), match.group(1), name, path))
    chosen = sorted([f for f in found if f[2] == wanted] or [f for f in found if wanted in ("", f[1])])
    tasks = [
        {"label": name, "path": path, "logs": os.path.join(path, "logs"), "run": run}
        for _, _, name, path in chosen
        if not os.path.islink(path)
    ]
    return tasks, [name for _, _, name, path in chosen if os.path.islink(path)]
