"""One cluster for all tests that need a healthy one, and clusters of their own for those that break it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from quantgate.launcher import harness_env, harnesses
from tests.conftest import SHARED_CACHE
from tests.requirements import require

from .cluster import Cluster, missing

MakeCluster = Callable[..., Cluster]


def _base() -> Path:
    # Sockets lie below it, and their paths are at most 107 bytes long.
    return Path(tempfile.mkdtemp(prefix="qg-slurm-"))


@pytest.fixture(scope="session")
def images() -> Mapping[str, str]:
    """Container images that the clusters know; "-" has no programs of its own.

    The harness's image is the environment that the process executor would install, which a test asks for by `harness`.
    """
    ifbench = SHARED_CACHE / "harnesses" / harness_env.key(harnesses.require_wheel("ifbench")) / "bin"
    return {
        "image:plain": "-",
        "image:model": str(Path(sys.executable).parent),
        "nvcr.io/nvidia/eval-factory/ifbench:26.03": str(ifbench),
    }


@pytest.fixture(scope="session")
def cluster(images: Mapping[str, str]) -> Iterator[Cluster]:
    """A healthy cluster, shared: tests leave it as they found it."""
    require(not missing(), missing())
    base = _base()
    try:
        with Cluster(base, images=images) as running:
            yield running
    finally:
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def make_cluster(images: Mapping[str, str]) -> Iterator[MakeCluster]:
    """Starts clusters of the test's own: `make_cluster(changes={…}, accounting=False)`."""
    require(not missing(), missing())
    with ExitStack() as stack:

        def make(**options: object) -> Cluster:
            base = _base()
            stack.callback(shutil.rmtree, base, ignore_errors=True)
            return stack.enter_context(Cluster(base, images=images, **options))  # type: ignore[arg-type]

        yield make


@pytest.fixture
def reached(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The shared cluster with this process's ssh_config pointing at it."""
    from quantgate.cluster import connection

    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(cluster.ssh_config))
    yield cluster
    connection.close_all()
