"""What goes wrong while a run is on its way, with the real harness and real processes: no fault becomes a success, and none a
failure that is not known."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from quantgate.errors import BadInput
from quantgate.evalconfig import compose
from quantgate.launcher import door, process_control
from tests.integration.stand_in import MODEL_ID, StandIn
from tests.requirements import require

CANARY_SAMPLES = 2
LONGEST_SECONDS = 240
LIVE = {"pending", "running", "resuming"}

pytestmark = pytest.mark.network


@pytest.fixture
def example(harness: Path, tmp_path: Path) -> Path:
    """The example of a process run; `_serve` points it at a stand-in."""
    text = (Path(__file__).parents[2] / "recipes" / "examples" / "ifbench_process.yaml").read_text(encoding="utf-8")
    path = tmp_path / "eval.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Path]:
    """The output directory; whatever still runs in it at the end is ended."""
    path = tmp_path / "results"
    path.mkdir()
    yield path
    for run in path.iterdir():
        if (run / "runner.json").is_file():
            process_control.stop(run)


def _point_at(server: Any, config: Path, stand_in: StandIn, output: Path, **params: Any) -> None:
    values = {"max_new_tokens": 64, "parallelism": 1, "max_retries": 1, **params}
    server.call(
        "edit_config",
        config=str(config),
        set=[
            f"target.api_endpoint.url={stand_in.url}",
            f"target.api_endpoint.model_id={MODEL_ID}",
            f"execution.output_dir={output}",
            *[f"evaluation.nemo_evaluator_config.config.params.{name}={value}" for name, value in values.items()],
        ],
    )


def _row(server: Any, invocation: str, wait: int = 0) -> dict[str, Any]:
    (run,) = server.call("status", invocation_ids=[invocation], wait_seconds=wait)["runs"]
    return dict(run)


def _ended(server: Any, invocation: str) -> dict[str, Any]:
    deadline = time.monotonic() + LONGEST_SECONDS
    while (run := _row(server, invocation, wait=10))["state"] in LIVE:
        assert time.monotonic() < deadline, run
    return run


def _until(look: Callable[[], Any], seconds: float = 240) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def _canary_passes(server: Any, config: Path) -> None:
    assert server.call("dry_run", config=str(config))["passed"]
    canary = server.call("canary", config=str(config), samples=CANARY_SAMPLES)
    run = _ended(server, canary["invocation_id"])
    assert run["gate"]["passed"], run


def _family(run_dir: str) -> list[psutil.Process]:
    record = json.loads((Path(run_dir) / "runner.json").read_text())
    runner = psutil.Process(record["pid"])
    return [runner, *runner.children(recursive=True)]


def test_an_endpoint_that_dies_in_the_canary_fails_its_gate_and_is_named(
    new_server: Any, example: Path, results: Path
) -> None:
    server = new_server()
    with StandIn(answers=1) as stand_in:
        _point_at(server, example, stand_in, results)
        assert server.call("dry_run", config=str(example))["passed"]
        canary = server.call("canary", config=str(example), samples=CANARY_SAMPLES)
        _until(lambda: stand_in.asked >= 2)
        stand_in.die()
        run = _ended(server, canary["invocation_id"])
    # With one attempt the harness ends with exit code 0 and gives the second question the first one's answer.
    assert run["state"] in {"succeeded", "failed"}
    assert run["gate"]["judged"]
    assert not run["gate"]["passed"], run
    assert "the endpoint answered 1 requests, and 2 questions have a score" in " ".join(run["gate"]["reasons"])
    assert "did not pass" in server.refusal("run", config=str(example))
    again = server.refusal("canary", config=str(example), again=True)
    assert "does not answer" in again
    assert stand_in.url.split("/")[2] in again


def test_an_endpoint_that_dies_mid_run_is_no_success_and_no_score(
    new_server: Any, example: Path, results: Path
) -> None:
    server = new_server()
    with StandIn(answers=CANARY_SAMPLES + 3) as stand_in:
        _point_at(server, example, stand_in, results, max_retries=3)
        _canary_passes(server, example)
        launched = server.call("run", config=str(example), max_samples=8)
        _until(lambda: stand_in.asked >= CANARY_SAMPLES + 4)
        stand_in.die()
        run = _ended(server, launched["invocation_id"])
    assert run["state"] == "failed", run
    assert "the endpoint did not answer (Connection refused)" in run["tasks"][0]["reason"], run
    verified = server.call("verify_run", run=launched["invocation_id"])
    assert verified["verdict"] != "valid"
    assert verified["tasks"][0]["score"]["metric"] == ""


def test_a_harness_that_hangs_is_running_without_progress_and_can_be_cancelled(
    new_server: Any, example: Path, results: Path
) -> None:
    server = new_server()
    with StandIn(answers=CANARY_SAMPLES + 3) as stand_in:
        _point_at(server, example, stand_in, results)
        _canary_passes(server, example)
        launched = server.call("run", config=str(example), max_samples=8)
        invocation = launched["invocation_id"]
        _until(lambda: stand_in.asked >= CANARY_SAMPLES + 4)
        first = _until(lambda: (r := _row(server, invocation))["tasks"][0]["samples_done"] == 3 and r)
        later = _row(server, invocation, wait=8)
        for run in (first, later):
            assert run["state"] == "running", run
            assert (run["tasks"][0]["samples_done"], run["tasks"][0]["samples_expected"]) == (3, 8)
        assert server.call("verify_run", run=invocation)["verdict"] == "incomplete"
        family = _family(later["run_dir"])
        cancelled = server.call("cancel", invocation_id=invocation)
        assert cancelled["still_running"] == []
        assert psutil.wait_procs(family, timeout=5)[1] == []
        assert _row(server, invocation)["state"] == "cancelled"


def test_a_run_whose_directory_is_deleted_is_unknown_and_says_what_is_gone(
    new_server: Any, example: Path, results: Path
) -> None:
    server = new_server()
    with StandIn(answers=CANARY_SAMPLES + 3) as stand_in:
        _point_at(server, example, stand_in, results)
        _canary_passes(server, example)
        invocation = server.call("run", config=str(example), max_samples=8)["invocation_id"]
        _until(lambda: stand_in.asked >= CANARY_SAMPLES + 4)
        family = _family(_row(server, invocation)["run_dir"])
        (directory,) = results.glob(f"*-{invocation}")
        shutil.rmtree(directory)
        run = _row(server, invocation)
        assert run["state"] == "unknown", run
        for tool, arguments in (
            ("logs", {"invocation_id": invocation}),
            ("verify_run", {"run": invocation}),
            ("resume", {"invocation_id": invocation}),
        ):
            assert "Fix:" in server.refusal(tool, **arguments)
        twice = server.refusal("run", config=str(example), max_samples=8)
        assert "its directory was deleted" in twice
        assert f"cancel(invocation_id='{invocation}')" in twice
        assert server.call("cancel", invocation_id=invocation)["still_running"] == []
        assert psutil.wait_procs(family, timeout=5)[1] == []
        (row,) = [r for r in server.call("status")["runs"] if r["invocation_id"] == invocation]
        assert row["state"] == "unknown"
        again = server.call("run", config=str(example), max_samples=8)
        assert again["invocation_id"] != invocation
        assert again["state"] in LIVE


def test_a_config_that_is_edited_between_the_canary_and_the_run_is_refused_by_its_key_and_holds_again_when_set_back(
    new_server: Any, example: Path, results: Path
) -> None:
    server = new_server()
    with StandIn(answers=100) as stand_in:
        _point_at(server, example, stand_in, results)
        _canary_passes(server, example)
        key = "evaluation.nemo_evaluator_config.config.params.temperature"
        server.call("edit_config", config=str(example), set=[f"{key}=0.7"])
        assert key in server.refusal("run", config=str(example), max_samples=2)
        server.call("edit_config", config=str(example), set=[f"{key}=0.0"])
        before = stand_in.asked
        launched = server.call("run", config=str(example), max_samples=2)
        assert _ended(server, launched["invocation_id"])["state"] == "succeeded"
        assert stand_in.asked == before + 2, "a canary was run again"


def test_a_config_that_is_edited_while_it_is_being_launched_starts_nothing(example: Path, results: Path) -> None:
    judged = compose.compose(example).digest
    example.write_text(example.read_text() + "env_vars: {LATER: lit:thought}\n")
    request = door.Request(example, results, door.new_invocation_id(), digest=judged)
    with pytest.raises(BadInput, match="changed while it was being launched"):
        door.launch(request, os.environ)
    assert list(results.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    path = tmp_path / "small-disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)]
    made = bool(shutil.which("mount")) and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    require(made, "no file system can be mounted here (needs root and the right to mount)")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_disk_that_is_full_at_a_launch_is_said_and_leaves_nothing_running(
    new_server: Any, example: Path, small_disk: Path, results: Path
) -> None:
    server = new_server()
    with StandIn(answers=100) as stand_in:
        _point_at(server, example, stand_in, small_disk)
        assert server.call("dry_run", config=str(example))["passed"]
        (small_disk / "filling").write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 4096))
        text = server.refusal("canary", config=str(example), samples=CANARY_SAMPLES)
        assert "No space left" in text, text
        assert stand_in.asked == 0
        _point_at(server, example, stand_in, results)
        canary = server.call("canary", config=str(example), samples=CANARY_SAMPLES)
        assert _ended(server, canary["invocation_id"])["gate"]["passed"]


@pytest.mark.parametrize("kind", ["garbage", "directory", "binary"])
def test_a_broken_record_of_nel_does_not_break_a_launch_in_two(
    kind: str, new_server: Any, example: Path, results: Path, tmp_path: Path
) -> None:
    record = tmp_path / "exec.v1.jsonl"
    if kind == "directory":
        record.mkdir()
    else:
        record.write_bytes(b'{"invocation_id": "0123\nnot json\n' if kind == "garbage" else b"\xff\xfe\x00" * 1000)
    server = new_server(NEMO_EVALUATOR_EXEC_DB_FILE=str(record))
    with StandIn(answers=100) as stand_in:
        _point_at(server, example, stand_in, results)
        assert server.call("status")["runs"] == []
        assert "0123456789abcdef" in server.refusal("status", invocation_ids=["0123456789abcdef"])
        assert server.call("dry_run", config=str(example))["passed"]
        if kind != "directory":
            canary = server.call("canary", config=str(example), samples=CANARY_SAMPLES)
            assert _ended(server, canary["invocation_id"])["gate"]["passed"]
            return
        text = server.refusal("canary", config=str(example), samples=CANARY_SAMPLES)
        assert "NEL's record of its jobs cannot be used" in text, text
        assert str(record) in text
        assert stand_in.asked == 0, "it was started although the launch failed"
        assert not list(results.glob("*/runner.json"))
