"""The export of a process run: whose credentials go where, what is refused before the launch, what is written down."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from quantgate.errors import BadInput
from quantgate.launcher import child, door, export_environment, exporting, process_plan, process_runner, runner_record
from quantgate.runs.exports import records
from quantgate.runs.rundir import RunDir

TOKEN = "a-token-that-must-not-travel"


@pytest.fixture(autouse=True)
def _own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.internal")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    monkeypatch.setenv("WANDB_API_KEY", TOKEN)
    monkeypatch.delenv("WANDB_BASE_URL", raising=False)
    monkeypatch.setenv("HF_TOKEN", "of-the-evaluation")


@pytest.mark.parametrize(
    "settings", [{}, {"tracking_uri": "https://mlflow.internal/"}, {"tracking_uri": "MLFLOW_TRACKING_URI"}]
)
def test_the_credentials_of_the_environment_go_to_its_own_server(settings: dict[str, Any]) -> None:
    seen = export_environment.environment("mlflow", settings, {})
    assert seen["MLFLOW_TRACKING_TOKEN"] == TOKEN
    assert "HF_TOKEN" not in seen
    assert "WANDB_API_KEY" not in seen


@pytest.mark.parametrize(
    ("settings", "declared"),
    [
        ({"tracking_uri": "https://evil.example"}, {}),
        ({"tracking_uri": "https://mlflow.internal@evil.example"}, {}),
        ({"tracking_uri": "http://mlflow.internal"}, {}),
        ({"tracking_uri": "https://mlflow.internal:8443"}, {}),
        ({"tracking_uri": "OTHER"}, {"OTHER": "https://evil.example"}),
        ({}, {"MLFLOW_TRACKING_URI": "https://evil.example"}),
        ({"tracking_uri": "https://["}, {}),
    ],
)
def test_another_server_gets_only_what_the_config_declares_for_it(
    settings: dict[str, Any], declared: dict[str, str]
) -> None:
    seen = export_environment.environment("mlflow", settings, {**declared, "MLFLOW_TRACKING_PASSWORD": "declared"})
    assert TOKEN not in seen.values()
    assert seen["MLFLOW_TRACKING_PASSWORD"] == "declared"


def test_an_exporter_with_another_home_is_told_where_nel_s_record_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEMO_EVALUATOR_EXEC_DB_FILE")
    monkeypatch.setenv("HOME", str(tmp_path))
    elsewhere = {"tracking_uri": "https://other.example"}
    seen = export_environment.environment("mlflow", elsewhere, {}, home=tmp_path / "empty")
    assert seen["HOME"] == str(tmp_path / "empty")
    assert seen["NEMO_EVALUATOR_EXEC_DB_FILE"] == str(tmp_path / ".nemo-evaluator" / "exec-db" / "exec.v1.jsonl")


@pytest.mark.parametrize(
    "name",
    [
        "HTTPS_PROXY",
        "https_proxy",
        "MLFLOW_TRACKING_INSECURE_TLS",
        "MLFLOW_TRACKING_AUTH",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "AZURE_AUTHORITY_HOST",
        "AWS_ENDPOINT_URL",
        "AWS_CONFIG_FILE",
        "NETRC",
    ],
)
def test_a_config_cannot_put_itself_between_the_exporter_and_the_own_server(name: str) -> None:
    assert export_environment.steers_traffic(name), "planning lets it through"
    assert TOKEN not in export_environment.environment("mlflow", {}, {name: "http://evil.example"}).values()


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_PASSWORD", "WANDB_API_KEY", "MY_MLFLOW"])
def test_a_config_may_declare_addresses_and_credentials(name: str) -> None:
    assert not export_environment.steers_traffic(name)


def test_the_password_file_of_the_user_is_not_read_for_another_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mlflow reads ~/.mlflow/credentials for any host."""
    pytest.importorskip("mlflow")
    own, empty = tmp_path / "own", tmp_path / "empty"
    (own / ".mlflow").mkdir(parents=True)
    empty.mkdir()
    written = "[mlflow]\nmlflow_tracking_username = alice\nmlflow_tracking_password = hunter2hunter2\n"
    (own / ".mlflow" / "credentials").write_text(written)
    monkeypatch.setenv("HOME", str(own))
    monkeypatch.setenv("AZURE_CLIENT_SECRET", TOKEN)
    read = "from mlflow.utils.credentials import read_mlflow_creds as r; print(r().username)"
    for uri, user in (("https://mlflow.internal", "alice"), ("https://evil.example", "None")):
        env = export_environment.environment("mlflow", {"tracking_uri": uri}, {}, empty)
        said = subprocess.run([sys.executable, "-c", read], env=env, capture_output=True, text=True, check=True).stdout
        assert said.strip() == user
        assert (TOKEN in env.values()) is (user == "alice")


def test_the_key_of_wandb_goes_to_its_own_server_only() -> None:
    assert export_environment.environment("wandb", {}, {})["WANDB_API_KEY"] == TOKEN
    assert "WANDB_API_KEY" not in export_environment.environment(
        "wandb", {}, {"WANDB_BASE_URL": "https://evil.example"}
    )


def _config(tmp_path: Path, destinations: list[str], **export: Any) -> Path:
    config = {
        "defaults": [{"execution": "local"}, {"deployment": "none"}, "_self_"],
        "execution": {
            "type": "process",
            "output_dir": str(tmp_path / "out"),
            "auto_export": {"destinations": destinations},
        },
        "target": {"api_endpoint": {"url": "http://127.0.0.1:9/v1/chat/completions", "model_id": "m"}},
        "evaluation": {"tasks": [{"name": "ifbench.ifbench"}]},
        "export": export,
    }
    path = tmp_path / "eval.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("destinations", "export", "says"),
    [
        (["gsheets"], {"gsheets": {}}, "gspread"),
        (["jet"], {"jet": {}}, "not to 'jet'"),
        (["mlflow"], {"mlflow": {"tracking_uri": "http://h", "experiment": "x"}}, "experiment"),
        (["mlflow"], {"mlflow": {"tracking_uri": "http://h", "tags": {"bits": 4}}}, "bits"),
        (["mlflow"], {"mlflow": {"tracking_uri": "http://h"}, "env_vars": {"LD_PRELOAD": "lit:/x.so"}}, "LD_PRELOAD"),
        (
            ["mlflow"],
            {"mlflow": {"tracking_uri": "http://h"}, "env_vars": {"HTTPS_PROXY": "lit:http://x"}},
            "HTTPS_PROXY",
        ),
    ],
)
def test_what_an_exporter_would_stop_on_is_refused_before_the_run(
    tmp_path: Path, destinations: list[str], export: dict[str, Any], says: str
) -> None:
    pytest.importorskip("mlflow")
    with pytest.raises(BadInput, match=says):
        door.dry_run(_config(tmp_path, destinations, **export), dict(os.environ))


def test_a_config_with_an_export_that_can_be_made_passes_its_dry_run(tmp_path: Path) -> None:
    config = _config(tmp_path, ["local"], local={"output_dir": str(tmp_path / "summaries")})
    assert "run_eval" in door.dry_run(config, dict(os.environ)).output


@pytest.mark.parametrize(("kind", "kept"), [("canary", False), ("subset", True), ("full", True)])
def test_only_a_canary_loses_its_exports_on_every_executor(kind: str, kept: bool) -> None:
    config = OmegaConf.create({"execution": {"type": "slurm", "auto_export": {"destinations": ["mlflow"]}}})
    child._export_nothing_of_a_canary(config, {"stamp": {"kind": kind}})
    assert ("auto_export" in config.execution) is kept


def test_how_an_export_went_is_written_down_redacted_and_bounded(tmp_path: Path) -> None:
    logs, work = tmp_path / "logs", tmp_path / "work"
    logs.mkdir()
    work.mkdir()
    (logs / exporting.LOG).write_text(
        "starting\nConnectionError: hf_abcdefghijklmnopqrstuvwxyz " + "x" * 9000 + "\nbye\n"
    )
    first = exporting.Export("mlflow", logs, work)
    assert not first.note("").ok
    (work / "export-wandb.json").write_text(json.dumps({"ok": True, "detail": ""}))
    assert exporting.Export("wandb", logs, work).note("").ok
    first.answer.write_text('{"ok": fal')
    assert (
        exporting.Export("mlflow", logs, work).note("it was ended with the run").detail == "it was ended with the run"
    )
    rows = {row.destination: row for row in exporting.read_record(logs)}
    assert set(rows) == {"mlflow", "wandb"}
    assert not rows["mlflow"].ok
    text = (logs / exporting.RECORD).read_text()
    assert "hf_abc" not in text
    assert len(text) < 2000


@pytest.mark.parametrize("text", ["", "{", "[]", '{"exports": 3}', '{"exports": [{}]}', '{"exports": [null]}'])
def test_a_record_that_is_none_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / exporting.RECORD).write_text(text)
    assert exporting.read_record(tmp_path) == []


@pytest.fixture
def hangs() -> Iterator[str]:
    """A server that takes a connection and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def _ended_run(tmp_path: Path, destinations: list[str], **settings: Any) -> tuple[Path, exporting.Exports]:
    """An invocation with one task that has just succeeded, and its exports."""
    invocation = tmp_path / "20260102_030405-0123456789abcdef"
    for folder in ("logs", "work", "artifacts"):
        (invocation / "ifbench.ifbench.0" / folder).mkdir(parents=True)
    (invocation / exporting.CONFIG).write_text(yaml.safe_dump({"export": settings}))
    plan = exporting.ExportPlan(tuple(destinations), ())
    return invocation, exporting.Exports(invocation, "0123456789abcdef", plan, {})


def _export(invocation: Path, runner: process_runner._Runner) -> list[exporting.Exported]:
    task = invocation / "ifbench.ifbench.0"
    planned = process_plan.PlannedTask("ifbench.ifbench", 0, "ifbench", str(task), [])
    with (task / "logs" / "stdout.log").open("a") as out:
        runner._export(planned, task / "logs", task / "work", out)
    return exporting.read_record(task / "logs")


def test_a_server_that_hangs_holds_up_one_task_and_not_each(
    tmp_path: Path, hangs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "EXPORT_SECONDS", 1.5)
    invocation, exports = _ended_run(tmp_path, ["mlflow"], mlflow={"tracking_uri": hangs})
    runner = process_runner._Runner(exports)
    begun = time.monotonic()
    (first,) = _export(invocation, runner)
    assert (first.ok, first.detail) == (False, "it took too long")
    assert time.monotonic() - begun < 15
    begun = time.monotonic()
    (second,) = _export(invocation, runner)
    assert (second.ok, second.detail) == (False, "not tried: the export of an earlier task took too long")
    assert time.monotonic() - begun < 1


def test_an_export_that_was_never_made_is_said(tmp_path: Path) -> None:
    invocation, _ = _ended_run(tmp_path, ["mlflow"])
    exporting.expect(invocation / "ifbench.ifbench.0" / "logs", ["mlflow", "wandb"])
    said = records.told(RunDir.find(invocation))
    assert len(said) == 2
    assert "to mlflow failed" in said[0]
    assert "it was never made" in said[0]
    runner_record.write_runner(invocation / runner_record.RUNNER_FILE, runner_record.own_record())
    assert records.told(RunDir.find(invocation)) == [], "its runner lives: it is still to come"


def test_an_export_that_cannot_be_started_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    invocation, exports = _ended_run(tmp_path, ["mlflow"], mlflow={"tracking_uri": "http://127.0.0.1:9"})
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    (said,) = _export(invocation, process_runner._Runner(exports))
    assert "could not be started" in said.detail
