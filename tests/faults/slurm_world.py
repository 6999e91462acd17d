"""The user's machine beside a real cluster of one node: slurmctld, slurmd, accounting and sshd, as in the tests of clusters."""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from quantgate.launcher import harness_env, harnesses
from tests.conftest import SHARED_CACHE
from tests.integration.slurm import slurm_config
from tests.integration.slurm.cluster import Cluster
from tests.integration.slurm.sshd import end_sessions

from . import harness
from .enclosure import KEEP, PLACE
from .endpoint import job_of
from .plan import Plan
from .world import CANARIED, World, evaluation, has_results

OPERATOR_SECONDS = 8.0
DAEMONS = ("sshd", "slurmctld", "slurmd")
_shared: list[Cluster] = []
"""The one cluster of this enclosure: it takes longer to start than a run of the campaign."""
_tried: list[Path] = []
STAND_IN = PLACE / "stand-in"


def _cluster() -> Cluster:
    if not _shared:
        wheel = harnesses.require_wheel("ifbench")
        programs = SHARED_CACHE / "harnesses" / harness_env.key(wheel) / "bin"
        images = {"image:plain": "-", "nvcr.io/nvidia/eval-factory/ifbench:26.03": str(_image(programs))}
        base = PLACE / f"c{len(_tried)}"
        _tried.append(base)
        _shared.append(Cluster(base, images=images).__enter__())
    return _shared[0]


def _image(real: Path) -> Path:
    """The programs of the jobs' container: the real harness, or the stand-in while its mark is there."""
    programs = PLACE / "image"
    programs.mkdir(exist_ok=True)
    stand_in = f"{sys.executable} -IS {harness.__file__} {KEEP}"
    text = f'if [ -e {STAND_IN} ]; then exec {stand_in} "$@"; fi\nPATH={real}:$PATH exec {real}/nemo-evaluator "$@"\n'
    (programs / "nemo-evaluator").write_text(f"#!/bin/sh\n{text}", "utf-8")
    (programs / "nemo-evaluator").chmod(0o755)
    return programs


class SlurmWorld(World):
    """A world whose runs are jobs; the run directories are in the home of the cluster's user."""

    settle_seconds = 20.0
    slack_seconds = 3.0

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.cluster = _cluster()
        self.node = socket.gethostname().partition(".")[0]
        self.foreign: set[str] = set()
        self.canaried = PLACE / CANARIED

    def _install_stand_in(self) -> None:
        STAND_IN.touch()

    def __enter__(self) -> World:
        for daemon in DAEMONS:
            self.start_daemon(daemon)
        self.cluster.run("scancel", "--me")
        self.cluster.run("scontrol", "update", f"nodename={self.node}", "state=resume")
        STAND_IN.unlink(missing_ok=True)
        known = {path.name for path in self._directories()}
        if self.plan.start == "run" and not self.canaried.exists():
            raise AssertionError("no canary of this cluster has been kept")
        super().__enter__()
        self.foreign = known - {path.name for path in self._directories() if self._in_ledger(path.name)}
        return self

    def __exit__(self, *arguments: object) -> None:
        super().__exit__(*arguments)
        shutil.rmtree(self.base, ignore_errors=True)

    def _in_ledger(self, name: str) -> bool:
        # Imported here: evidence knows of worlds.
        from .evidence import attempts

        return name.rpartition("-")[2] in attempts(self)

    def _directories(self) -> list[Path]:
        return sorted((self.cluster.home / "results").glob("*_*-*"))

    def run_directories(self) -> list[Path]:
        """Those of this job."""
        return [path for path in self._directories() if path.name not in self.foreign]

    @property
    def searched(self) -> list[Path]:
        """This machine's directories and the cluster's."""
        return [*super().searched, self.cluster.home, self.cluster.base / "log"]

    @property
    def environment(self) -> dict[str, str]:
        """With the ssh_config of the cluster."""
        return {**super().environment, "QUANTGATE_SSH_CONFIG": str(self.cluster.ssh_config)}

    def configuration(self) -> dict[str, Any]:
        """The same job for the cluster: loopback is the same in there."""
        return {
            "defaults": [{"execution": "slurm/default"}, {"deployment": "none"}, "_self_"],
            "execution": slurm_config.execution(self.cluster),
            "target": {"api_endpoint": self.target()},
            "evaluation": evaluation(),
            "quantgate": {"silence": ["T39"]},
        }

    def start_daemon(self, name: str) -> None:
        """Start a daemon of the cluster that is down."""
        if not self.cluster.alive(name):
            self.cluster.start(name)

    def resume_node(self) -> None:
        """What an operator does: slurmctld comes back with a state of before, starts a job twice and drains the node for it."""
        deadline = time.monotonic() + OPERATOR_SECONDS
        while time.monotonic() < deadline:
            if self.cluster.run("sinfo", "-h", "-o", "%T").output.split()[:1] in (["drained"], ["draining"], ["down"]):
                self.cluster.run("scontrol", "update", f"nodename={self.node}", "state=resume")
            time.sleep(1)

    def kill_daemon(self, name: str) -> None:
        """Kill a daemon of the cluster."""
        self.cluster.kill(name, signal.SIGKILL)

    def end_sessions(self) -> None:
        """Kill every connection that is logged in."""
        end_sessions(self.cluster)

    def own_pids(self) -> set[int]:
        """The processes of the campaign and the cluster's own daemons; jobs and logins are none."""
        assert self.cluster._first is not None
        first = self.cluster._first.pid
        return super().own_pids() | {first} | {pid for pid in _below(first) if _is_daemon(Path(f"/proc/{pid}"))}

    def jobs(self) -> dict[str, str]:
        """The invocation of each job of this run of the campaign that ever began."""
        return _jobs(self.run_directories())

    def exit_code(self, task: Path, *, alive: bool) -> int | None:
        """0 for a task that has results and of which nothing runs; NEL's jobs leave no exit record."""
        return 0 if has_results(task) and not alive else None

    def queued(self) -> set[str]:
        """The invocations whose mark is on a job, whatever its state, since this run began."""
        told = self.cluster.run("squeue", "-h", "-a", "-t", "all", "-o", "%i %k")
        rows = [line.split() for line in told.output.splitlines() if "quantgate:" in line]
        # What is left of an earlier run may only now have gone through the queue.
        return {row[-1].rpartition(":")[2] for row in rows} - {name.rpartition("-")[2] for name in self.foreign}


def _jobs(runs: list[Path]) -> dict[str, str]:
    """By what NEL's jobs write down of themselves."""
    found: dict[str, str] = {}
    for run in runs:
        for file in run.glob("*/.slurm_job_id.list"):
            found |= {job: run.name.rpartition("-")[2] for job in file.read_text("utf-8").split()}
    return found


def _below(first: int) -> set[int]:
    parents: dict[int, int] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                parents[int(place.name)] = int(
                    (place / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1]
                )
            except OSError:
                continue
    below, more = {first}, {first}
    while more:
        more = {pid for pid, parent in parents.items() if parent in more} - below
        below |= more
    return below


def _is_daemon(process: Path) -> bool:
    try:
        title = (process / "cmdline").read_text("utf-8", "replace")
    except OSError:
        return True
    return not job_of(process) and not title.startswith("sshd: tester") and "slurmstepd" not in title
