"""tiny_chat with an IFBench task, really run: the small model, the real harness, both gates, and the run followed to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from quantgate.demo.small_model import Endpoint
from quantgate.tools.verify_run import verify_run

SAMPLES = 4

pytestmark = pytest.mark.network


def test_tiny_chat_runs_through_both_gates_to_a_valid_score(endpoint: Endpoint, harness: Path, tmp_path: Path) -> None:
    (tmp_path / "env.toml").write_text('[here]\nexecutor = "process"\n')
    params = "evaluation.nemo_evaluator_config.config.params"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "quantgate", "eval", "model_eval", "-c", "tiny_chat", "--run", "here"),
            "execution.type=${run.env.executor}",
            f"target.api_endpoint.url={endpoint.url}",
            f"target.api_endpoint.model_id={endpoint.model_id}",
            "target.api_endpoint.api_key_name=DUMMY_API_KEY",
            "evaluation.tasks=[{name: ifbench.ifbench}]",
            f"{params}.limit_samples={SAMPLES}",
            f"{params}.max_new_tokens=48",
        ],
        cwd=tmp_path,
        env={**os.environ, "DUMMY_API_KEY": "dummy"},
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    invocation = lines["launcher_invocation_id"]
    assert lines["status_command"] == f"quantgate watch {invocation}"
    assert "execution" in yaml.safe_load(Path(lines["launcher_config"]).read_text())
    assert "the canary: passed" in done.stderr
    verified = verify_run(run=invocation)
    assert verified.verdict == "valid"
    assert verified.subset is not None
