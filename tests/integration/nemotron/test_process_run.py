"""tiny_chat with an IFBench task, really run: the small model, the real harness, both gates, and the run followed to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from quantgate.demo.small_model import Endpoint
from quantgate.gates.views import waiting
from quantgate.runs.invocation import LIVE
from quantgate.tools.verify_run import verify_run

SAMPLES = 4

pytestmark = pytest.mark.network


def _command(endpoint: Endpoint, folder: Path, samples: int) -> list[str]:
    (folder / "env.toml").write_text('[here]\nexecutor = "process"\n')
    params = "evaluation.nemo_evaluator_config.config.params"
    return [
        *(sys.executable, "-m", "quantgate", "eval", "model_eval", "-c", "tiny_chat", "--run", "here"),
        "execution.type=${run.env.executor}",
        f"target.api_endpoint.url={endpoint.url}",
        f"target.api_endpoint.model_id={endpoint.model_id}",
        "target.api_endpoint.api_key_name=DUMMY_API_KEY",
        "evaluation.tasks=[{name: ifbench.ifbench}]",
        f"{params}.limit_samples={samples}",
        f"{params}.max_new_tokens=48",
    ]


def test_tiny_chat_runs_through_both_gates_to_a_valid_score(endpoint: Endpoint, harness: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        _command(endpoint, tmp_path, SAMPLES),
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


def test_ctrl_c_ends_the_waiting_and_not_the_run(endpoint: Endpoint, harness: Path, tmp_path: Path) -> None:
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            _command(endpoint, tmp_path, SAMPLES),
            cwd=tmp_path,
            env={**os.environ, "DUMMY_API_KEY": "dummy"},
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,  # as a terminal does: Ctrl-C reaches the whole group
        )
    assert process.stdout is not None
    with process.stdout:
        lines = {}
        for line in process.stdout:
            name, _, value = line.strip().partition(": ")
            lines[name] = value
            if name == "logs_command":
                break
        time.sleep(2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 130
    invocation = lines["launcher_invocation_id"]
    last = (tmp_path / "said").read_text().splitlines()[-1]
    assert f"the run {invocation} goes on" in last
    assert f"quantgate watch {invocation}" in last
    deadline = time.monotonic() + 300
    while (state := waiting.until_final([invocation], 30)[0].state) in LIVE and time.monotonic() < deadline:
        pass
    assert state == "succeeded"
