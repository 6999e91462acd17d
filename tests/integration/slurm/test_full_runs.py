"""Full NEL jobs on a real cluster, from PENDING to a real score: the real harness, the real model, the gates, the verdict."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from quantgate.demo.small_model import Endpoint

from . import slurm_config
from .cluster import Cluster

SAMPLES = 5
CANARY_SAMPLES = 3
END_SECONDS = 420

pytestmark = pytest.mark.network


def _until_final(server: Any, invocation_id: str) -> dict[str, Any]:
    """The run at its end."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        (run,) = server.call("status", invocation_ids=[invocation_id], wait_seconds=20)["runs"]
        if run["state"] not in {"pending", "running", "resuming"}:
            return dict(run)
    raise AssertionError(f"{invocation_id} did not end within {END_SECONDS} s")


def _from_the_gates_to_the_score(server: Any, config: Path, cluster: Cluster) -> dict[str, Any]:
    assert "dry run was not made" in server.refusal("run", config=str(config))
    dry = server.call("dry_run", config=str(config))
    assert (dry["passed"], dry["jobs"][0]["gpus"]) == (True, 1)
    canary = server.call("canary", config=str(config), samples=CANARY_SAMPLES)
    assert canary["state"] in {"pending", "running"}
    seen = _until_final(server, canary["invocation_id"])
    assert seen["state"] == "succeeded", seen
    assert seen["gate"]["passed"], (seen["reason"], seen["gate"]["reasons"])
    launched = server.call("run", config=str(config), max_samples=SAMPLES)
    assert launched["kind"] == "subset"
    # One GPU for a walltime of 20 minutes on top of the hour that the chain may take.
    assert launched["gpu_hours_at_most"] == pytest.approx(4 / 3, abs=0.001)
    again = server.call("run", config=str(config), max_samples=SAMPLES)
    assert again["invocation_id"] == launched["invocation_id"]
    ended = _until_final(server, launched["invocation_id"])
    assert ended["state"] == "succeeded", ended
    assert len(cluster.checked("squeue", "-h", "-o", "%i").split()) == 0
    return ended


def _require_true_score(server: Any, run: dict[str, Any], cluster: Cluster) -> None:
    verified = server.call("verify_run", run=run["invocation_id"])
    assert verified["verdict"] == "valid", verified
    assert verified["subset"] == {"samples": SAMPLES, "of": 294}
    # The cluster's files, not the copies: what a person there would compute.
    (rows,) = (cluster.home / "results").glob(
        f"*-{run['invocation_id']}/ifbench.ifbench.0/artifacts/eval_results_loose.jsonl"
    )
    answers = [json.loads(line) for line in rows.read_text("utf-8").splitlines()]
    score = verified["tasks"][0]["score"]
    assert score["metric"] == "loose:prompt-level"
    assert score["value"] == pytest.approx(sum(a["follow_all_instructions"] for a in answers) / SAMPLES)
    assert len(answers) == SAMPLES
    assert PurePosixPath(str(rows)).is_relative_to(cluster.home)


def test_a_model_behind_an_endpoint_goes_from_pending_to_a_validated_score(
    reached: Cluster, new_server: Any, endpoint: Endpoint, harness: Path, tmp_path: Path
) -> None:
    del harness  # the image of the jobs
    # NEL takes the name of the user here where a config has none; ssh_config says another.
    server = new_server(USER="somebody")
    config = slurm_config.with_endpoint(reached, tmp_path / "eval.yaml", endpoint)
    run = _from_the_gates_to_the_score(server, config, reached)
    _require_true_score(server, run, reached)


def test_a_model_deployed_in_the_job_goes_from_pending_to_a_validated_score(
    reached: Cluster, new_server: Any, weights: Path, harness: Path, tmp_path: Path
) -> None:
    del harness
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = new_server(USER="somebody")
    config = slurm_config.with_server(reached, tmp_path / "eval.yaml", weights, port)
    run = _from_the_gates_to_the_score(server, config, reached)
    _require_true_score(server, run, reached)
