"""Many servers on one login node: what each costs, and how often they ask the scheduler that all share.

Two hundred servers do not fit here: 1, 5 and 20 real ones are measured, and the page extrapolates and says so. What a look costs
the scheduler's daemons is measured on the tests' own cluster.
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

from benchmarks.tool_server import ToolServer
from quantgate.gates.judgement import judging
from quantgate.gates.views import lookup, waiting
from quantgate.runs.clusters.remote import RemoteRun
from quantgate.runs.status import TaskStatus

from . import made
from .figures import Figure

COUNTS = (1, 5, 20)
USERS = 200
IDLE_SECONDS = 10.0
QUEUED = (1, 100)
LOOKS = 10
_TICKS = os.sysconf("SC_CLK_TCK")
_DAEMONS = ("slurmctld", "slurmdbd", "mariadbd")


def measure(*, quick: bool = False) -> Iterator[Figure]:
    """Memory, processor time and open files of servers that idle and work; looks of a wait; a look's cost for the scheduler."""
    for count in COUNTS[: 2 if quick else None]:
        yield from _servers(count)
    looks = looks_in_a_wait()
    yield Figure("servers", "looks at a cluster in a wait of 45 seconds", 1, "servers", looks, "looks")
    yield Figure(
        "servers", "users who wait all the time, extrapolated", USERS, "servers", looks * 2 * USERS / 45 * 60,
        "calls of squeue and sacct a minute",
    )  # fmt: skip
    if not quick:
        yield from _scheduler()


def looks_in_a_wait() -> int:
    """How often the longest wait looks at a run on a cluster that goes on, by the code itself on a clock of its own."""
    now = [0.0]
    looks = [0]
    run = lookup.Run("0" * 16, None, None, "slurm", RemoteRun("host", "/r/20261121_100000-0000000000000000"))
    task = TaskStatus("t.0", "running", "", None, None, None)

    def look(_: Any) -> list[judging.View]:
        looks[0] += 1
        return [judging.View(run, "running", (task,), None)]

    def wait(seconds: float) -> bool:
        now[0] += seconds
        return False

    with (
        mock.patch.object(waiting, "views", look),
        mock.patch.object(waiting.time, "monotonic", side_effect=lambda: now[0]),
        mock.patch.object(waiting.children, "wait", wait),
    ):
        waiting.until_change(["0" * 16], waiting.LONGEST_WAIT)
    return looks[0]


def _servers(count: int) -> Iterator[Figure]:
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(made.own_home())
        servers = []
        for number in range(count):
            own = {
                "QUANTGATE_HOME": str(home / f"user-{number}"),
                "NEMO_EVALUATOR_EXEC_DB_FILE": str(home / f"exec-{number}"),
            }
            servers.append(stack.enter_context(ToolServer(env=os.environ | own)))
            servers[-1].begin()
        for server in servers:
            server.call("status")
        pids = [server.process.pid for server in servers]
        before = sum(map(_processor, pids))
        time.sleep(IDLE_SECONDS)
        idle = (sum(map(_processor, pids)) - before) / IDLE_SECONDS
        memory = [_memory(pid) for pid in pids]
        for name, key in (("resident", "Rss"), ("its part of what is shared (PSS)", "Pss"), ("private", "Private")):
            value = sum(m[key] for m in memory) / 1024 / count
            yield Figure("servers", f"memory of an idle server, {name}", count, "servers", value, "MB")
        yield Figure(
            "servers", "processor time of idle servers", count, "servers", idle * 1000 / count, "ms a second, each"
        )
        files = max(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
        yield Figure("servers", "open files of a server", count, "servers", files, "files")
        before = sum(map(_processor, pids))
        for _ in range(5):
            for server in servers:
                server.call("status")
        calls = 5 * count
        busy = (sum(map(_processor, pids)) - before) * 1000 / calls
        yield Figure("servers", "processor time of status()", count, "servers", busy, "ms")


def _memory(pid: int) -> dict[str, int]:
    """Kilobytes, of `smaps_rollup`."""
    rows = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
    found = {row[0].rstrip(":"): int(row[1]) for row in rows if row[1].isdigit()}
    return found | {"Private": found["Private_Clean"] + found["Private_Dirty"]}


def _processor(pid: int) -> float:
    """Seconds of processor time that a process used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


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
        before = {name: _processor(pid) for name, pid in daemons.items()}
        for _ in range(LOOKS):
            seen = scheduler.look(link, [], [job])
            if len(seen.queue or {}) != size or seen.accounting is None:
                raise SystemExit(f"the cluster answered otherwise: {seen.problems}")
        for name, pid in daemons.items():
            taken = (_processor(pid) - before[name]) * 1000 / LOOKS
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
