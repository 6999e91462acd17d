"""edit_config answers with the diff, the gaps, the findings and the next call."""

import os
from pathlib import Path

import pytest

from quantgate.errors import BadInput
from quantgate.launcher import door
from quantgate.tools.build_config import build_config
from quantgate.tools.edit_config import edit_config

from ..checkpoint.made import SAMPLES

CONFIG = """\
defaults:
  - execution: local
  - deployment: none
  - _self_
execution:
  type: process # no container
  output_dir: /tmp/results
target:
  api_endpoint:
    model_id: ???
    url: http://127.0.0.1:8080/v1/chat/completions
    api_key_name: DUMMY_API_KEY
evaluation:
  env_vars:
    DUMMY_API_KEY: lit:dummy
  tasks: []
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "eval.yaml"
    path.write_text(CONFIG)
    return path


def test_a_gap_is_the_next_step_and_then_the_check(config: Path) -> None:
    answer = edit_config(str(config), add_tasks=["ifbench"])
    assert [(row.path, row.who) for row in answer.missing] == [("target.api_endpoint.model_id", "user")]
    assert [row.rule for row in answer.findings] == ["C03"]
    assert "target.api_endpoint.model_id" in answer.next_step
    assert "the recipe, as ifbench.ifbench" in answer.warnings[0]
    answer = edit_config(str(config), set=["target.api_endpoint.model_id=small"])
    assert (answer.missing, answer.findings) == ([], [])
    assert answer.next_step.startswith("check_config(")
    assert "# no container" in config.read_text()


def test_an_error_is_the_next_step_when_nothing_is_missing(config: Path) -> None:
    answer = edit_config(str(config), set=["target.api_endpoint.model_id=small"])
    assert [row.rule for row in answer.findings] == ["C34"]
    assert "C34" in answer.next_step


def test_a_refusal_leaves_the_file(config: Path) -> None:
    with pytest.raises(BadInput):
        edit_config(str(config), set=["target.api_endpoint.model_id=small", "--rm=1"])
    assert config.read_text() == CONFIG


def test_a_secret_in_the_file_does_not_reach_the_diff(config: Path) -> None:
    secret = "hf_" + "a1b2c3d4e5f6g7h8i9j0"
    config.write_text(CONFIG.replace("lit:dummy", f"lit:{secret}"))
    answer = edit_config(str(config), add_tasks=["ifbench"])
    assert answer.diff
    assert secret not in answer.model_dump_json()


def test_its_description_is_short() -> None:
    assert len(edit_config.__doc__ or "") < 700


def test_a_model_is_served_with_its_flags_in_one_command_shown_in_the_diff(tmp_path: Path) -> None:
    built = build_config("slurm", "vllm", "chat_reasoning", ["core_reasoning"], output=str(tmp_path))
    answer = edit_config(built.path, model=str(SAMPLES / "nvfp4_default+fp8_kv"), gpus=8, gpu_memory_gb=80)
    for line in ("-  extra_args: --max-model-len 32768", "-  tensor_parallel_size: 1", "+    --kv-cache-dtype fp8"):
        assert line in answer.diff
    assert not any("conflict" in warning and "32768" in warning for warning in answer.warnings)
    assert any("NEL's template" in warning and "32768" in warning for warning in answer.warnings)
    assert "--max-model-len 131072" in answer.diff
    assert any("max_new_tokens is 131072" in warning and "=122880'" in warning for warning in answer.warnings)
    again = edit_config(built.path, model=str(SAMPLES / "nvfp4_default+fp8_kv"), gpus=8, gpu_memory_gb=80)
    assert again.diff == ""


@pytest.mark.parametrize("deployment", ["vllm", "sglang", "trtllm"])
def test_nel_itself_accepts_the_config_that_was_built_edited_and_filled(
    tmp_path: Path, deployment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "x")
    built = build_config("slurm", deployment, "chat_reasoning", ["core_reasoning"], output=str(tmp_path))
    answer = edit_config(built.path, model=str(SAMPLES / "fp8_default"))
    values = {"hostname": "login.cluster", "account": "team", "username": "me", "output_dir": "/shared/results"}
    extra = "evaluation.nemo_evaluator_config.config.params.extra"
    adapter = "evaluation.nemo_evaluator_config.target.api_endpoint.adapter_config"
    answer = edit_config(
        built.path,
        set=[f"execution.{key}={value}" for key, value in values.items()],
        unset=[f"{extra}.tokenizer", f"{adapter}.params_to_add"],
    )
    assert answer.missing == []
    written = Path(built.path).read_text()
    printed = door.dry_run(Path(built.path), {**os.environ, "HF_TOKEN": "x"}).output
    assert "run.sub" in printed or "sbatch" in printed
    assert Path(built.path).read_text() == written


def test_the_parallelism_of_the_call_counts_beside_a_deployment_set_in_it(tmp_path: Path) -> None:
    built = build_config("slurm", "vllm", "chat_reasoning", [], output=str(tmp_path / "slurm.yaml"))
    wanted = [
        "evaluation.nemo_evaluator_config.config.params.parallelism=32",
        "deployment.image=vllm/vllm-openai:v0.20.0",
    ]
    answer = edit_config(built.path, model=str(SAMPLES / "fp8_default"), gpus=8, gpu_memory_gb=80, set=wanted)
    assert "--max-num-seqs = ceil(parallelism 32 / (DP 8 x 1 instance)) = 4" in answer.warnings
    assert "D37" not in [finding.rule for finding in answer.findings]
