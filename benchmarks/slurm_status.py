"""`status` of 1, 10 and 50 runs on a real Slurm cluster beside one `sacct` over the same connection and `nel status --json`.

The cluster is the tests' own: one node, with accounting, behind sshd on loopback. The jobs are laid out as NEL lays them out;
half of the runs have ended, the others wait. Shared answers are forgotten before each call, so that each one looks at the cluster.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .kept import ROOT
from .measured import Effort, Growth, Point, Result, Row, compared, in_turn, milliseconds, seconds, timed

COUNTS = (1, 10, 50)
GROWING = (1, 10, 100)
LIMIT_SECONDS = 400


def measure(effort: Effort) -> Result:
    """Rows for each count, and the growth."""
    sys.path.insert(0, str(ROOT))
    from tests.integration.slurm.cluster import Cluster

    base = Path(tempfile.mkdtemp(dir=Path(tempfile.gettempdir()).parent, prefix="c"))
    os.environ["QUANTGATE_SSH_CONFIG"] = str(base / "etc" / "ssh_config")
    with Cluster(base, images={"image:plain": "-"}) as cluster:
        return on(cluster, effort)


def submitted(cluster: Any, count: int) -> list[Any]:
    """So many tasks on the cluster, every other one held, the rest ended."""
    from tests.integration.slurm import nel_jobs

    from quantgate.tools.status import status

    tasks = [nel_jobs.lay_out(cluster, nel_jobs.RESULTS) for _ in range(count)]
    for number, task in enumerate(tasks):
        nel_jobs.submit(task, *(("--hold",) if number % 2 else ()))
    ids, states = [t.invocation_id for t in tasks], {"pending", "succeeded"}
    wanted = {"succeeded"} if count == 1 else states
    nel_jobs.until(lambda: {row.state for row in status(ids).runs}, lambda seen: seen == wanted, LIMIT_SECONDS)
    return tasks


def on(cluster: Any, effort: Effort) -> Result:
    """The figures on a running cluster."""
    from tests.integration.slurm import nel_jobs, settings

    from quantgate.cluster import connection
    from quantgate.runs.clusters import looking
    from quantgate.tools.status import status

    host = f"{settings.USER}@{cluster.alias}"
    link = connection.connection(host)
    growing = GROWING if not effort.quick else (1, 5, 10)
    counts = COUNTS if not effort.quick else (1, 10)
    tasks = submitted(cluster, max(growing))

    def ours(ids: list[str]) -> None:
        looking.forget(host)
        if not {run.state for run in status(ids).runs} <= {"pending", "succeeded"}:
            raise SystemExit("status answered otherwise")

    def sacct(jobs: list[str]) -> None:
        fields = "JobID,State,ExitCode,Reason,Start,End,Elapsed"
        done = link.run(["sacct", "-X", "-n", "-P", "-j", ",".join(jobs), "-o", fields])
        if len(done.out.splitlines()) != len(jobs):
            raise SystemExit(f"sacct answered otherwise: {done}")

    rows: list[Row] = []
    points = []
    for count in sorted({*counts, *growing}):
        ids, jobs = [t.invocation_id for t in tasks[:count]], [t.job_id for t in tasks[:count]]
        ours(ids)
        sides: tuple[Callable[[], object], ...] = (partial(ours, ids), partial(sacct, jobs))
        rounds = in_turn(timed(*sides), effort.rounds(9))
        mine, plain = (statistics.median(column) for column in zip(*rounds, strict=True))
        figures = {"status": mine, "one sacct": plain}
        if count in counts:
            nel = in_turn(timed(sides[0], partial(nel_jobs.nel_status, cluster, ids)), effort.rounds())
            figures["nel status --json"] = statistics.median(other for _, other in nel)
            what = f"status of {count} Slurm runs over SSH, nothing remembered"
            rows.append(
                compared(f"slurm_{count}", what, "nel status --json", milliseconds(nel), unit="ms", reads="speed")
            )
            rows.append(compared(f"slurm_{count}_sacct", what, "one sacct over the same connection",
                                 milliseconds(rounds), unit="ms"))  # fmt: skip
        elif count == max(growing):
            figures["nel status --json"] = seconds(partial(nel_jobs.nel_status, cluster, ids))
        if count in growing:
            points.append(Point(f"{count} run{'s' if count > 1 else ''}", float(count), figures))
    growth = Growth("slurm-jobs", "status of Slurm runs over SSH", "runs asked about", "s", tuple(points))
    return Result(tuple(rows), (growth,))
