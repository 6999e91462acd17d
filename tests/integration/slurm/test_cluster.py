"""The test cluster itself: a real scheduler that runs, accounts and kills, and forgets nothing when it stops."""

from __future__ import annotations

import time

import psutil

from .cluster import Cluster
from .conftest import MakeCluster
from .settings import ACCOUNT


def _finished(cluster: Cluster, job: str, seconds: float = 30) -> str:
    deadline = time.monotonic() + seconds
    while True:
        state = cluster.checked("sacct", "-n", "-X", "-P", "-j", job, "-o", "State").strip()
        if state and state not in {"PENDING", "RUNNING", "COMPLETING"}:
            return state
        assert time.monotonic() < deadline, f"job {job} is still {state!r}\n{cluster.logs()}"
        time.sleep(0.2)


def _submit(cluster: Cluster, command: str, *flags: str) -> str:
    out = str(cluster.home / "job-%A.out")
    return cluster.checked("sbatch", "--parsable", "-A", ACCOUNT, "-o", out, *flags, "--wrap", command).strip()


def test_a_job_sees_the_mounts_of_its_container_and_nothing_of_root(cluster: Cluster) -> None:
    data = cluster.home / "data"
    data.mkdir(exist_ok=True)
    (data / "inside.txt").write_text("seen\n", "utf-8")
    container = f"--container-image image:plain --container-mounts {data}:/results"
    step = f"srun --mpi pmix {container} bash -c 'cat /results/inside.txt; id -u'"
    job = _submit(cluster, step, "--gres", "gpu:8")
    assert _finished(cluster, job) == "COMPLETED", cluster.logs()
    assert (cluster.home / f"job-{job}.out").read_text("utf-8").split() == ["seen", "1000"]


def test_an_unknown_image_fails_as_an_import_does(cluster: Cluster) -> None:
    job = _submit(cluster, "srun --container-image image:absent true")
    assert _finished(cluster, job) == "FAILED"
    assert "failed to import docker image: image:absent" in (cluster.home / f"job-{job}.out").read_text("utf-8")


def test_a_wrong_account_or_too_many_gpus_are_refused(cluster: Cluster) -> None:
    for flags in (("-A", "nobody"), ("-A", ACCOUNT, "--gres", "gpu:9"), ("-A", ACCOUNT, "-p", "absent")):
        done = cluster.run("sbatch", *flags, "--wrap", "true")
        assert done.code != 0, flags


def test_nothing_of_a_cluster_outlives_it(make_cluster: MakeCluster) -> None:
    one = make_cluster()
    port, base = one.ports.ssh, str(one.base)
    one.stop()
    left = [p.info["cmdline"] for p in psutil.process_iter(["cmdline"]) if base in " ".join(p.info["cmdline"] or [])]
    assert left == []
    assert port not in {c.laddr.port for c in psutil.net_connections("tcp") if c.status == "LISTEN"}
