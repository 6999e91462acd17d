"""build_config writes the launcher's base config to a new file and says what is still missing."""

from pathlib import Path

import pytest
import yaml

from quantgate.errors import BadInput
from quantgate.launcher import templates
from quantgate.tools.build_config import build_config


def test_the_file_is_the_launchers_config_and_the_gaps_are_explained(tmp_path: Path) -> None:
    answer = build_config("slurm", "vllm", "chat_reasoning", ["core_reasoning"], "mlflow", str(tmp_path))
    path = Path(answer.path)
    assert path == tmp_path / "slurm_vllm_chat_reasoning_core_reasoning.yaml"
    wanted = templates.build("slurm", "vllm", "chat_reasoning", ["core_reasoning"], "mlflow")
    assert path.read_text() == templates.dumps(wanted)
    missing = {row.path: row.meaning for row in answer.missing}
    assert {
        "execution.hostname",
        "execution.account",
        "execution.output_dir",
        "deployment.hf_model_handle",
        "deployment.served_model_name",
        "export.mlflow.tracking_uri",
    } <= set(missing)
    assert len(missing) == path.read_text().count("???")
    assert all(missing.values())
    assert answer.tasks == ["ns_mmlu_pro", "ns_gpqa", "ns_livecodebench", "ns_ifbench"]
    assert answer.options.benchmarks["base"] == ["coding", "general_knowledge", "long_context", "multilingual"]
    assert f"edit_config(config='{path}'" in answer.next_step
    gpqa, livecodebench = answer.recipe_notes
    assert "repeats: 5, the recipe has 16" in gpqa
    assert f"edit_config(config='{path}', set=['evaluation.tasks[1]" in gpqa
    assert "livecodebench" in livecodebench


def test_without_answers_the_questions_are_listed_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput) as refusal:
        build_config()
    for question in ("execution: ", "deployment: ", "model_type: ", "benchmarks: ", "export (default none)"):
        assert question in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    target.write_text("precious")
    answer = build_config("local", "none", "base", ["coding"], output=str(target))
    assert answer.path == str(tmp_path / "mine_1.yaml")
    assert target.read_text() == "precious"


def test_common_words_are_understood_and_tasks_without_a_bundle_are_left_to_edit_config(tmp_path: Path) -> None:
    answer = build_config(
        "local", "external", "chat", ["standard", "safety", "mmlu_pro", "ns_gpqa"], output=str(tmp_path)
    )
    assert "garak.garak" in answer.add_tasks
    assert "mmlu_pro" in answer.add_tasks
    assert "nemo_skills.ns_gpqa" not in answer.add_tasks, "the bundle has it already"
    assert any("'standard'" in note and "core_reasoning" in note for note in answer.understood)
    assert f"add_tasks={answer.add_tasks}" in answer.next_step


def test_no_benchmarks_give_a_config_without_tasks_and_the_call_that_adds_them(tmp_path: Path) -> None:
    answer = build_config("process", "none", "chat", [], output=str(tmp_path))
    config = yaml.safe_load(Path(answer.path).read_text())
    assert "tasks" not in config["evaluation"]
    assert config["execution"]["type"] == "process"
    assert config["defaults"] == [{"execution": "local"}, {"deployment": "none"}, "_self_"]
    assert Path(answer.path).name == "process_none_chat_reasoning.yaml"
    assert "add_tasks=" in answer.next_step
    assert "no tasks yet" in answer.next_step


def test_tasks_that_the_process_executor_cannot_run_are_named(tmp_path: Path) -> None:
    answer = build_config("process", "none", "chat_reasoning", ["agentic"], output=str(tmp_path))
    endpoint, warning = answer.warnings
    assert "set target.api_endpoint.url" in endpoint
    assert "ns_bfcl_v4" in warning
    assert "tau2_bench_telecom" not in warning, "tau2_bench has a wheel"


def test_a_template_that_limits_the_samples_is_pointed_out(tmp_path: Path) -> None:
    answer = build_config("local", "none", "chat_reasoning", ["long_context"], output=str(tmp_path))
    assert any("ruler-128k-chat" in warning and "limit_samples" in warning for warning in answer.warnings)


def test_an_unset_user_variable_is_said_for_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("USER", raising=False)
    answer = build_config("slurm", "vllm", "base", ["coding"], output=str(tmp_path))
    assert any("execution.username" in warning for warning in answer.warnings)
    monkeypatch.setenv("USER", "someone")
    assert build_config("slurm", "vllm", "base", ["coding"], output=str(tmp_path)).warnings == []


def test_a_base_model_behind_an_endpoint_is_sent_to_the_completions_route(tmp_path: Path) -> None:
    answer = build_config("local", "none", "base", ["coding"], output=str(tmp_path))
    assert "/v1/completions" in answer.next_step
    assert "execution.output_dir=<absolute directory>" in answer.next_step


def test_its_description_is_short() -> None:
    assert len(build_config.__doc__ or "") < 700
