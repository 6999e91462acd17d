"""What a cluster has of launches whose end nobody saw, asked in one round trip. Nothing is concluded here.

Jobs are found in two ways: in the queue by the stamp in their comment or the path of their script, and by the list that each job
writes into its directory when it starts. The accounting is not asked: of a job that ended before it started it keeps neither (Slurm
22.05), and one that started is in that list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import Unreachable
from . import words
from .connection import Connection

SEARCH_SECONDS = 60.0
STAMP = "quantgate:"
"""What stands before the invocation id in the comment of its jobs."""
_SCRIPT = Path(__file__).with_name("find_launches.sh")
_FIELD = "\x1f"
_JOB = re.compile(r"\d{1,12}(?:_\d{1,9})?")


@dataclass(frozen=True)
class Launch:
    """What was found of one launch.

    Attributes:
        listed: Whether the output directory, or the one above it when it is not there, could be listed.
        directory: The invocation's directory; empty when there is none.
        age: Seconds since something in it was made or changed; None without a directory.
        submitting: A process of ours is submitting it, as far as this login node shows.
        jobs: Ids of its jobs, whatever became of them.
        queue_answered: Whether the scheduler told what waits and runs.
        problem: What did not answer, in its own words.
    """

    listed: bool = False
    directory: str = ""
    age: int | None = None
    submitting: bool = False
    jobs: tuple[str, ...] = ()
    queue_answered: bool = False
    problem: str = ""


def stamped(invocation_id: str) -> str:
    """The stamp of an invocation in the comment of its jobs."""
    return STAMP + invocation_id


def search(connection: Connection, output_dirs: Mapping[str, str]) -> dict[str, Launch]:
    """Look for launches.

    Args:
        connection: To the cluster's login node.
        output_dirs: The output directory of each invocation, by its full id.

    Raises:
        BadInput: A directory or an id cannot be sent.
        Unreachable: The cluster does not answer, or its answer breaks off.
        ClusterError: It does not let us in.
    """
    pairs = [w for i, d in output_dirs.items() for w in (words.operand(i, "id"), words.operand(d, "output directory"))]
    done = connection.run(["sh", "-s", "--", *pairs], stdin=_SCRIPT.read_bytes(), seconds=SEARCH_SECONDS)
    if not done.out.rstrip().endswith("@end"):
        last = (done.err or done.out).strip().splitlines()[-1:] or ["nothing"]
        raise Unreachable(
            f"{connection.host} broke off in the middle of its answer: {last[0][:200]}", fix="call this again"
        )
    return parse(done.out)


def parse(text: str) -> dict[str, Launch]:
    """The answer of `find_launches.sh`, by invocation id."""
    found: dict[str, Launch] = {}
    queue: list[str] = []
    clock, current, queued = 0, "", False
    for line in text.splitlines():
        kind, _, value = line.partition(" ")
        if queued:
            queue.append(line)
        elif line == "@queue":
            queued = True
        elif kind == "@clock":
            clock = words.whole(value) or 0
        elif kind == "@launch":
            current = value
            found[current] = Launch()
        elif current:
            found[current] = _with(found[current], kind, value, clock)
    answered, problem = _answered(queue)
    return {
        i: replace(launch, jobs=_jobs(i, launch.jobs, queue), queue_answered=answered, problem=problem)
        for i, launch in found.items()
    }


def _with(launch: Launch, kind: str, value: str, clock: int) -> Launch:
    match kind:
        case "@listed":
            return replace(launch, listed=True)
        case "@directory":
            return replace(launch, directory=value)
        case "@changed" if (changed := words.whole(value)) is not None:
            return replace(launch, age=max(0, clock - changed))
        case "@ran" if _JOB.fullmatch(value):
            return replace(launch, jobs=(*launch.jobs, value))
        case "@busy":
            return replace(launch, submitting=True)
        case _:
            return launch


def _answered(lines: list[str]) -> tuple[bool, str]:
    code = next((line[6:] for line in reversed(lines) if line.startswith("@code ")), "")
    if code == "0":
        return True, ""
    told = " ".join(line for line in lines if not line.startswith("@code") and _FIELD not in line)[:300]
    why = "no answer within its time limit" if code in words.TIMED_OUT else told or f"exit code {code or 'none'}"
    return False, f"squeue: {why}"


def _jobs(invocation_id: str, ran: tuple[str, ...], rows: list[str]) -> tuple[str, ...]:
    found = list(ran)
    for row in rows:
        job, *rest = row.split(_FIELD)
        # The comment is whole words, the rest a path or a command with the directory's name in it.
        stamps = rest[0].split() if rest else []
        if _JOB.fullmatch(job) and (
            stamped(invocation_id) in stamps or any(f"-{invocation_id}/" in text for text in rest[1:])
        ):
            found.append(job)
    return tuple(dict.fromkeys(found))
