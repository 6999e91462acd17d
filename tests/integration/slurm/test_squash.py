"""Images become squash files on a real Slurm cluster over SSH; only `enroot` is a stand-in, a program that makes a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quantgate.errors import ClusterError
from quantgate.nemotron import squash, squashing

from .cluster import Cluster
from .settings import ACCOUNT, PARTITION

ENROOT = """#!/bin/sh
# Stands for enroot 3: `enroot import --output FILE SOURCE`.
echo "[INFO] Querying registry for permission grant"
case $4 in *broken*) echo "[ERROR] URL https://registry returned error code: 401 Unauthorized"; exit 1 ;; esac
echo "$SLURM_JOB_ID $4" >"$3"
"""


@pytest.fixture
def with_enroot(reached: Cluster) -> Iterator[Cluster]:
    enroot = reached.base / "bin" / "enroot"
    enroot.write_text(ENROOT, "utf-8")
    enroot.chmod(0o755)
    yield reached
    enroot.unlink()


def _plan(
    cluster: Cluster, directory: Path, image: str, *, force: bool = False, account: str = ACCOUNT
) -> squash.SquashPlan:
    env = {"executor": "slurm", "tunnel": "ssh", "host": cluster.alias, "account": account, "partition": PARTITION}
    config = {
        "run": {"env": env | {"remote_job_dir": str(directory), "time": "00:10:00"}},
        "deployment": {"image": image},
        "execution": {"proxy": {"image": "haproxy:3.0"}},
    }
    return squash.plan(config, launching=True, force=force)


def test_images_are_imported_in_allocations_once_and_again_by_force(with_enroot: Cluster) -> None:
    directory = with_enroot.home / "squash"
    plan = _plan(with_enroot, directory, "nvcr.io/nvidia/nemo:25.11")
    told: list[str] = []
    done = squashing.carry_out(plan, seconds=120, told=told.append)
    assert done.imported == tuple(image.target for image in plan.images)
    job, source = Path(done.imported[0]).read_text("utf-8").split()
    assert source == "docker://nvcr.io#nvidia/nemo:25.11"
    assert job in " ".join(told)
    assert squashing.carry_out(plan, seconds=120).present == done.imported
    again = squashing.carry_out(_plan(with_enroot, directory, "nvcr.io/nvidia/nemo:25.11", force=True), seconds=120)
    assert again.imported == done.imported
    assert Path(done.imported[0]).read_text("utf-8").split()[0] != job


def test_a_failed_import_says_which_image_and_the_others_are_kept(with_enroot: Cluster) -> None:
    directory = with_enroot.home / "squash-broken"
    with pytest.raises(ClusterError, match=r"nvcr\.io/team/broken:1.*401 Unauthorized"):
        squashing.carry_out(_plan(with_enroot, directory, "nvcr.io/team/broken:1"), seconds=120)
    assert (directory / "haproxy_3_0.sqsh").is_file()
    assert not list(directory.glob("*broken*.sqsh"))


def test_an_account_that_the_cluster_does_not_have_is_its_own_words(with_enroot: Cluster) -> None:
    with pytest.raises(ClusterError, match="sbatch refused the job"):
        squashing.carry_out(
            _plan(with_enroot, with_enroot.home / "squash-account", "x/y:1", account="nobody"), seconds=60
        )
