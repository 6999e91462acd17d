"""Servers that wait for runs on a cluster: how often each asks the scheduler that all share, and what an answer costs its daemons.

The cost is measured on the tests' own cluster.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from quantgate import children
from quantgate.gates.views import waiting
from quantgate.runs.clusters import looking

from . import made, replay
from .figures import Figure, processor_of

USERS = 200
QUEUED = (1, 100)
LOOKS = 50
_DAEMONS = ("slurmctld", "slurmdbd", "mariadbd")


def measure(*, quick: bool = False) -> Iterator[Figure]:
    """What one who waits asks of the scheduler, two hundred of them, and what that costs it."""
    sessions, calls = asked_in_a_wait()
    minutes = waiting.LONGEST_WAIT / 60
    what = "a wait of 45 seconds for a run on a cluster"
    yield Figure("servers", what, 1, "servers", sessions / minutes, "ssh sessions a minute")
    yield Figure("servers", what, 1, "servers", calls / minutes, "calls of squeue and sacct a minute")
    what = "users who wait all the time, extrapolated"
    yield Figure("servers", what, USERS, "servers", USERS * sessions / minutes, "ssh sessions a minute")
    yield Figure("servers", what, USERS, "servers", USERS * calls / minutes, "calls of squeue and sacct a minute")
    if not quick:
        yield from _scheduler()


def asked_in_a_wait() -> tuple[int, int]:
    """Sessions on a login node, and calls of squeue and sacct, in the longest wait for a run on a cluster that goes on.

    The looks are real ones at a replayed cluster; the clock is one of its own, so that a wait takes no time.
    """
    now = [0.0]

    def wait(seconds: float) -> bool:
        now[0] += seconds
        return False

    with made.own_home() as home:
        ids, jobs = made.sweep(home / "runs", 1, 1, states=["RUNNING"])
        with replay.reached(home / "node") as node:
            node.jobs(jobs)
            looking._desks.clear()
            # The clock of the machine itself: it stands still during a look, and what was seen is stale by the next one.
            with (
                mock.patch.object(time, "monotonic", side_effect=lambda: now[0]),
                mock.patch.object(children, "wait", wait),
            ):
                waiting.until_change(ids, waiting.LONGEST_WAIT)
            looking._desks.clear()
            return node.counted.commands, len(node.calls())


def _scheduler() -> Iterator[Figure]:
    """What a look costs the daemons of a real cluster, with few and with many jobs in the user's queue."""
    from tests.integration.slurm import cluster as clusters

    if clusters.missing():
        return
    base = Path(tempfile.mkdtemp(prefix="qg-sc-"))
    before = os.environ.get("QUANTGATE_SSH_CONFIG")
    try:
        (base / "c").mkdir()
        with clusters.Cluster(base / "c", images={"image:plain": "-"}) as cluster:
            os.environ["QUANTGATE_SSH_CONFIG"] = str(cluster.ssh_config)
            yield from _looks(cluster)
    finally:
        os.environ.pop("QUANTGATE_SSH_CONFIG") if before is None else os.environ.update(QUANTGATE_SSH_CONFIG=before)
        shutil.rmtree(base, ignore_errors=True)


def _looks(cluster: Any) -> Iterator[Figure]:
    from tests.integration.slurm import settings

    from quantgate.cluster import connection, scheduler

    link = connection.connection(f"{settings.USER}@{cluster.alias}")
    daemons = {name: _daemon(name, str(cluster.base)) for name in _DAEMONS}
    queued = 0
    job = ""
    for size in QUEUED:
        while queued < size:
            some = min(50, size - queued)
            script = f"for i in $(seq {some}); do sbatch --parsable --hold --wrap 'sleep 60' -o /dev/null; done"
            job = cluster.checked("sh", "-c", script).split()[-1]
            queued += some
        scheduler.look(link, [], [job])
        before = {name: processor_of(pid) for name, pid in daemons.items()}
        for _ in range(LOOKS):
            seen = scheduler.look(link, [], [job])
            if len(seen.queue or {}) != size or seen.accounting is None:
                raise SystemExit(f"the cluster answered otherwise: {seen.problems}")
        for name, pid in daemons.items():
            taken = (processor_of(pid) - before[name]) * 1000 / LOOKS
            yield Figure("servers", f"processor time of {name} for a look", size, "queued jobs", taken, "ms")
    connection.close_all()


def _daemon(name: str, base: str) -> int:
    """A daemon of this very cluster: others may run beside it."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            own = f"SLURM_CONF={base}".encode() in (folder / "environ").read_bytes()
            if own and (folder / "comm").read_text().strip() == name:
                return int(folder.name)
    raise SystemExit(f"{name} of the cluster is not to be found")
