"""What is told, and what is left, when something ends a run in containers before its time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from .driving import KEY, begun, ended, passed_dry_run

# The first test may have to install the harness and to build the images.
pytestmark = [pytest.mark.network, pytest.mark.timeout(900)]
MANY = 40
"""Samples that take the small model twenty seconds or more: enough to step in between."""

FEW = 16
"""The same for a run that goes on to its end."""


def _started(server: Any, config: Path, samples: int = MANY) -> dict[str, Any]:
    """A canary whose first answers are there."""
    passed_dry_run(server, str(config))
    launched = server.call("canary", config=str(config), samples=samples)
    return begun(server, launched["invocation_id"])


def test_a_harness_container_that_is_killed_makes_the_run_interrupted_and_not_failed(
    container_server: Any, endpoint_config: Path, engine: Any
) -> None:
    server = container_server(DUMMY_API_KEY=KEY)
    run = _started(server, endpoint_config)
    (client,) = engine.running()
    assert engine.run("kill", client).returncode == 0
    run = ended(server, run["invocation_id"])
    assert run["state"] == "interrupted", run
    assert "exit code 137 (SIGKILL" in run["tasks"][0]["reason"]
    assert not run["gate"]["passed"]
    assert server.call("verify_run", run=run["invocation_id"])["verdict"] == "incomplete"
    assert engine.present() == []


def test_a_model_server_that_is_killed_never_gives_a_passed_canary(
    container_server: Any, deployment_config: Path, engine: Any
) -> None:
    server = container_server(DUMMY_API_KEY=KEY)
    run = _started(server, deployment_config)
    (model,) = [name for name in engine.running() if name.startswith("server-")]
    assert engine.run("kill", model).returncode == 0
    run = ended(server, run["invocation_id"])
    assert run["state"] in {"failed", "interrupted"}, run
    assert not run["gate"]["passed"]
    assert run["tasks"][0]["reason"], run
    # Podman keeps the dead one while the harness's container shares its network, and NEL's script forgets it.
    assert engine.running() == []


def test_a_model_server_that_never_gets_ready_fails_and_cancel_ends_what_nel_leaves(
    container_server: Any, deployment_config: Path, engine: Any
) -> None:
    server = container_server(DUMMY_API_KEY=KEY)
    config = str(deployment_config)
    server.call(
        "edit_config",
        config=config,
        set=["deployment.endpoints.health=/no-such-path", "execution.endpoint_readiness_timeout=5"],
    )
    passed_dry_run(server, config)
    run = ended(server, server.call("canary", config=config, samples=1)["invocation_id"])
    assert run["state"] == "failed", run
    assert "Health check timeout after 5s" in run["tasks"][0]["reason"]
    # NEL 0.2.6 leaves the server's container running then, with all the GPUs that it holds.
    assert "a container of it may live on, which cancel ends" in run["tasks"][0]["reason"]
    assert [name.split("-2")[0] for name in engine.running()] == ["server-ifbench.ifbench"]
    cancelled = server.call("cancel", invocation_id=run["invocation_id"])
    assert cancelled["still_running"] == []
    assert engine.present() == []


def test_cancel_ends_both_containers_and_the_script(
    container_server: Any, deployment_config: Path, engine: Any
) -> None:
    server = container_server(DUMMY_API_KEY=KEY)
    run = _started(server, deployment_config)
    script = _script(run)
    assert len(engine.running()) == 2
    cancelled = server.call("cancel", invocation_id=run["invocation_id"])
    assert [row["task"] for row in cancelled["cancelled"]] == ["ifbench.ifbench.0"]
    assert cancelled["still_running"] == []
    assert engine.present() == []
    assert not script.is_running() or script.status() == psutil.STATUS_ZOMBIE
    (row,) = server.call("status", invocation_ids=[run["invocation_id"]])["runs"]
    assert row["state"] == "cancelled", row


def test_a_run_whose_script_is_killed_is_running_while_its_container_is_and_is_taken_up_once_that_is_ended(
    container_server: Any, endpoint_config: Path, engine: Any
) -> None:
    server = container_server(DUMMY_API_KEY=KEY)
    run = _started(server, endpoint_config, FEW)
    script = _script(run)
    family = [script, *script.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)
    (row,) = server.call("status", invocation_ids=[run["invocation_id"]])["runs"]
    # The container goes on by itself: the engine's, not the script's, child.
    assert len(engine.running()) == 1
    assert row["state"] == "running", row
    assert "no exit record will come" in row["tasks"][0]["reason"]
    assert server.call("resume", invocation_id=run["invocation_id"])["resumed"] == []
    assert server.call("cancel", invocation_id=run["invocation_id"])["still_running"] == []
    assert engine.present() == []
    resumed = server.call("resume", invocation_id=run["invocation_id"])
    assert resumed["refused"] == []
    run = ended(server, run["invocation_id"], seconds=300)
    assert run["state"] == "succeeded", run
    verified = server.call("verify_run", run=run["invocation_id"])
    assert verified["verdict"] == "valid", verified
    assert verified["tasks"][0]["samples_scored"] == FEW
    assert engine.present() == []


def _script(run: dict[str, Any]) -> psutil.Process:
    """The process of NEL's script."""
    record = json.loads((Path(run["run_dir"]) / "script.json").read_text(encoding="utf-8"))
    return psutil.Process(record["pid"])
