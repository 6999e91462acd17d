"""Progress of a real run: the counts of `status` while the real harness asks the real model, and `quantgate watch` beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from quantgate.demo.small_model import Endpoint
from quantgate.launcher import process_control

SAMPLES = 8

pytestmark = pytest.mark.network


def test_the_samples_of_a_real_run_are_counted_as_they_are_answered(
    new_server: Any, config: Path, endpoint: Endpoint, tmp_path: Path
) -> None:
    server = new_server()
    server.call(
        "edit_config",
        config=str(config),
        model=str(endpoint.weights),
        set=[
            f"target.api_endpoint.url={endpoint.url}",
            f"target.api_endpoint.model_id={endpoint.model_id}",
            f"execution.output_dir={tmp_path / 'results'}",
            "evaluation.nemo_evaluator_config.config.params.max_new_tokens=24",
            "evaluation.nemo_evaluator_config.config.params.parallelism=2",
        ],
    )
    assert server.call("dry_run", config=str(config))["passed"]
    invocation = server.call("canary", config=str(config), samples=SAMPLES)["invocation_id"]
    watching = subprocess.Popen(
        [sys.executable, "-m", "quantgate", "watch", invocation],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    seen: list[dict[str, Any]] = []
    deadline = time.monotonic() + 420
    run: dict[str, Any] = {"state": "pending", "run_dir": str(tmp_path)}
    try:
        while run["state"] in {"pending", "running"}:
            (run,) = server.call("status", invocation_ids=[invocation], wait_seconds=1)["runs"]
            seen += run["tasks"]
            assert time.monotonic() < deadline, seen[-1]
    finally:
        process_control.stop(Path(run["run_dir"]))
    told, _ = watching.communicate(timeout=60)

    assert run["state"] == "succeeded", run
    counts = [task["samples_done"] for task in seen if task["samples_done"] >= 0]
    assert counts == sorted(counts), "a count never goes back"
    assert counts[-1] == SAMPLES
    assert any(0 < count < SAMPLES for count in counts), counts
    assert all(task["samples_done"] <= task["samples_expected"] for task in seen if task["samples_expected"] > 0)
    assert {task["samples_expected"] for task in seen if task["samples_done"] > 0} == {SAMPLES}
    assert any(task["eta_seconds"] > 0 for task in seen)
    assert all(task["eta_seconds"] < 420 for task in seen)
    assert seen[-1]["eta_seconds"] == -1

    assert invocation in told.splitlines()[0]
    assert any(f"/{SAMPLES}" in line and "running" in line for line in told.splitlines())
    assert "succeeded" in told.splitlines()[-1]
    assert watching.returncode == (0 if run["gate"]["passed"] else 1)
