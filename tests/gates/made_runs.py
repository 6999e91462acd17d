"""Real launches of the process executor for tests of what comes after them: the real NEL, a harness of a few lines, no model.

The harness stands for an evaluation that takes as long as the test wants: it notes each start in its task's directory, and goes on
until the file `finish` lies beside the task directories.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import yaml

from quantgate.gates import ledger
from quantgate.gates.judgement import judging
from quantgate.gates.launches import submission
from quantgate.gates.planning import plan
from quantgate.launcher import exporting, harness_env, harnesses, process_control, process_plan

HARNESS = """#!/bin/bash
echo "$$" >> ../starts
echo "begun with key $MY_API_KEY"
[ -e ../stubborn ] && trap '' TERM
[ -e ../fails ] && exit 3
while [ ! -e ../../finish ]; do sleep 0.1; done
"""
_started: list[subprocess.Popen[bytes]] = []
TASKS = ("ifbench.ifbench.0", "ifbench.ifbench.1")


def install_harness(cache: Path) -> None:
    """An environment of ifbench whose evaluation is `HARNESS`."""
    os.environ["QUANTGATE_CACHE"] = str(cache)
    build = harness_env.environments_dir() / "builds" / "made-by-the-test"
    (build / "bin").mkdir(parents=True)
    (build / "bin" / "nemo-evaluator").write_text(HARNESS)
    (build / "bin" / "nemo-evaluator").chmod(0o755)
    (build / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    (harness_env.environments_dir() / harness_env.key(harnesses.require_wheel("ifbench"))).symlink_to(build)


class _Models(BaseHTTPRequestHandler):
    """Stands for a model server: it lists one model and answers nothing else."""

    def do_GET(self) -> None:
        named = self.server.model  # type: ignore[attr-defined]
        rows = [{"id": name} for name in ([named] if isinstance(named, str) else named)]
        data = json.dumps({"data": rows}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def models(name: str = "m") -> Iterator[ThreadingHTTPServer]:
    """A model server on a free port; `server.model` is the name that it lists."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Models)
    server.model = name  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def write_config(folder: Path, port: int, tasks: int = 2) -> Path:
    """A config of a process run of ifbench, as often as wanted."""
    config = {
        "defaults": [{"execution": "local"}, {"deployment": "none"}, "_self_"],
        "execution": {"type": "process", "output_dir": str(folder / "results")},
        "target": {
            "api_endpoint": {
                "url": f"http://127.0.0.1:{port}/v1/chat/completions",
                "model_id": "m",
                "api_key_name": "MY_API_KEY",
            }
        },
        "evaluation": {"env_vars": {"MY_API_KEY": "host:MY_API_KEY"}, "tasks": [{"name": "ifbench.ifbench"}] * tasks},
    }
    path = folder / "eval.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def launch(config: Path, kind: str = "full", limit: int = 0) -> ledger.Attempt:
    """Launch a config without its gates, and wait until its first task runs."""
    attempt = submission.submit(plan.read(str(config)), kind, [], limit, lambda: None).attempt
    until(lambda: starts(directory(attempt), 0) == 1)
    return attempt


def directory(attempt: ledger.Attempt) -> Path:
    """The directory of a launch."""
    return Path(attempt.run_dir)


def starts(invocation: Path, index: int) -> int:
    """How often a task's harness was started."""
    file = invocation / TASKS[index] / "starts"
    return len(file.read_text().split()) if file.exists() else 0


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Look until something holds; a test fails where it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def end_everything(folder: Path) -> None:
    """End every run below a folder: for the end of a test."""
    for record in folder.glob("results/*/runner.json"):
        process_control.stop(record.parent)
    for process in psutil.process_iter():
        if str(folder) in " ".join(_command(process)):
            process.kill()
    while _started:
        _started.pop().wait(timeout=20)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() if process.uids().real == os.getuid() and process.pid != os.getpid() else []
    except psutil.Error:
        return []


def states(attempt: ledger.Attempt) -> list[str]:
    """The states of the tasks as the gates see them."""
    return [t.state for t in judging.look(attempt).tasks]


def start_by_hand(
    folder: Path, commands: Sequence[str], invocation_id: str = "0123456789abcdef", destinations: tuple[str, ...] = ()
) -> ledger.Attempt:
    """A run of these shell commands, one a task, laid out and started as the process executor does, without NEL; in the ledger."""
    invocation = folder / "results" / f"20260102_030405-{invocation_id}"
    tasks = []
    for index, command in enumerate(commands):
        task = invocation / f"ifbench.ifbench.{index}"
        for part in ("logs", "artifacts"):
            (task / part).mkdir(parents=True)
        (task / "command.sh").write_text(command)
        tasks.append(process_plan.PlannedTask("ifbench.ifbench", index, "ifbench", str(task), []))
    process_plan.write_plan(invocation, invocation_id, tasks, exporting.ExportPlan(destinations))
    attempt = ledger.Attempt(
        invocation_id,
        "full",
        "f",
        "/none.yaml",
        "process",
        str(folder / "results"),
        str(invocation),
        outcome="launched",
    )
    ledger.add_attempt(attempt)
    runner = [sys.executable, "-P", "-m", "quantgate.launcher.process_runner", str(invocation)]
    _started.append(subprocess.Popen(runner, start_new_session=True))
    logs = invocation / "ifbench.ifbench.0" / "logs"
    until((logs / "stage.running").exists)
    # The runner says so right before it starts the harness.
    until(lambda: len(process_control.living(invocation)) > 1 or (logs / "stage.exit").exists())
    return attempt
