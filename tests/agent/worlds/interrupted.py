"""The world of `endpoint` in which a full run was started through the gates and ended by a time limit when a part was done.

The gates and the run are real, and so is the end: the runner gets the SIGTERM that a time limit sends.

Further option: answers (how many the endpoint gives before it falls silent, those of the canary among them).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..world import World, base_env
from . import endpoint

SECONDS = 120.0
LIVE = {"pending", "running", "resuming"}


def build(directory: Path, options: dict[str, Any]) -> World:
    """Make the workstation, start the run and end it."""
    awake = directory / "world" / "awake"
    silent = {"hang_after": int(options.get("answers", 120)), "awake": str(awake)}
    world = endpoint.build(directory, {**options, "endpoint": {**options.get("endpoint", {}), **silent}})
    config = world.facts["config"]
    env = {**base_env(directory), **world.env}

    def call(tool: str, **arguments: Any) -> dict[str, Any]:
        argv = [sys.executable, "-m", "quantgate", "call", tool, json.dumps(arguments)]
        done = subprocess.run(argv, env=env, cwd=directory / "work", capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{tool}: {done.stderr}"
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def until(invocation_id: str, ended: Any) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS
        while True:
            (run,) = call("status", invocation_ids=[invocation_id], wait_seconds=2)["runs"]
            if ended(run):
                return dict(run)
            assert time.monotonic() < deadline, run

    call("dry_run", config=config)
    canary = call("canary", config=config, samples=10)["invocation_id"]
    until(canary, lambda run: run["state"] not in LIVE)
    run = call("run", config=config)
    stats = Path(until(run["invocation_id"], lambda row: row["run_dir"])["run_dir"])
    _wait_for_silence(directory, int(str(silent["hang_after"])))
    os.kill(_runner(stats), signal.SIGTERM)
    until(run["invocation_id"], lambda row: row["state"] not in LIVE)
    awake.touch()
    return replace(world, facts={**world.facts, "run": str(run["invocation_id"])})


def _runner(run_dir: Path) -> int:
    return int(json.loads((run_dir / "runner.json").read_text("utf-8"))["pid"])


def _wait_for_silence(directory: Path, answers: int) -> None:
    """Until the endpoint has given all that it gives for now."""
    count = directory / "world" / "endpoint.asked"
    deadline = time.monotonic() + SECONDS
    while not count.exists() or int(count.read_text("utf-8") or 0) <= answers:
        assert time.monotonic() < deadline, "the run does not ask the endpoint"
        time.sleep(0.2)
    time.sleep(1.0)
