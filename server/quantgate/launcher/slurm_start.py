"""How NEL's Slurm executor submits in a launch of ours: findable, bounded in time, and with the launch lock until it is over.

NEL 0.2.6 records a job only after the submission of all, so a launch that is killed in between must be found by what it left on
the cluster: the jobs' comment carries the invocation id. Slurm copies it to the follow-on jobs, whose script is a copy of another
name. NEL also submits with `sbatch a ; sbatch b`, sees only the last exit code, and then gives the jobs the wrong ids.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from .. import faults
from ..errors import ClusterError, LauncherError, Unreachable
from ..system import processes
from . import launch_lock, remote_shell, stamp

LINK_BROKE = 255
"""ssh's exit status when the link, and not the remote command, failed."""
SIGNALLED = 128
"""From this exit status on, a shell tells that a signal ended the command."""
MAX_TOLD = 600
_LOST = ("timed out", "zero bytes were transmitted", "receive failure")
"""What sbatch says when the scheduler's answer did not come: it may have taken the job all the same."""
_ID = re.compile(r"^Submitted batch job (\d+)", re.MULTILINE)


class _Subprocess:
    """Stands in NEL's modules for `subprocess`: the same, but what is run there inherits the launch lock."""

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def run(self, *args: Any, **options: Any) -> subprocess.CompletedProcess[Any]:
        """Run a program, as `subprocess.run` does."""
        lock = processes.inheriting(launch_lock.inherited())
        return subprocess.run(*args, **{"stdin": subprocess.DEVNULL, **options, **lock})  # noqa: PLW1510


def use(folder: Path, laid: stamp.Stamp | None) -> None:
    """Make NEL's Slurm executor submit this way. Only in the child that talks to NEL.

    Args:
        folder: A private directory that lives as long as the child.
        laid: Is put into the run's directory before that goes to the cluster.
    """
    from nemo_evaluator_launcher.common import ssh_utils
    from nemo_evaluator_launcher.executors.slurm import executor

    remote_shell.use(folder)
    for module in (executor, ssh_utils):
        module.subprocess = _Subprocess()
    executor._sbatch_remote_runsubs = submit
    executor._rsync_upload_rundirs = _stamped(executor._rsync_upload_rundirs, laid)


def prepare(config: Any, comment: str, address: str) -> None:
    """Change a composed config for its launch: the stamp in the comment of its jobs, and the address that was checked.

    Args:
        config: NEL's config.
        comment: Is put behind the user's own comment.
        address: `user@host`; empty to leave the config's.
    """
    given = str(config.execution.get("sbatch_comment") or "")
    # NEL writes it between single quotes.
    readable = " ".join(given.replace("'", " ").split())
    config.execution.sbatch_comment = f"{readable} {comment}".strip()
    if address:
        config.execution.username, _, config.execution.hostname = address.rpartition("@")


def submit(remote_runsub_paths: Sequence[Path], username: str, hostname: str, socket: str | None) -> list[str]:
    """Submit scripts one after the other, up to the first that is refused. Takes the place of NEL's function.

    Returns:
        Slurm's job ids, in the order of the scripts.

    Raises:
        ClusterError: The first script was refused: nothing was submitted.
        LauncherError: A later one was: those before it are submitted.
        Unreachable: The link broke, the scheduler did not answer in time, or sbatch was ended or named no jobs; what was submitted
            is not known.
    """
    commands = [shlex.join(["sbatch", str(PurePosixPath(path))]) for path in remote_runsub_paths]
    argv = ["ssh", *(["-S", socket] if socket else []), f"{username}@{hostname}", " && ".join(commands)]
    faults.reached("before-submission")
    done = _Subprocess().run(argv, capture_output=True)
    faults.reached("submitted")
    told = done.stderr.decode("utf-8", "replace").strip()
    ids: list[str] = _ID.findall(done.stdout.decode("utf-8", "replace"))
    if len(ids) == len(commands) and done.returncode == 0:
        return ids
    # Ended by a signal here or there (255: the link broke), or with success but no words of it: sbatch may have submitted.
    if done.returncode <= 0 or done.returncode >= SIGNALLED or any(words in told.lower() for words in _LOST):
        ended = f"it ended with {done.returncode} and named {len(ids)} of {len(commands)} jobs"
        why = "the link broke" if done.returncode == LINK_BROKE else ended
        raise Unreachable(
            f"The submission got no answer: {told[-MAX_TOLD:] or why}",
            where=f"{username}@{hostname}",
            fix="what was submitted is looked up on the cluster, and not submitted again",
        )
    raise (LauncherError if ids else ClusterError)(
        f"Slurm took {len(ids)} of {len(commands)} jobs: {told[-MAX_TOLD:] or f'sbatch ended with {done.returncode}'}",
        where=hostname,
        fix="correct execution (account, partition, gres, walltime) with edit_config",
    )


def _stamped(upload: Callable[..., None], laid: stamp.Stamp | None) -> Callable[..., None]:
    def with_stamp(local_sources: Sequence[Path], **options: Any) -> None:
        for source in local_sources:
            if laid is not None:
                stamp.write(source, laid)
        upload(local_sources=local_sources, **options)

    return with_stamp
