"""Reading a remote run of 12,000 samples: first look, second look, and after one file changed, against `rsync` of the directory.

The run is a recorded one whose per-sample files were made longer, on the test cluster, over loopback: no network's delay is in
these figures. It has the cache of answers and a log that a run has, which rsync copies and quantgate leaves.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .kept import ROOT
from .made_runs import RECORDED, TASK
from .measured import Effort, Result, alone, compared, in_turn, seconds

SAMPLES = 12_000
LOG_BYTES = CACHE_BYTES = 100 << 20


def lay_out(folder: Path) -> Path:
    """The run on the cluster."""
    run = Path(shutil.copytree(RECORDED, folder / RECORDED.name))
    artifacts = run / TASK / "artifacts"
    for name in ("output.jsonl", "eval_results_loose.jsonl", "eval_results_strict.jsonl"):
        lines = (artifacts / name).read_text("utf-8").splitlines()
        (artifacts / name).write_text("\n".join(lines[i % len(lines)] for i in range(SAMPLES)) + "\n", "utf-8")
    (artifacts / "cache" / "responses" / "cache.db").write_bytes(os.urandom(CACHE_BYTES))
    (run / TASK / "logs" / "client_stdout.log").write_bytes(b"a line of a log that says nothing\n" * (LOG_BYTES // 34))
    (run / TASK / "run.sub").write_text("#!/bin/bash\n", "utf-8")
    return run


def on(cluster: Any, home: Path, effort: Effort) -> Result:
    """The rows, on a running cluster."""
    from quantgate.cluster import connection
    from quantgate.runs.clusters import mirrored
    from quantgate.tools.verify_run import verify_run

    run = lay_out(cluster.home)
    address, copies, target = f"{cluster.alias}:{run}", Path(os.environ["QUANTGATE_CACHE"]) / "mirrored", home / "rsync"
    results = run / TASK / "artifacts" / "results.yml"
    connection.connection(cluster.alias).run(["true"])

    def look() -> None:
        mirrored.mirror_of(cluster.alias, str(run))

    def rsync() -> None:
        argv = ["rsync", "-a", "-e", f"ssh -F {cluster.ssh_config}", f"{address}/", f"{target}/"]
        subprocess.run(argv, check=True, capture_output=True)

    def after(before: Callable[[], object], call: Callable[[], object]) -> Callable[[], float]:
        def side() -> float:
            before()
            return seconds(call)

        return side

    nothing = lambda: None  # noqa: E731 - a name for it
    rows = []
    for key, name, ours, theirs in (
        ("first", "first look", lambda: shutil.rmtree(copies, True), lambda: shutil.rmtree(target, True)),
        ("second", "second look", nothing, nothing),
        ("changed", "look after one file changed", results.touch, results.touch),
    ):
        rounds = in_turn([after(ours, look), after(theirs, rsync)], effort.rounds())
        what = f"{name} at a run of {SAMPLES:,} samples on a cluster"
        rows.append(compared(key, what, "rsync of its directory", rounds, note="loopback: the network costs nothing"))
    verified = [seconds(lambda: verify_run(address)) for _ in range(effort.rounds() + 1)][1:]
    rows.append(alone("verify", f"verify_run of it ({SAMPLES:,} samples), second call", verified))
    return Result(tuple(rows))


def measure(effort: Effort) -> Result:
    """Start a cluster, measure, stop it."""
    sys.path.insert(0, str(ROOT))
    from tests.integration.slurm.cluster import Cluster

    from quantgate.cluster import connection

    base = Path(tempfile.mkdtemp(dir=Path(tempfile.gettempdir()).parent, prefix="c"))
    home = Path(tempfile.mkdtemp())
    os.environ["QUANTGATE_SSH_CONFIG"] = str(base / "etc" / "ssh_config")
    with Cluster(base, images={}, accounting=False) as cluster:
        found = on(cluster, home, effort)
        connection.close_all()
        return found
