"""The main job over real stdio: the real harness and the real model, from the checkpoint to a score that is recomputed here."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from quantgate.demo.small_model import Endpoint
from quantgate.launcher import process_control

SAMPLES = 8
CANARY_SAMPLES = 3

pytestmark = pytest.mark.network


def _point_at(server: Any, config: Path, endpoint: Endpoint, tmp_path: Path, max_tokens: int = 48) -> None:
    server.call(
        "edit_config",
        config=str(config),
        model=str(endpoint.weights),
        set=[
            f"target.api_endpoint.url={endpoint.url}",
            f"target.api_endpoint.model_id={endpoint.model_id}",
            f"execution.output_dir={tmp_path / 'results'}",
            f"evaluation.nemo_evaluator_config.config.params.max_new_tokens={max_tokens}",
            "evaluation.nemo_evaluator_config.config.params.parallelism=4",
        ],
    )


def _wait(server: Any, invocation_id: str, seconds: float = 420) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        (run,) = server.call("status", invocation_ids=[invocation_id], wait_seconds=20)["runs"]
        if run["state"] not in {"pending", "running"}:
            return dict(run)
    raise AssertionError(f"{invocation_id} did not end within {seconds} s")


def _pass_canary(server: Any, config: Path) -> None:
    assert server.call("dry_run", config=str(config))["passed"]
    canary = server.call("canary", config=str(config), samples=CANARY_SAMPLES)
    run = _wait(server, canary["invocation_id"])
    assert run["gate"]["passed"], run
    assert run["gate"]["estimate"]["requests"] == 294
    assert run["gate"]["estimate"]["tokens_per_sample"] > 0
    assert run["gate"]["estimate"]["latency_seconds"] > 0
    assert run["gate"]["evidence"] == {"ifbench.ifbench.0": "samples"}
    assert any("parallelism 4 was not tried" in note for note in run["gate"]["notes"])
    assert any("max_new_tokens" in note for note in run["gate"]["notes"])


def test_a_checkpoint_goes_from_the_first_question_to_a_validated_score(
    new_server: Any, config: Path, endpoint: Endpoint, tmp_path: Path
) -> None:
    server = new_server()
    assert server.call("detect_quantization", model=str(endpoint.weights))["algorithm"] == "Q4_K_M"
    _point_at(server, config, endpoint, tmp_path)
    assert server.call("check_config", config=str(config))["ok"]
    assert "dry run was not made" in server.refusal("canary", config=str(config))
    assert "dry run was not made" in server.refusal("run", config=str(config))
    _pass_canary(server, config)

    launched = server.call("run", config=str(config), max_samples=SAMPLES)
    assert (launched["kind"], launched["planned_requests"]) == ("subset", SAMPLES)
    assert 0 < launched["hours_estimated"] < 1
    assert (launched["judge_requests"], launched["gpu_hours_estimated"]) == (0, 0)
    assert any("its score is the subset's" in warning for warning in launched["warnings"])
    run = _wait(server, launched["invocation_id"])
    assert run["state"] == "succeeded", run
    assert run["tasks"][0]["samples_done"] == SAMPLES

    verified = server.call("verify_run", run=launched["invocation_id"])
    assert verified["verdict"] == "valid", verified
    assert verified["subset"] == {"samples": SAMPLES, "of": 294}
    artifacts = Path(run["run_dir"]) / "ifbench.ifbench.0" / "artifacts"
    rows = [json.loads(line) for line in (artifacts / "eval_results_loose.jsonl").read_text().splitlines()]
    assert len(rows) == SAMPLES
    score = verified["tasks"][0]["score"]
    assert score["metric"] == "loose:prompt-level"
    assert score["value"] == pytest.approx(sum(r["follow_all_instructions"] for r in rows) / SAMPLES)
    assert not list(Path("/results").glob("*")) if Path("/results").exists() else True

    changed = server.call(
        "edit_config", config=str(config), set=["evaluation.nemo_evaluator_config.config.params.temperature=0.5"]
    )
    assert "temperature" in changed["diff"]
    refusal = server.refusal("run", config=str(config))
    assert "dry run was not made" in refusal
    assert "changed since the dry run of" in refusal
    assert "config.params.temperature)" in refusal


def test_a_killed_server_loses_no_run_and_the_next_one_tells_its_true_state(
    new_server: Any, config: Path, endpoint: Endpoint, tmp_path: Path
) -> None:
    first = new_server()
    _point_at(first, config, endpoint, tmp_path, max_tokens=64)
    _pass_canary(first, config)
    launched = first.call("run", config=str(config), max_samples=40)
    invocation = launched["invocation_id"]
    first.kill()

    second = new_server()
    (run,) = second.call("status", invocation_ids=[invocation], wait_seconds=0)["runs"]
    assert run["state"] in {"pending", "running"}
    again = second.call("run", config=str(config), max_samples=40)
    assert again["invocation_id"] == invocation
    assert any("already going on" in warning for warning in again["warnings"])
    while run["tasks"][0]["samples_done"] < 1:
        (run,) = second.call("status", invocation_ids=[invocation], wait_seconds=5)["runs"]
        assert run["state"] in {"pending", "running"}, run

    record = json.loads((Path(run["run_dir"]) / "runner.json").read_text())
    family = [psutil.Process(record["pid"]), *psutil.Process(record["pid"]).children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)
    second.kill()

    third = new_server()
    (run,) = third.call("status", invocation_ids=[invocation])["runs"]
    assert run["state"] == "interrupted", run
    assert "ended without an exit record" in run["tasks"][0]["reason"]
    assert third.call("logs", invocation_id=invocation, source="client")["entries"][0]["bytes_total"] > 0
    verified = third.call("verify_run", run=invocation)
    assert verified["verdict"] == "incomplete"
    assert verified["tasks"][0]["score"]["metric"] == ""


def test_a_cancelled_run_ends_with_everything_it_started(
    new_server: Any, config: Path, endpoint: Endpoint, tmp_path: Path
) -> None:
    server = new_server()
    _point_at(server, config, endpoint, tmp_path, max_tokens=64)
    _pass_canary(server, config)
    launched = server.call("run", config=str(config), max_samples=60)
    (run,) = server.call("status", invocation_ids=[launched["invocation_id"]])["runs"]
    record = json.loads((Path(run["run_dir"]) / "runner.json").read_text())
    while run["tasks"][0]["samples_done"] < 1:
        (run,) = server.call("status", invocation_ids=[launched["invocation_id"]], wait_seconds=5)["runs"]
    family = [psutil.Process(record["pid"]), *psutil.Process(record["pid"]).children(recursive=True)]
    assert process_control.stop(Path(run["run_dir"]))
    assert psutil.wait_procs(family, timeout=5)[1] == []
    (run,) = server.call("status", invocation_ids=[launched["invocation_id"]])["runs"]
    assert run["state"] == "cancelled", run


def test_an_endpoint_that_is_down_fails_the_canary_with_the_cause_and_launches_nothing(
    new_server: Any, config: Path, endpoint: Endpoint, tmp_path: Path
) -> None:
    server = new_server()
    _point_at(server, config, endpoint, tmp_path)
    server.call(
        "edit_config", config=str(config), set=["target.api_endpoint.url=http://127.0.0.1:9/v1/chat/completions"]
    )
    assert server.call("dry_run", config=str(config))["passed"]
    started = time.monotonic()
    refusal = server.refusal("canary", config=str(config))
    assert "does not answer" in refusal
    assert "nothing was launched" in refusal
    assert time.monotonic() - started < 20
    assert server.call("status")["runs"] == []
    assert not (tmp_path / "results").exists()


class _Refusing(BaseHTTPRequestHandler):
    """Stands for a model server that is up but whose every answer is an error."""

    asked: ClassVar[list[int]] = []
    code = 401

    def _answer(self, code: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self._answer(200, {"data": [{"id": "small"}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        type(self).asked.append(1)
        self._answer(
            type(self).code, {"error": {"message": "invalid api key nvapi-" + "s" * 40, "code": type(self).code}}
        )

    def log_message(self, *args: Any) -> None:
        pass


def test_an_endpoint_that_refuses_every_request_fails_the_canary_with_the_cause_and_no_retry_storm(
    new_server: Any, config: Path, tmp_path: Path
) -> None:
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        server = new_server()
        fake = Endpoint(f"http://127.0.0.1:{http.server_port}/v1/chat/completions", "small", tmp_path / "none", 0)
        server.call(
            "edit_config",
            config=str(config),
            set=[
                f"target.api_endpoint.url={fake.url}",
                "target.api_endpoint.model_id=small",
                f"execution.output_dir={tmp_path / 'results'}",
                "evaluation.nemo_evaluator_config.config.params.max_retries=1",
            ],
        )
        assert server.call("dry_run", config=str(config))["passed"]
        canary = server.call("canary", config=str(config), samples=CANARY_SAMPLES)
        run = _wait(server, canary["invocation_id"])
    finally:
        http.shutdown()
        http.server_close()
    assert run["state"] == "failed", run
    assert not run["gate"]["passed"]
    said = " ".join([*run["gate"]["reasons"], run["tasks"][0]["reason"]])
    assert "401" in said or "auth" in said.lower(), said
    assert "nvapi-" not in json.dumps(run)
    assert 1 <= len(_Refusing.asked) <= CANARY_SAMPLES * 3
    assert "did not pass" in server.refusal("run", config=str(config))
    logs = server.call("logs", invocation_id=canary["invocation_id"], source="client", lines=200)
    assert "nvapi-s" not in json.dumps(logs)
