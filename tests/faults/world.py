"""A user's machine, with all that the main job needs: two small disks, a model server, and `quantgate serve` by stdio."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from . import endpoint, harness
from .client import Server
from .enclosure import KEEP, PLACE, ROOT
from .plan import Plan

DISK = "64m"
PORT = 8080
BASELINE, CANARIED = "baseline", "canaried"
ENDPOINT_SECONDS = 0.25
"""What the model server takes to come up on a quiet machine."""
KEY_VARIABLE = "ENDPOINT_KEY"
_PASSED = ("PATH", "LANG", "COVERAGE_PROCESS_START")


class World:
    """The machine; use it as a context manager, inside an enclosure.

    Args:
        plan: Says how fast the model server is, and where the job starts.
        base: Where its directories are made.
        keys: The person's keys; those of the campaign for none.
    """

    settle_seconds = 3.0
    """After the end of a fault what it was may still not be known for so long."""
    slack_seconds = 0.0
    """What a tool tells may be so old."""

    def __init__(self, plan: Plan, base: Path = PLACE / "w", keys: Mapping[str, str] | None = None) -> None:
        self.plan = plan
        self.base = base
        self.state, self.results = self.base / "state", self.base / "results"
        self.work, self.home, self.tmp = self.base / "work", self.base / "home", self.base / "tmp"
        self.config = self.work / "eval.yaml"
        self.asked = self.base / "endpoint.log"
        self.server_log = self.base / "server.log"
        self.cache = Path(os.environ.get("QUANTGATE_TEST_CACHE", Path.home() / ".cache" / "quantgate-tests"))
        self.canaried = KEEP / CANARIED
        self.secrets = dict(keys) if keys else canary_secrets()
        self.point = ""
        self.pace = 1.0
        self.endpoint: subprocess.Popen[bytes] | None = None
        self.server: Server | None = None
        self.servers: list[Server] = []

    def __enter__(self) -> World:
        for folder in (self.base, self.state, self.results, self.work, self.home, self.tmp):
            folder.mkdir(mode=0o755)
        for disk in (self.state, self.results):
            self._mount(disk)
        if self.plan.harness != "real":
            self._install_stand_in()
        began = time.monotonic()
        self.start_endpoint()
        # How much slower than a quiet machine this one is: the moments of a plan move with it.
        self.pace = min(8.0, max(1.0, (time.monotonic() - began) / ENDPOINT_SECONDS))
        if self.plan.start == "run":
            self._continue()
        self.config.write_text(yaml.safe_dump(self.configuration(), sort_keys=False), encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            if server.running:
                server.process.kill()
                server.process.wait()
        self.kill_endpoint()
        for disk in (self.state, self.results):
            subprocess.run(["umount", "-l", str(disk)], check=False, capture_output=True)

    def _continue(self) -> None:
        """Take up what a job has left whose canary passed: the same paths, and the keys of the same person."""
        for folder in (self.state, self.results):
            shutil.copytree(self.canaried / folder.name, folder, dirs_exist_ok=True, symlinks=True)

    def _install_stand_in(self) -> None:
        """A cache of its own, in which the environment of ifbench has the stand-in as its program."""
        shared, own = self.cache, self.base / "cache"
        for installed in (shared / "harnesses").glob(
            f"ifbench-py{sys.version_info[0]}.{sys.version_info[1]}-*[0-9a-f]"
        ):
            program = own / "harnesses" / installed.name / "bin" / "nemo-evaluator"
            (program.parents[1] / "lib" / "python3" / "site-packages").mkdir(parents=True)
            program.parent.mkdir()
            words = [sys.executable, "-IS", harness.__file__, str(KEEP)]
            program.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n', "utf-8")
            program.chmod(0o755)
        for file in shared.glob("catalogue-*"):
            (own / file.name).symlink_to(file)
        self.cache = own

    def keep_canaried(self) -> None:
        """Keep what the job has left so far, once: its canary has passed."""
        if self.canaried.exists():
            return
        for folder in (self.state, self.results):
            shutil.copytree(folder, self.canaried / folder.name, symlinks=True)

    def _mount(self, place: Path) -> None:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", str(place)]
        subprocess.run(mount, check=True, capture_output=True, timeout=20)

    @property
    def environment(self) -> dict[str, str]:
        """What the server is started with: a person's, with both keys in it."""
        passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
        return {
            **passed,
            "QUANTGATE_CACHE": str(self.cache),
            **self.secrets,
            "HOME": str(self.home),
            "USER": "somebody",
            "TMPDIR": str(self.tmp),
            "QUANTGATE_HOME": str(self.state),
            "NEMO_EVALUATOR_EXEC_DB_FILE": str(self.state / "exec-db" / "exec.v1.jsonl"),
            "NEMO_EVALUATOR_TELEMETRY_LEVEL": "0",
        }

    def configuration(self) -> dict[str, Any]:
        """The launcher config of the job."""
        return {
            "defaults": [{"execution": "local"}, {"deployment": "none"}, "_self_"],
            "execution": {"type": "process", "output_dir": str(self.results / "runs")},
            "target": {"api_endpoint": self.target()},
            "evaluation": evaluation(),
        }

    def target(self) -> dict[str, str]:
        """The endpoint in a config."""
        url = f"http://127.0.0.1:{PORT}/v1/chat/completions"
        return {"model_id": endpoint.MODEL_ID, "url": url, "api_key_name": KEY_VARIABLE}

    def start_server(self) -> Server:
        """Start a server; the first one with the point of the plan, if it has one."""
        env = self.environment
        if self.point:
            env["QUANTGATE_FAULT"], self.point = self.point, ""
        self.server = Server(env, self.work, self.server_log)
        self.servers.append(self.server)
        return self.server

    def start_endpoint(self) -> None:
        """Start the model server and wait until it listens."""
        argv = [
            sys.executable,
            "-P",
            str(Path(endpoint.__file__)),
            str(PORT),
            str(self.plan.answer_seconds),
            str(self.asked),
        ]
        self.start_model_server(argv)

    def start_model_server(self, argv: list[str]) -> None:
        """Start this command and wait until its port is open; nothing when two faults overlap and it is up again already."""
        if self.endpoint is not None and self.endpoint.poll() is None:
            return
        with (self.base / "model.log").open("ab") as log:
            self.endpoint = subprocess.Popen(
                argv,
                env={"PATH": os.environ["PATH"], KEY_VARIABLE: self.secrets[KEY_VARIABLE]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.endpoint.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", PORT), timeout=1):
                return
            time.sleep(0.05)
        raise AssertionError("the model server did not come up")

    def kill_endpoint(self) -> None:
        """End the model server at once."""
        if self.endpoint is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.endpoint.pid, signal.SIGKILL)
            self.endpoint.wait()

    def exit_code(self, task: Path, *, alive: bool) -> int | None:
        """The exit record of a task; None while there is none.

        Args:
            task: Its directory.
            alive: Whether a process of its run was seen.
        """
        try:
            return int((task / "logs" / "stage.exit").read_text("utf-8").split()[-1])
        except (OSError, ValueError, IndexError):
            return None

    def start_daemon(self, name: str) -> None:
        """Start a daemon of the cluster that is down; there is no cluster here."""
        raise NotImplementedError(name)

    def resume_node(self) -> None:
        """Give the cluster's node free again; there is no cluster here."""
        raise NotImplementedError

    def kill_daemon(self, name: str) -> None:
        """Kill a daemon of the cluster; there is no cluster here."""
        raise NotImplementedError(name)

    def end_sessions(self) -> None:
        """Kill every connection to the cluster; there is no cluster here."""
        raise NotImplementedError

    def jobs(self) -> dict[str, str]:
        """The invocation of each scheduler's job that ever began; none here."""
        return {}

    def queued(self) -> set[str]:
        """The invocations of which the scheduler has a job, whatever its state; none here."""
        return set()

    @property
    def searched(self) -> list[Path]:
        """Where the product and what it starts may write."""
        return [self.base, *([Path("/tmp")] if self.base.is_relative_to(PLACE) else [])]

    def own_pids(self) -> set[int]:
        """The processes that are none of the product's."""
        return {1, os.getpid(), *([self.endpoint.pid] if self.endpoint else [])}

    def run_directories(self) -> list[Path]:
        """The directories of all launches, on whatever machine."""
        return sorted((self.results / "runs").glob("*_*-*")) if (self.results / "runs").is_dir() else []


def has_results(task: Path) -> bool:
    """Whether nemo-evaluator has written the results of a task."""
    return (task / "artifacts" / "results.yml").is_file()


def canary_secrets() -> dict[str, str]:
    """The keys of the person whose machine it is; one pair for a campaign, because some jobs go on where others stopped.

    They stand in a file of mode 0600 outside all worlds: whatever else has one of them got it from the product.
    """
    file = KEEP / "secrets.json"
    if not file.exists():
        made = {KEY_VARIABLE: f"nvapi-{secrets.token_hex(24)}", "HF_TOKEN": f"hf_{secrets.token_hex(17)}"}
        with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as opened:
            json.dump(made, opened)
    values: dict[str, str] = json.loads(file.read_text("utf-8"))
    return values


def evaluation() -> dict[str, Any]:
    """The `evaluation` section: the key comes from the environment of whoever launches."""
    params = {"max_new_tokens": 64, "parallelism": 2, "temperature": 0.0, "max_retries": 3, "request_timeout": 60}
    return {
        "env_vars": {KEY_VARIABLE: f"host:{KEY_VARIABLE}", "HF_TOKEN": "host:HF_TOKEN"},
        "nemo_evaluator_config": {"config": {"params": params}},
        "tasks": [{"name": "ifbench.ifbench"}],
    }
