"""The tool compile_config."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from quantgate.errors import ConfigError
from quantgate.nemotron import env_toml
from quantgate.tools.compile_config import compile_config


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
