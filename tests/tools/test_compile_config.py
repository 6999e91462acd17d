"""The tool compile_config."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from quantgate.errors import ClusterError, ConfigError
from quantgate.nemotron import env_toml, squashing
from quantgate.tools import compile_config as tool
from quantgate.tools.check_config import check_config
from quantgate.tools.compile_config import compile_config
from tests.cluster.test_squash_import import Here


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(env_toml.VARIABLE, raising=False)
    monkeypatch.setenv("NVIDIA_API_KEY", "of-the-test")
    monkeypatch.chdir(tmp_path)


def test_the_shipped_smoke_test_compiles_without_an_error(tmp_path: Path) -> None:
    done = compile_config(recipe="model_eval", config="tiny_chat", output=str(tmp_path / "eval.yaml"))
    assert done.launcher_config == str(tmp_path / "eval.yaml")
    assert Path(done.job_config).is_file()
    assert done.max_samples == 1
    assert done.warnings == []
    assert done.next_step.startswith("dry_run(")
    assert done.commands.status == "nemo-evaluator-launcher status INVOCATION_ID"
    assert all(change.what and change.why for change in done.changes)


def test_what_check_config_finds_is_said_at_once(tmp_path: Path) -> None:
    done = compile_config(
        recipe="model_eval", config="tiny_chat", tasks=["mmlu_instruct"], overrides=["evaluation.frobnicate=1"]
    )
    assert done.next_step.startswith("check_config(")
    assert "frobnicate" in done.warnings[0]
    assert done.task_filters == ["mmlu_instruct"]
    assert yaml.safe_load(Path(done.job_config).read_text())["task_filters"] == ["mmlu_instruct"]


def test_a_process_run_gets_quantgate_s_own_commands() -> None:
    done = compile_config(recipe="model_eval", config="tiny_chat", overrides=["execution.type=process"])
    assert done.commands.status == "quantgate watch INVOCATION_ID"
    assert done.commands.logs.startswith("quantgate call logs")


def test_a_secret_in_clear_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="in clear"):
        compile_config(
            recipe="model_eval", config="tiny_chat", overrides=["target.api_endpoint.api_key=nvapi-" + "a1" * 20]
        )
    assert not (tmp_path / ".nemotron").exists()


PROFILE = """
[cl]
executor = "slurm"
tunnel = "ssh"
host = "login"
user = "me"
account = "team"
partition = "batch"
remote_job_dir = "{directory}"
"""
SERVED = """
execution: {{type: slurm, output_dir: /shared/out}}
deployment:
  type: generic
  image: nvcr.io/nvidia/nemo:25.11
  checkpoint_path: /shared/model/iter_0000100
  command: serve
  port: 8000
  served_model_name: m
evaluation:
  tasks: [{{name: {task}}}]
"""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Here:
    """A login node that is this machine's shell, with stand-ins for sbatch and enroot; its jobs end before sbatch returns."""
    base = tmp_path / "cluster"
    base.mkdir()
    here = Here(base)
    monkeypatch.setattr(squashing, "_connection", lambda _: here)
    (tmp_path / "env.toml").write_text(PROFILE.format(directory=base / "jobs"))
    (tmp_path / "served.yaml").write_text(SERVED.format(task="ifbench.ifbench"))
    return here


def test_force_squash_imports_the_image_each_time_and_the_config_names_its_file(cluster: Here) -> None:
    for count in (1, 2):
        done = compile_config(config="./served.yaml", profile="cl", force_squash=True)
        assert len(cluster.calls()) == count, done.warnings
        assert not [warning for warning in done.warnings if "import" in warning]
    squashed = cluster.base / "jobs" / "nvcr_io_nvidia_nemo_25_11.sqsh"
    assert squashed.read_text() == "docker://nvcr.io#nvidia/nemo:25.11\n"
    assert yaml.safe_load(Path(done.launcher_config).read_text())["deployment"]["image"] == str(squashed)


def test_an_import_that_outlasts_the_call_is_left_going_and_told(
    cluster: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "SQUASH_SECONDS", 0.0)
    (cluster.base / "lost").touch()
    (cluster.base / "state").write_text("PENDING\n")
    done = compile_config(config="./served.yaml", profile="cl", force_squash=True)
    assert "goes on as job 4101 on login" in done.warnings[-1]
    assert "do not compile with force_squash again" in done.warnings[-1]


def test_a_failed_import_is_an_error_with_the_image_and_the_snapshots_are_there(cluster: Here, tmp_path: Path) -> None:
    (cluster.base / "fail").touch()
    with pytest.raises(ClusterError, match=r"nvcr\.io/nvidia/nemo:25\.11 could not be imported.*401 Unauthorized"):
        compile_config(config="./served.yaml", profile="cl", force_squash=True)
    assert list((tmp_path / ".nemotron" / "jobs").glob("*/job.yaml"))


def test_no_image_is_imported_without_a_cluster_or_for_a_config_with_errors(cluster: Here, tmp_path: Path) -> None:
    hosted = compile_config(recipe="model_eval", config="tiny_chat", force_squash=True)
    assert hosted.warnings[-1] == "no image was imported: the executor is not slurm"
    (tmp_path / "served.yaml").write_text(SERVED.format(task="no-such-task-at-all"))
    broken = compile_config(config="./served.yaml", profile="cl", force_squash=True)
    assert "mend the config's errors first" in broken.warnings[-1]
    assert compile_config(config="./served.yaml", profile="cl").task_filters == []
    assert cluster.calls() == []


def test_a_config_that_asks_for_a_dry_run_ends_at_the_first_gate(tmp_path: Path) -> None:
    done = compile_config(recipe="model_eval", config="tiny_chat", overrides=["dry_run=true"])
    assert done.next_step.startswith("dry_run(")
    assert "canary(" not in done.next_step
    assert "run(" not in done.next_step.removeprefix("dry_run(")


def test_the_canary_takes_no_more_than_the_limit_and_only_the_filtered_tasks() -> None:
    done = compile_config(recipe="model_eval", config="tiny_chat", tasks=["mmlu_instruct"])
    assert done.max_samples == 1
    canary = done.next_step.partition("canary(")[2].partition(")")[0]
    assert "samples=1" in canary
    assert "mmlu_instruct" in canary


def test_the_key_of_wandb_login_is_there_for_the_gates_of_another_process_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine api.wandb.ai login user password {'0123456789' * 4}\n")
    for name, value in (("NETRC", str(netrc)), ("WANDB_ENTITY", "us"), ("WANDB_PROJECT", "evals")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("WANDB_BASE_URL", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "")  # put back after the test: compiling sets it
    exporting = ["execution.auto_export={destinations: [wandb]}"]
    done = compile_config(recipe="model_eval", config="tiny_chat", overrides=exporting)
    monkeypatch.delenv("WANDB_API_KEY")
    text = Path(done.launcher_config).read_text()
    assert "host:WANDB_API_KEY" in text
    assert yaml.safe_load(text)["export"]["wandb"] == {"entity": "us", "project": "evals"}
    assert not [f for f in check_config(config=done.launcher_config).findings if "WANDB" in f.message]
    netrc.unlink()
    assert [f for f in check_config(config=done.launcher_config).findings if "WANDB_API_KEY is not set" in f.message]
