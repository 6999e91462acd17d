"""Carries a squash plan out: every image is submitted, then each is waited for; what is there is skipped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..cluster import hosts, squash_import
from ..cluster.connection import Connection, connection
from ..errors import ClusterError, Refused
from ..evalconfig import lint
from ..evalconfig.lint import Finding
from .squash import SquashPlan

WAIT_SECONDS = 3 * 3600.0


@dataclass(frozen=True)
class Squashed:
    """What became of a plan: the files that were made now, those that were there already, and jobs that still make theirs."""

    imported: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    going: tuple[squash_import.Import, ...] = ()


def carry_out(
    plan: SquashPlan,
    *,
    seconds: float = WAIT_SECONDS,
    leave: bool = False,
    told: Callable[[str], None] = lambda _: None,
) -> Squashed:
    """Import the images of a plan on its cluster.

    Args:
        plan: Of `squash.plan`; one without images contacts nobody.
        seconds: How long each import is waited for, with its time in the queue.
        leave: What is not done after `seconds`, of all together, goes on and is told in `going`; else that is an error.
        told: Gets a line for each step.

    Raises:
        Refused: The login node is one that no person has named.
        ClusterError: An image could not be imported; it is named, with the end of its log.
        Unreachable: The cluster does not answer.
    """
    if not plan.images:
        return Squashed()
    link = _connection(plan)
    allocation = squash_import.Allocation(plan.account, plan.partition, plan.time)
    begun = []
    for image in plan.images:
        job = squash_import.begin(link, image.image, image.source, image.target, allocation, force=plan.force)
        told(f"{image.target} is there" if not job.job_id else f"importing {image.image}: job {job.job_id}")
        begun.append(job)
    failed: list[ClusterError] = []
    going: list[squash_import.Import] = []
    deadline = time.monotonic() + seconds
    for job in begun:
        left = max(0.0, deadline - time.monotonic())
        try:
            if not leave:
                squash_import.wait(link, job, seconds=seconds, told=told)
            elif squash_import.until_done(link, job, seconds=left, told=told):
                going.append(job)
        except ClusterError as error:
            # The others go on: their files serve the next attempt.
            failed.append(error)
    if failed:
        raise failed[0]
    made = tuple(job.target for job in begun if job.job_id and job not in going)
    return Squashed(made, tuple(job.target for job in begun if not job.job_id), tuple(going))


def hindrances(config: str, plan: SquashPlan) -> list[Finding]:
    """The errors of a compiled config for which an import of an hour would be for nothing; not those of the planned files."""
    places = {place for image in plan.images for place in image.places}
    return [f for f in lint.check(Path(config)).findings if f.severity == "error" and f.path not in places]


def _connection(plan: SquashPlan) -> Connection:
    found = hosts.find(plan.host, plan.user)
    if not found.known_from:
        raise Refused(
            f"Images are imported on {plan.host[:120]!r}, which only the config or its profile names",
            fix="a person writes the host into clusters.yaml or ~/.ssh/config, or gives .sqsh files that are there already",
        )
    return connection(found.address)
