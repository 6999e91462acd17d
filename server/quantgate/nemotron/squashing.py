"""Carries a squash plan out: every image is submitted, then each is waited for; what is there is skipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..cluster import hosts, squash_import
from ..cluster.connection import Connection, connection
from ..errors import ClusterError, Refused
from .squash import SquashPlan

WAIT_SECONDS = 3 * 3600.0


@dataclass(frozen=True)
class Squashed:
    """What became of a plan: the files that were made now, and those that were there already."""

    imported: tuple[str, ...] = ()
    present: tuple[str, ...] = ()


def carry_out(
    plan: SquashPlan, *, seconds: float = WAIT_SECONDS, told: Callable[[str], None] = lambda _: None
) -> Squashed:
    """Import the images of a plan on its cluster.

    Args:
        plan: Of `squash.plan`; one without images contacts nobody.
        seconds: How long each import is waited for, with its time in the queue.
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
    for job in begun:
        try:
            squash_import.wait(link, job, seconds=seconds, told=told)
        except ClusterError as error:
            # The others go on: their files serve the next attempt.
            failed.append(error)
    if failed:
        raise failed[0]
    return Squashed(
        tuple(job.target for job in begun if job.job_id), tuple(job.target for job in begun if not job.job_id)
    )


def _connection(plan: SquashPlan) -> Connection:
    found = hosts.find(plan.host, plan.user)
    if not found.known_from:
        raise Refused(
            f"Images are imported on {plan.host[:120]!r}, which only the config or its profile names",
            fix="a person writes the host into clusters.yaml or ~/.ssh/config, or gives .sqsh files that are there already",
        )
    return connection(found.address)
