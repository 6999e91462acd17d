"""NEL's export to W&B with the real `wandb`, without its cloud: WANDB_MODE=offline writes what would be sent into a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.conftest import SHARED_CACHE
from tests.requirements import require

from .conftest import INSTALL_SECONDS, REAL_RUN

WANDB = ("wandb==0.31.0", "sentry-sdk==2.75.0", "xxhash")
INVOCATION = "0123456789abcdef"
SECRET = "hf_abcdefghijklmnopqrstuvwxyz012345"
READ = """
import json, sys
from wandb.proto import wandb_internal_pb2

def records(raw):
    # LevelDB's log: blocks of 32 KiB, pieces of (crc 4, length 2, type 1: whole, first, middle, last); W&B's header is 7 bytes.
    at, held = 7, b""
    while at + 7 <= len(raw):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        size, kind = int.from_bytes(raw[at + 4 : at + 6], "little"), raw[at + 6]
        held += raw[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            yield held
            held = b""

rows = []
for data in records(open(sys.argv[1], "rb").read()):
    record = wandb_internal_pb2.Record()
    record.ParseFromString(data)
    kind = record.WhichOneof("record_type")
    if kind == "run":
        run = record.run
        config = {u.key: json.loads(u.value_json) for u in run.config.update}
        rows.append({"run": {"id": run.run_id, "name": run.display_name, "project": run.project, "entity": run.entity,
                             "group": run.run_group, "tags": list(run.tags), "config": config}})
    if kind == "summary":
        rows.append({"summary": {u.key or "/".join(u.nested_key): json.loads(u.value_json) for u in record.summary.update}})
    if kind == "history":
        rows.append({"history": {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item}})
    if kind == "request" or kind == "artifact":
        artifact = record.artifact if kind == "artifact" else record.request.log_artifact.artifact
        if artifact.name:
            files = {c.path: c.local_path for c in artifact.manifest.contents}
            rows.append({"artifact": {"name": artifact.name, "files": files}})
print(json.dumps(rows))
"""


@pytest.fixture(scope="session")
def wandb_site() -> Path:
    """The packages in a folder of their own: installed once, kept between sessions, not beside the other requirements."""
    folder = SHARED_CACHE / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    ready, part = folder / f"site-{WANDB[0]}", folder / "site.part"
    with FileLock(folder / "install.lock", timeout=INSTALL_SECONDS):
        if not ready.exists():
            shutil.rmtree(part, ignore_errors=True)
            # What else they need is here already, with the launcher.
            pip = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--no-deps",
                "--target",
                part,
                *WANDB,
            ]
            try:
                subprocess.run(pip, check=True, timeout=INSTALL_SECONDS, stdin=subprocess.DEVNULL)
            except (OSError, subprocess.SubprocessError) as error:
                require(False, f"wandb could not be installed: {error}")
            part.rename(ready)
    return ready


@pytest.fixture
def task(tmp_path: Path, _own_home: Path) -> Path:
    """A finished task of a real run, and its job in NEL's record."""
    task = tmp_path / f"20260102_030405-{INVOCATION}" / "ifbench.ifbench.0"
    shutil.copytree(REAL_RUN, task)
    record = Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"])
    record.parent.mkdir(parents=True, exist_ok=True)
    config = {"target": {"api_endpoint": {"model_id": "m"}}, "evaluation": {"note": SECRET, "filler": ["x" * 60] * 200}}
    job = {
        "invocation_id": INVOCATION,
        "job_id": f"{INVOCATION}.0",
        "timestamp": 1767322995.0,
        "executor": "process",
        "data": {"output_dir": str(task), "harness": "ifbench"},
        "config": config,
    }
    record.write_text(json.dumps(job) + "\n")
    return task


def _export(site: Path, task: Path, folder: Path, **settings: Any) -> dict[str, Any]:
    answer = folder / "answer.json"
    request = {
        "job_id": f"{INVOCATION}.0",
        "destination": "wandb",
        "settings": {"entity": "team", "project": "quantized", **settings},
        "secrets": [],
        "answer": str(answer),
    }
    env = {
        **os.environ,
        "PYTHONPATH": str(site),
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(folder),
        "WANDB_SILENT": "true",
    }
    finished = subprocess.run(
        [sys.executable, "-P", "-m", "quantgate.launcher.export_child"],
        input=json.dumps(request).encode(),
        env={**env, "WANDB_CACHE_DIR": str(folder / "cache"), "WANDB_DATA_DIR": str(folder / "data")},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=240,
        check=True,
    )
    said: dict[str, Any] = json.loads(answer.read_text())
    return {**said, "output": finished.stdout.decode(errors="replace")}


def _written(site: Path, folder: Path) -> dict[str, Any]:
    """What the offline run holds, by kind of record; the last of each kind."""
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    env = {**os.environ, "PYTHONPATH": str(site)}
    read = subprocess.run([sys.executable, "-c", READ, file], env=env, capture_output=True, timeout=120, check=True)
    return {kind: value for row in json.loads(read.stdout) for kind, value in row.items()}


@pytest.mark.network
def test_a_task_arrives_with_its_names_metrics_and_files(wandb_site: Path, task: Path, tmp_path: Path) -> None:
    said = _export(wandb_site, task, tmp_path, tags=["nvfp4"], only_required=False)
    assert said["ok"], said
    there = _written(wandb_site, tmp_path)
    run = there["run"]
    assert (run["entity"], run["project"], run["group"]) == ("team", "quantized", INVOCATION)
    assert run["name"] == f"eval-{INVOCATION}-ifbench"
    assert run["tags"] == ["nvfp4"]
    assert {"invocation_id": INVOCATION, "harness": "ifbench", "benchmark": "ifbench"}.items() <= run["config"].items()
    assert there["history"]["ifbench_loose:prompt-level"] == 0.05
    files = there["artifact"]["files"]
    assert {f"ifbench.ifbench/artifacts/{name}" for name in ("results.yml", "output.jsonl", "run_config.yml")} <= set(
        files
    )
    assert not [name for name in files if "cache" in name]


@pytest.mark.network
def test_the_config_arrives_whole_and_without_its_secret(wandb_site: Path, task: Path, tmp_path: Path) -> None:
    assert _export(wandb_site, task, tmp_path)["ok"]
    written = task / "artifacts" / "config.yml"
    text = written.read_text()
    assert SECRET not in text
    assert text.count("x" * 60) == 200
    files = _written(wandb_site, tmp_path)["artifact"]["files"]
    kept = Path(files["ifbench.ifbench/config.yml"] or written)
    assert kept.read_text() == text


@pytest.mark.network
def test_settings_that_wandb_s_exporter_does_not_take_are_a_failed_export(
    wandb_site: Path, task: Path, tmp_path: Path
) -> None:
    said = _export(wandb_site, task, tmp_path, log_mode="per_sample")
    assert not said["ok"]
    assert "log_mode" in said["detail"]
