"""Podman as `docker`, the two images, and tool servers that find them."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from quantgate.demo.small_model import Endpoint
from tests.conftest import SHARED_CACHE
from tests.requirements import require

from . import images
from .engine import Engine, prepare

LOCK_SECONDS = 400

COMMON = """\
defaults:
  - execution: local
  - deployment: {deployment}
  - _self_
execution:
  output_dir: {output}
  extra_docker_args: {docker}
  endpoint_readiness_timeout: 120
evaluation:
  env_vars:
    DUMMY_API_KEY: host:DUMMY_API_KEY
  nemo_evaluator_config:
    config:
      params:
        max_new_tokens: 32
        parallelism: 4
        temperature: 0.0
        request_timeout: 120
        max_retries: 1
  tasks:
    - name: ifbench.ifbench
"""
TARGET = """\
target:
  api_endpoint:
    model_id: {model}
    url: {url}
    api_key_name: DUMMY_API_KEY
quantgate:
  checkpoint: {weights}
"""
DEPLOYMENT = """\
deployment:
  image: {image}
  command: {command} /checkpoint --port {port} --served-model-name small
  port: {port}
  served_model_name: small
  checkpoint_path: {weights}
target:
  api_endpoint:
    api_key_name: DUMMY_API_KEY
"""


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The container engine of these tests; one session at a time uses its storage, and nothing is left running."""
    folder = SHARED_CACHE / "containers"
    folder.mkdir(parents=True, exist_ok=True)
    found, reason = prepare(folder)
    require(found is not None, reason)
    assert found is not None
    lock = FileLock(folder / "session.lock")
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        require(False, f"another session uses {folder} since {LOCK_SECONDS} s")
    # What a killed session left behind.
    found.remove(found.present())
    yield found
    found.remove(found.present())
    lock.release()


@pytest.fixture(scope="session")
def harness_image(engine: Engine, harness: Path) -> str:
    """The tag of the harness's image, built on the first use."""
    return _built(engine, lambda: images.harness_image(engine, harness))


@pytest.fixture(scope="session")
def server_image(engine: Engine, weights: Path) -> str:
    """The tag of the model server's image, built on the first use."""
    return _built(engine, lambda: images.server_image(engine))


@pytest.fixture(scope="session")
def foreign_image(engine: Engine) -> str:
    """An image with nothing in it for a processor that this machine has not."""
    return images.foreign_image(engine)


def _built(engine: Engine, build: Callable[[], str]) -> str:
    try:
        tag = build()
    except (OSError, subprocess.SubprocessError) as error:
        require(False, f"a container image could not be built: {error}")
        raise
    tried = engine.run("run", "--rm", tag, "true")
    require(tried.returncode == 0, f"podman cannot run a container here: {tried.stderr.strip()[-300:]}")
    return tag


@pytest.fixture
def container_server(engine: Engine, new_server: Any) -> Iterator[Any]:
    """Makes tool servers that find the engine as `docker`; containers that a test leaves are ended after it."""
    yield lambda **extra: new_server(**{**engine.env, **extra})
    engine.remove(engine.present())


@pytest.fixture
def endpoint_config(endpoint: Endpoint, harness_image: str, tmp_path: Path) -> Path:
    """A config of the docker executor for the model that is served on this machine."""
    path = tmp_path / "eval.yaml"
    path.write_text(
        COMMON.format(output=tmp_path / "results", deployment="none", docker="--network=host")
        + TARGET.format(model=endpoint.model_id, url=endpoint.url, weights=endpoint.weights),
        encoding="utf-8",
    )
    return path


@pytest.fixture
def deployment_config(harness_image: str, server_image: str, weights: Path, tmp_path: Path) -> Path:
    """A config of the docker executor that serves the model in a container of its own."""
    path = tmp_path / "eval.yaml"
    port = free_port()
    path.write_text(
        COMMON.format(output=tmp_path / "results", deployment="generic", docker="''")
        + DEPLOYMENT.format(image=server_image, command=images.SERVER_COMMAND, port=port, weights=weights),
        encoding="utf-8",
    )
    return path


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
