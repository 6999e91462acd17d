"""NEL's docker executor, unchanged: its own script starts real containers, and every answer here comes from quantgate's tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .driving import KEY, ended, passed_dry_run, task_folder, until

# The first test may have to install the harness and to build the images.
pytestmark = [pytest.mark.network, pytest.mark.timeout(900)]
SAMPLES = 6


def test_a_run_in_containers_goes_through_both_gates_to_a_validated_score(
    container_server: Any, endpoint_config: Path, engine: Any
) -> None:
    server = container_server(DUMMY_API_KEY=KEY)
    config = str(endpoint_config)
    assert server.call("check_environment")["containers"] == {"engine": "docker", "usable": True, "reason": ""}
    dry = passed_dry_run(server, config)
    assert dry["images"] == ["nvcr.io/nvidia/eval-factory/ifbench:26.03"]
    assert KEY not in json.dumps(dry)

    canary = server.call("canary", config=config, samples=3)
    run = until(server, canary["invocation_id"], lambda row: engine.running() or row["state"] != "running")
    assert run["state"] in {"pending", "running"}, run
    assert [name.split("-2")[0] for name in engine.running()] == ["client-ifbench.ifbench"]
    run = ended(server, canary["invocation_id"])
    assert (run["state"], run["executor"]) == ("succeeded", "local"), run
    assert run["gate"]["passed"], run
    assert run["gate"]["estimate"]["requests"] == 294

    launched = server.call("run", config=config, max_samples=SAMPLES)
    assert (launched["kind"], launched["planned_requests"]) == ("subset", SAMPLES)
    run = ended(server, launched["invocation_id"])
    assert run["state"] == "succeeded", run
    assert run["tasks"][0]["samples_done"] == SAMPLES
    verified = server.call("verify_run", run=launched["invocation_id"])
    assert verified["verdict"] == "valid", verified
    assert verified["subset"] == {"samples": SAMPLES, "of": 294}
    rows = (task_folder(run) / "artifacts" / "eval_results_loose.jsonl").read_text().splitlines()
    followed = sum(json.loads(row)["follow_all_instructions"] for row in rows)
    assert verified["tasks"][0]["score"]["value"] == pytest.approx(followed / SAMPLES)
    assert engine.present() == []


def test_the_model_is_served_in_a_container_of_its_own_and_both_are_gone_after_the_canary(
    container_server: Any, deployment_config: Path, engine: Any
) -> None:
    server = container_server(DUMMY_API_KEY=KEY)
    config = str(deployment_config)
    assert len(passed_dry_run(server, config)["images"]) == 2
    canary = server.call("canary", config=config, samples=3)
    until(server, canary["invocation_id"], lambda row: len(engine.running()) == 2 or row["state"] != "running")
    assert {name.split("-2")[0] for name in engine.running()} == {"client-ifbench.ifbench", "server-ifbench.ifbench"}
    run = ended(server, canary["invocation_id"])
    assert run["gate"]["passed"], run
    # What an unknown program in a generic deployment holds is not known, so no GPU hours are claimed.
    assert run["gate"]["estimate"]["gpu_hours"] == -1
    verified = server.call("verify_run", run=canary["invocation_id"])
    assert verified["verdict"] == "valid", verified
    assert verified["tasks"][0]["samples_scored"] == 3
    (log,) = server.call("logs", invocation_id=canary["invocation_id"], source="server")["entries"]
    assert "Serving small at http://" in log["text"]
    assert engine.present() == []


def test_keys_stay_private_in_a_docker_run(container_server: Any, endpoint_config: Path) -> None:
    server = container_server(DUMMY_API_KEY=KEY)
    config = str(endpoint_config)
    passed_dry_run(server, config)
    output = endpoint_config.parent / "results"
    assert not list(output.rglob(".secrets.env")), "a dry run left a file with keys"
    launched = server.call("canary", config=config, samples=4)
    until(server, launched["invocation_id"], lambda row: row["state"] != "pending")
    secrets = list(output.rglob(".secrets.env"))
    assert [oct(path.stat().st_mode & 0o777) for path in secrets] == ["0o600"]
    run = ended(server, launched["invocation_id"])
    told = json.dumps([run, server.call("logs", invocation_id=launched["invocation_id"], lines=500)])
    assert KEY not in told
    assert KEY.encode() not in b"".join(p.read_bytes() for p in output.rglob("*") if p.is_file()), "a key is left"


def test_an_image_that_is_nowhere_is_refused_before_the_launch(
    container_server: Any, deployment_config: Path, engine: Any
) -> None:
    server = container_server(DUMMY_API_KEY=KEY)
    config = str(deployment_config)
    server.call("edit_config", config=config, set=["deployment.image=localhost/quantgate-test/never-built:1"])
    passed_dry_run(server, config)
    refusal = server.refusal("canary", config=config)
    assert "localhost/quantgate-test/never-built:1 is not on this machine" in refusal
    assert "nothing was launched" in refusal
    assert server.call("status")["runs"] == []
    assert engine.present() == []


def test_an_image_for_another_processor_is_refused_before_the_launch(
    container_server: Any, deployment_config: Path, engine: Any, foreign_image: str
) -> None:
    server = container_server(DUMMY_API_KEY=KEY)
    config = str(deployment_config)
    server.call("edit_config", config=config, set=[f"deployment.image={foreign_image}"])
    passed_dry_run(server, config)
    assert f"{foreign_image} is built for s390x" in server.refusal("canary", config=config)
    assert server.call("status")["runs"] == []


def test_an_engine_that_does_not_answer_is_told_before_the_launch(
    container_server: Any, endpoint_config: Path, tmp_path: Path
) -> None:
    server = container_server(DUMMY_API_KEY=KEY, CONTAINERS_STORAGE_CONF=str(tmp_path / "is-not-there.conf"))
    environment = server.call("check_environment")["containers"]
    assert not environment["usable"]
    assert environment["reason"]
    passed_dry_run(server, str(endpoint_config))
    assert "No container engine is usable" in server.refusal("canary", config=str(endpoint_config))
