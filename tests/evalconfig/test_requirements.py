"""A task comes with what it needs of the rest of the config: applied where that is possible, else said."""

import json
from pathlib import Path

import pytest

from quantgate.errors import BadInput
from quantgate.evalconfig.compose import compose
from quantgate.evalconfig.edit import Edited, Request, edit

from ..checkpoint.made import checkpoint
from .made import PROCESS, SLURM, write

QWEN = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}
TOOLS = "{% if tools %}<tool_call>{% endif %}{% if enable_thinking %}<think>{% endif %}"


def _edit(path: Path, **request: object) -> Edited:
    return edit(str(path), Request(**request))  # type: ignore[arg-type]


def _config(directory: Path, model: Path, command: str = "", text: str = SLURM) -> Path:
    text = text.replace("/shared/models/m-NVFP4", str(model))
    return write(directory, text.replace("  image:", f"  command: {command}\n  image:") if command else text)


def _command(path: Path) -> str:
    return str(compose(path).config["deployment"]["command"])


@pytest.fixture
def long_model(tmp_path: Path) -> Path:
    path = checkpoint(tmp_path / "m-long", **QWEN, max_position_embeddings=262144)
    (path / "chat_template.jinja").write_text(TOOLS)
    return path


def test_the_context_is_raised_when_the_model_allows_it(tmp_path: Path, long_model: Path) -> None:
    path = _config(tmp_path, long_model, "vllm serve /checkpoint --max-model-len 32768 --seed 1")
    done = _edit(path, add_tasks=["aa_lcr"])
    assert "--max-model-len 196608 --seed 1" in _command(path)
    assert any("196608 (was 32768; the model allows 262144)" in note for note in done.notes)
    assert not {"T09", "C37"} & {finding.rule for finding in done.report.findings}


def test_a_context_that_is_enough_is_left(tmp_path: Path, long_model: Path) -> None:
    path = _config(tmp_path, long_model, "vllm serve /checkpoint --max-model-len 200k")
    _edit(path, add_tasks=["aa_lcr"])
    assert "--max-model-len 200k" in _command(path)


def test_a_model_that_is_too_short_is_said_and_its_flag_left(tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "m-short", **QWEN, max_position_embeddings=32768)
    path = _config(tmp_path, model, "vllm serve /checkpoint --max-model-len 32768")
    done = _edit(path, add_tasks=["aa_lcr"])
    assert "--max-model-len 32768" in _command(path)
    assert any("at most 32768" in note and "leave this benchmark out" in note for note in done.notes)


def test_an_unread_model_and_an_endpoint_get_the_number_to_look_for(tmp_path: Path) -> None:
    path = write(
        tmp_path, SLURM.replace("  image:", "  command: vllm serve /checkpoint --max-model-len 8192\n  image:")
    )
    done = _edit(path, add_tasks=["scicode"])
    assert "--max-model-len 8192" in _command(path)
    assert any("65536" in note and "not known" in note for note in done.notes)
    endpoint = write(tmp_path, PROCESS.replace("  type: process # no container\n", ""), "endpoint.yaml")
    done = _edit(endpoint, add_tasks=["scicode"])
    assert any("the endpoint must serve at least" in note for note in done.notes)


def test_the_raised_context_goes_where_the_packaged_command_reads_it(tmp_path: Path, long_model: Path) -> None:
    path = _config(tmp_path, long_model)
    path.write_text(path.read_text().replace("  image:", "  extra_args: --max-model-len 32768\n  image:"))
    _edit(path, add_tasks=["scicode"])
    assert "--max-model-len 65536" in compose(path).config["deployment"]["extra_args"]
    assert "command:" not in path.read_text()


def test_tool_calls_get_the_parser_of_the_models_template(tmp_path: Path, long_model: Path) -> None:
    path = _config(tmp_path, long_model, "vllm serve /checkpoint --max-model-len 65536")
    done = _edit(path, add_tasks=["tau2_bench_telecom"])
    assert "--enable-auto-tool-choice" in _command(path)
    assert "--tool-call-parser hermes" in _command(path)
    assert "T05" not in {finding.rule for finding in done.report.findings}


def test_a_parser_that_is_not_known_is_asked_for_and_one_of_the_users_stays(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM.replace("  image:", "  command: vllm serve /checkpoint\n  image:"))
    done = _edit(path, add_tasks=["tau2_bench_telecom"])
    assert "--tool-call-parser" not in _command(path)
    assert any("which --tool-call-parser" in note for note in done.notes)
    path = write(
        tmp_path, SLURM.replace("  image:", "  command: vllm serve /checkpoint --tool-call-parser mine\n  image:")
    )
    _edit(path, add_tasks=["tau2_bench_telecom"])
    assert "--tool-call-parser mine" in _command(path)
    assert "--enable-auto-tool-choice" in _command(path)


def test_a_judge_s_gaps_are_listed_with_the_form_of_its_address(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM)
    done = _edit(path, add_tasks=["aa_lcr", "tau2_bench_telecom"])
    gaps = {gap.path.rpartition("extra.")[2]: gap for gap in done.missing}
    assert {"judge.url", "judge.model_id", "user.url", "user.model_id"} <= set(gaps)
    assert all(gap.who == "user" and "What belongs" not in gap.meaning for gap in gaps.values())
    assert any("aa_lcr asks a judge" in note and "the /v1 base" in note for note in done.notes)
    assert any("user simulator" in note and "/v1/chat/completions" in note for note in done.notes)
    assert any("aa_lcr has settings of its own: use_request_logging: False" in note for note in done.notes)


def test_an_own_server_gets_the_key_s_name_that_nemo_skills_wants_and_a_given_one_stays(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM)
    _edit(path, add_tasks=["gpqa"])
    config = compose(path).config
    assert config["target"]["api_endpoint"]["api_key_name"] == "DUMMY_API_KEY"
    assert config["evaluation"]["env_vars"]["DUMMY_API_KEY"] == "lit:dummy"
    path = write(tmp_path, SLURM + "target:\n  api_endpoint:\n    api_key_name: MY_KEY\n")
    _edit(path, add_tasks=["gpqa"])
    assert "DUMMY_API_KEY" not in path.read_text()


def test_an_image_that_may_be_unlisted_names_the_variable_that_trusts_it(tmp_path: Path) -> None:
    done = _edit(write(tmp_path, SLURM), add_tasks=["omniscience"])
    assert any("NEMO_EVALUATOR_TRUST_UNLISTED_TASKS=1" in note for note in done.notes)


def test_images_for_a_text_model_are_said(tmp_path: Path, long_model: Path) -> None:
    done = _edit(_config(tmp_path, long_model), add_tasks=["mmmu_pro"])
    assert any("no vision tower" in note for note in done.notes)


def test_a_log_probability_task_gets_the_models_tokenizer(tmp_path: Path, long_model: Path) -> None:
    by_handle = write(
        tmp_path,
        SLURM.replace("checkpoint_path: /shared/models/m-NVFP4", "checkpoint_path: null").replace(
            "hf_model_handle: null", "hf_model_handle: org/model"
        ),
        "a.yaml",
    )
    done = _edit(by_handle, add_tasks=["lm-evaluation-harness.hellaswag"])
    extra = compose(by_handle).tasks[1].params["extra"]
    assert (extra["tokenizer"], extra["tokenizer_backend"]) == ("org/model", "huggingface")
    assert any("completions endpoint" in note for note in done.notes)
    by_path = _config(tmp_path, long_model)
    done = _edit(by_path, add_tasks=["lm-evaluation-harness.hellaswag"])
    assert [gap.path.rpartition(".")[2] for gap in done.missing] == ["tokenizer"], (
        "the harness's container has no such path"
    )


def test_a_tokenizer_of_the_whole_evaluation_is_enough(tmp_path: Path) -> None:
    text = SLURM.replace("parallelism: 16", "parallelism: 16\n        extra: {tokenizer: org/model}")
    path = write(tmp_path, text)
    _edit(path, add_tasks=["lm-evaluation-harness.hellaswag"])
    assert path.read_text().count("tokenizer") == 1


def test_an_endpoint_of_another_kind_than_the_task_asks_is_said(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS.replace("  type: process # no container\n", ""))
    done = _edit(path, add_tasks=["lm-evaluation-harness.hellaswag"])
    assert any("cannot answer this task" in note for note in done.notes)


@pytest.mark.parametrize("name", ["GPQA", "gpqa", "Aime 2025", "mmlu-pro", "LiveCodeBench"])
def test_a_recipe_is_meant_however_its_name_is_spelt(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, SLURM.replace("nemo_skills.ns_mmlu_pro", "nemo_skills.ns_ifbench"))
    done = _edit(path, add_tasks=[name])
    assert any("the recipe, as" in note for note in done.notes)


@pytest.mark.parametrize("name", ["mmlu_pro", "MMLU-Pro", "ns_mmlu_pro", "nemo_skills.ns_mmlu_pro"])
def test_a_task_that_is_there_is_refused_by_any_of_its_names(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, SLURM)
    with pytest.raises(BadInput, match="already has the task"):
        _edit(path, add_tasks=[name])
    assert path.read_text() == SLURM


def test_adding_and_removing_a_recipe_leaves_the_tasks_as_they_were(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS.replace("ifbench.ifbench", "simple_evals.mmlu_pro"))
    before = path.read_text()
    _edit(path, add_tasks=["ifbench"])
    _edit(path, remove_tasks=["ifbench"])
    assert path.read_text() == before


def test_the_parallelism_of_a_recipe_sets_the_servers_share(tmp_path: Path, long_model: Path) -> None:
    path = _config(tmp_path, long_model, "vllm serve /checkpoint --max-num-seqs 16")
    _edit(path, add_tasks=["aa_lcr"])
    assert "--max-num-seqs 32" in _command(path), json.dumps(_command(path))
