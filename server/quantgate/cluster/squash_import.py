"""Importing container images as squash files on a cluster: one job each, begun and looked at in round trips of their own.

A link that breaks does not end an import: the job goes on, and the next call finds its file.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput, ClusterError, Unreachable
from . import words
from .connection import Connection

BEGIN_SECONDS = 90.0
LOOK_SECONDS = 75.0
POLL_SECONDS = 5.0
SETTLE_LOOKS = 12
"""How often an ended job's note is looked for before it counts as lost."""
_SCRIPT = Path(__file__).with_name("squash.sh")
_TIME = re.compile(r"(?:\d{1,3}-)?\d{1,3}(?::\d{1,2}){0,2}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,\-]{0,100}")


@dataclass(frozen=True)
class Allocation:
    """Where an import runs: account and partition (empty for the cluster's own), and its limit as Slurm writes it."""

    account: str = ""
    partition: str = ""
    time: str = "02:00:00"


@dataclass(frozen=True)
class Import:
    """A job that imports an image.

    Attributes:
        image: As messages name it.
        target: The file that it makes.
        job_id: Slurm's id; empty when the file was there already.
        source: The image as `enroot import` took it.
    """

    image: str
    target: str
    job_id: str = ""
    source: str = ""


def begin(
    connection: Connection, image: str, source: str, target: str, allocation: Allocation, *, force: bool = False
) -> Import:
    """Submit the import of one image, unless its file is there.

    Args:
        connection: To the login node.
        image: As messages name it.
        source: As `enroot import` takes it.
        target: The absolute path of the file.
        allocation: Where the job runs.
        force: Import it also when it is there; the old file stays in place until the new one is whole.

    Raises:
        BadInput: A value that cannot be sent.
        ClusterError: The directory cannot be written, or sbatch refuses.
        Unreachable: The cluster does not answer, or the link broke: the job may have been submitted.
    """
    for value, pattern, what in (
        (allocation.account, _NAME, "account"),
        (allocation.partition, _NAME, "partition"),
        (allocation.time, _TIME, "time limit"),
    ):
        if value and not pattern.fullmatch(value):
            raise BadInput(f"{value[:80]!r} is no {what} of Slurm", fix="correct it in the profile of env.toml")
    place = words.operand(target, "squash file")
    argv = ["begin", "1" if force else "0", place, words.operand(source, "image")]
    rows = _run(
        connection, [*argv, allocation.account, allocation.partition, allocation.time], BEGIN_SECONDS, changes=True
    )
    where = f"{connection.host}:{target}"
    if rows.get("@unwritable"):
        raise ClusterError(
            f"The image {image} cannot be imported: its directory cannot be written",
            where=where,
            fix="set remote_job_dir in env.toml to a directory of yours that jobs see",
        )
    if declined := rows.get("@declined"):
        raise ClusterError(
            f"The image {image} cannot be imported: sbatch refused the job: {declined[0][:300] or 'no words'}",
            where=where,
            fix="check account and partition of the profile; the import runs in an allocation of its own",
        )
    queued = rows.get("@queued")
    if not queued and "@present" not in rows:
        raise ClusterError(f"The image {image} was not submitted for import", where=where, fix="call this again")
    return Import(image, target, queued[0] if queued else "", source)


def wait(
    connection: Connection,
    running: Import,
    *,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    told: Callable[[str], None] = lambda _: None,
) -> None:
    """Wait for the end of an import; the job is left as it is when the wait ends first.

    Args:
        connection: To the login node.
        running: Of `begin`; nothing is waited for when its file was there.
        seconds: How long; the queue counts.
        sleep: Waits between two looks.
        told: Gets the job's state each time that it changed.

    Raises:
        ClusterError: It failed. The message names the image and shows the end of its log.
        Unreachable: The cluster does not answer, or it is not done in time.
    """
    state = until_done(connection, running, seconds=seconds, sleep=sleep, told=told)
    if state:
        raise Unreachable(
            f"The import of {running.image} is not done after {seconds:.0f} s (job {running.job_id} is {state})",
            where=f"{connection.host}:{running.target}",
            fix="it goes on there; call this again, and a file that is there by then is taken",
        )


def until_done(
    connection: Connection,
    running: Import,
    *,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    told: Callable[[str], None] = lambda _: None,
) -> str:
    """As `wait`; but an import that is not done in time is no error.

    Returns:
        Empty when the file is there; else the state of the job, as Slurm calls it, or `not seen`.
    """
    if not running.job_id:
        return ""
    deadline, last, settling = time.monotonic() + seconds, "", 0
    while True:
        rows = _run(connection, ["look", running.target, running.job_id, running.source], LOOK_SECONDS)
        if ended := rows.get("@ended"):
            if ended[0] == "0":
                return ""
            raise _failed(connection, running, f"enroot ended with exit code {ended[0]}", rows.get("@log", []))
        if stopped := rows.get("@stopped"):
            raise _failed(connection, running, f"its job ended as {stopped[0]}", rows.get("@log", []))
        settling += "@gone" in rows or "@settling" in rows
        if settling > SETTLE_LOOKS:
            raise _failed(connection, running, "its job is over and left no note of its end", rows.get("@log", []))
        state = rows.get("@state", [last])[0]
        if state != last:
            told(f"importing {running.image}: job {running.job_id} is {state}")
            last = state
        if time.monotonic() >= deadline:
            return last or "not seen"
        sleep(POLL_SECONDS)


def _failed(connection: Connection, running: Import, why: str, log: list[str]) -> ClusterError:
    end = " | ".join(" ".join(line.split())[:200] for line in log if line.strip())[-1200:]
    return ClusterError(
        f"The image {running.image} could not be imported: {why}. The end of its log: {end or 'it is empty'}",
        where=f"{connection.host}:{running.target}.import.log",
        fix="mend what the log says (credentials of a registry lie in ~/.config/enroot/.credentials there), or give a .sqsh file",
    )


def _run(connection: Connection, argv: list[str], seconds: float, *, changes: bool = False) -> dict[str, list[str]]:
    """What the script printed: by the first field, the rest of each line."""
    done = connection.run(
        ["sh", "-s", "--", *argv], stdin=_SCRIPT.read_bytes(), seconds=seconds, max_output=1 << 20, changes=changes
    )
    if not done.out.rstrip().endswith("@end"):
        said = (done.err or done.out).strip().splitlines()[-1:] or ["nothing"]
        raise Unreachable(
            f"{connection.host} broke off in the middle of its answer: {said[0][:200]}",
            fix="call this again: an import that was begun goes on there",
        )
    rows: dict[str, list[str]] = {}
    for line in done.out.splitlines():
        kind, _, rest = line.partition("\t")
        if kind.startswith("@"):
            rows.setdefault(kind, []).append(rest)
    return rows
