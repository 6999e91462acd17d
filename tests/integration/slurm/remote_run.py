"""A run's directory in a cluster's home, to be filled by a test."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from .cluster import Cluster

TASK = "ifbench.ifbench.0"


@dataclass(frozen=True)
class RemoteLogs:
    """A run on the cluster with one task or more."""

    cluster: Cluster
    path: Path

    @property
    def address(self) -> str:
        """As a caller names it."""
        return f"{self.cluster.alias}:{self.path}"

    def write(self, name: str, content: str | bytes, task: str = TASK) -> Path:
        """A log of a task."""
        file = self.path / task / "logs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def chain(self, *jobs: str, task: str = TASK) -> None:
        """NEL's record of the jobs of a task."""
        (self.path / task / ".slurm_job_id.list").write_text("".join(f"{job}\n" for job in jobs), "utf-8")

    def results(self, task: str = TASK) -> None:
        """The results of a task that succeeded."""
        (self.path / task / "artifacts").mkdir(parents=True, exist_ok=True)
        (self.path / task / "artifacts" / "results.yml").write_text("results: {}\n", "utf-8")


def remote_run(cluster: Cluster) -> RemoteLogs:
    """An empty run with one task."""
    run = RemoteLogs(cluster, cluster.home / "logs of runs" / f"20261121_100000-{secrets.token_hex(8)}")
    for part in ("logs", "artifacts"):
        (run.path / TASK / part).mkdir(parents=True)
    return run
