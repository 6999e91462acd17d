"""The main job on a machine with another secret in every place: none of them turns up where it does not belong.

The endpoint is a stand-in that repeats the key it is given in every answer. NEL, the harness and the server are the real ones.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.launcher import process_control
from tests import secrets_search
from tests.integration.conftest import ToolServer, harness  # noqa: F401 - a fixture
from tests.integration.stand_in import MODEL_ID
from tests.security import audit
from tests.server.http_server import post, serving

SECONDS = 300
LIVE = {"pending", "running", "resuming"}
EXAMPLE = Path(__file__).parents[2] / "recipes" / "examples" / "ifbench_process.yaml"


class Recorded(ToolServer):
    """Keeps every answer, as text."""

    def __init__(self, env: dict[str, str], cwd: Path, stderr: int) -> None:
        self.answers: list[tuple[str, str]] = []
        super().__init__(env, cwd, stderr)

    def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        answer = super()._ask(method, params)
        self.answers.append(
            (f"{method} {params.get('name') or params.get('uri') or ''}", json.dumps(answer, ensure_ascii=False))
        )
        return answer

    def tried(self, tool: str, **arguments: Any) -> None:
        """Call a tool whose refusal is as good as a result."""
        self._ask("tools/call", {"name": tool, "arguments": arguments})

    def ended(self, invocation: str) -> dict[str, Any]:
        """Wait for a run."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            (run,) = self.call("status", invocation_ids=[invocation], wait_seconds=20)["runs"]
            if run["state"] not in LIVE:
                return dict(run)
        raise AssertionError(f"{invocation} did not end within {SECONDS} s")


@dataclass
class Played:
    """What there is to look at after the job."""

    machine: audit.Machine
    answers: list[tuple[str, str]] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    watch: audit.Watch | None = None
    token: str = ""


def _config(work: Path, url: str) -> Path:
    config = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    config["execution"]["output_dir"] = str(work / "results")
    config["target"]["api_endpoint"] = {"model_id": MODEL_ID, "url": url, "api_key_name": audit.KEY}
    config["evaluation"]["env_vars"] = {audit.KEY: f"host:{audit.KEY}"}
    params = config["evaluation"]["nemo_evaluator_config"]["config"]["params"]
    params.update({"max_new_tokens": 64, "parallelism": 2, "max_retries": 1})
    path = work / "eval.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def _main_job(server: Recorded, config: Path) -> list[str]:
    named = {"config": str(config)}
    server.call("check_environment", **named)
    server.tried("check_environment", host="nobody@login.invalid")
    server.call("check_config", **named)
    server.tried("edit_config", **named, set=["evaluation.nemo_evaluator_config.config.params.temperature=0.1"])
    assert server.call("dry_run", **named)["passed"]
    canary = server.call("canary", **named, samples=2)["invocation_id"]
    states = [server.ended(canary)["state"]]
    server.tried("run", **named, max_samples=3)
    (run, *_) = [r for r in server.call("status")["runs"] if r["kind"] != "canary"] or [{"invocation_id": canary}]
    states.append(server.ended(run["invocation_id"])["state"])
    for invocation in (canary, run["invocation_id"]):
        server.tried("logs", invocation_id=invocation, lines=200)
        server.tried("grep_slurm_logs", invocation_id=invocation, pattern="key")
        server.tried("verify_run", run=invocation)
        server.tried("resume", invocation_id=invocation)
        server.tried("cancel", invocation_id=invocation)
    server.tried("compare_runs", baseline=run["invocation_id"], candidate=run["invocation_id"])
    server.tried("compare_runs", baseline="mlflow:0123456789abcdef0123456789abcdef", candidate=canary)
    for uri in [r["uri"] for r in server._ask("resources/list", {}).get("resources", [])][:20]:
        server._ask("resources/read", {"uri": uri})
    return states


def _nemotron(machine: audit.Machine, config: Path) -> tuple[str, str]:
    """`quantgate eval`, whose snapshots are files of their own."""
    recipe = yaml.safe_load(config.read_text(encoding="utf-8"))
    recipe.pop("defaults")
    recipe["deployment"] = {"type": "none"}
    place = machine.work / "nemotron"
    place.mkdir()
    (place / "eval.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "quantgate", "eval", "--config", "eval.yaml", "--dry-run"],
        cwd=place, env=machine.environment(), capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return "quantgate eval", done.stdout + done.stderr


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, harness: Path) -> Iterator[Played]:  # noqa: F811 - the fixture
    machine = audit.make(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("work"))
    done = Played(machine)
    stderr = machine.work / "stderr"
    old = os.umask(0o022)
    try:
        with audit.endpoint() as url, audit.Watch(machine) as done.watch, stderr.open("wb") as said:
            config = _config(machine.work, url)
            server = Recorded(machine.environment(), machine.work, said.fileno())
            try:
                done.states = _main_job(server, config)
            finally:
                server.close()
                done.answers = server.answers
            done.answers.append(_nemotron(machine, config))
            _http(done)
        yield done
    finally:
        os.umask(old)
        for run in (machine.work / "results").glob("*/runner.json"):
            process_control.stop(run.parent)
        shutil.rmtree(machine.work, ignore_errors=True)


def _http(done: Played) -> None:
    machine = done.machine
    file = machine.work / "tokens"
    made = subprocess.run(
        [sys.executable, "-m", "quantgate", "http-token", "somebody", "--file", str(file)],
        env=machine.environment(), capture_output=True, text=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    done.token = made.stdout.strip()
    machine.values["http token"] = done.token
    done.answers.append(("http-token, standard error", made.stderr))
    folder = machine.work / "http"
    folder.mkdir()
    with serving(folder, "--tokens-file", str(file), **machine.environment()) as server:
        for token in (done.token, "wrong-" + done.token):
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "status", "arguments": {}}}
            done.answers.append(
                ("http", str(post(server.url, json.dumps(body).encode(), Authorization=f"Bearer {token}")))
            )


pytestmark = pytest.mark.network


def test_the_job_was_done_and_its_key_was_used(played: Played) -> None:
    assert played.states == ["succeeded", "succeeded"], [a for place, a in played.answers if " logs" in place]
    key = {audit.KEY: played.machine.values[audit.KEY]}
    seen = list(secrets_search.in_files([played.machine.work / "results"], key))
    assert seen, "the endpoint repeats the key: the search must find it in the harness's own files"


def test_no_secret_is_in_any_answer_or_log(played: Played) -> None:
    texts = [*played.answers, ("standard error", (played.machine.work / "stderr").read_text(encoding="utf-8"))]
    texts.append(("http's standard error", (played.machine.work / "http" / "stderr").read_text(encoding="utf-8")))
    found = [s for place, t in texts for s in secrets_search.in_bytes(t.encode(), played.machine.values, place)]
    assert found == []
    assert len(texts) > 20


def test_secrets_are_in_files_of_their_owner_only(played: Played) -> None:
    places = [played.machine.home, played.machine.work]
    found = list(secrets_search.in_files(places, played.machine.values))
    assert [s for s in found if not s.private] == []
    # Where nothing but the user's own files and what the endpoint said may hold one.
    ours = [s for s in found if str(played.machine.home / "quantgate") in s.place]
    assert ours == []
    unnamed = [s for s in found if s.name not in (audit.KEY, "netrc", "ssh key", "other .env")]
    assert unnamed == []


def test_no_process_title_shows_a_secret(played: Played) -> None:
    assert played.watch is not None
    assert played.watch.titles == set()


def test_a_harness_gets_the_keys_of_its_config_and_no_other(played: Played) -> None:
    assert played.watch is not None
    assert played.watch.harness, "no process of the harness was seen"
    # It may have to go through the proxy, whose address is passed on.
    seen = {name for names in played.watch.harness.values() for name in names}
    assert audit.KEY in seen
    assert seen <= {audit.KEY, "proxy password"}
