"""What serves a model, with which flags, and on what it fits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quantgate.checkpoint import recommend
from quantgate.checkpoint.fit import GIB, fit
from quantgate.checkpoint.model_facts import ModelFacts, from_config
from quantgate.checkpoint.quantization import QuantizationRecord, detect, read_config
from quantgate.checkpoint.serving import advise, check_framework, find_gpu, serving_flags
from quantgate.checkpoint.shape.kv_memory import kv_bytes_per_token
from quantgate.checkpoint.source import resolve_model
from quantgate.errors import UnknownName

from .made import SAMPLES, checkpoint


def sample(name: str) -> QuantizationRecord:
    return detect(resolve_model(str(SAMPLES / name)))


def test_vllm_gets_no_quantization_flag_and_the_recorded_kv_dtype() -> None:
    advice = advise(sample("nvfp4_default+fp8_kv"), "vllm", None)
    assert advice.supported is True
    assert advice.flags == ("--kv-cache-dtype fp8",)
    assert "do not pass --quantization" in advice.reason
    assert advise(sample("nvfp4_default"), "vllm", None).flags == ()


@pytest.mark.parametrize(("name", "value"), [("fp8_default", "modelopt_fp8"), ("nvfp4_default", "modelopt_fp4")])
def test_sglang_gets_its_own_value(name: str, value: str) -> None:
    assert advise(sample(name), "sglang", None).flags == (f"--quantization {value}",)


@pytest.mark.parametrize("name", ["int4_awq", "w4a8_awq_beta"])
def test_a_modelopt_awq_export_is_not_served_by_vllm(name: str) -> None:
    advice = advise(sample(name), "vllm", None)
    assert advice.supported is False
    assert "TensorRT-LLM" in advice.served_by


def test_what_no_source_says_is_not_claimed() -> None:
    assert advise(sample("mxfp8_default"), "nim", None).supported is None
    assert advise(sample("mxfp8_default"), "trtllm", None).supported is None


@pytest.mark.parametrize(("gpu", "warns"), [("H100", True), ("sm_89", True), ("B200", False), ("10.0", False)])
def test_nvfp4_without_fp4_units_is_reported_as_weight_only(gpu: str, warns: bool) -> None:
    warnings = advise(sample("nvfp4_default"), "vllm", find_gpu(gpu)).warnings
    assert any("W4A16" in w for w in warnings) is warns


def test_b300_names_the_cuda_floor_for_nvfp4() -> None:
    assert any("CUDA 13" in w for w in advise(sample("nvfp4_default"), "vllm", find_gpu("GB300")).warnings)


def test_unknown_gpus_and_frameworks_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="h100"):
        find_gpu("h10")
    with pytest.raises(UnknownName, match="vllm"):
        check_framework("vlm")
    assert check_framework("TensorRT-LLM") == "trtllm"
    assert find_gpu("") is None


def facts_of(directory: Path) -> ModelFacts:
    return from_config(read_config(resolve_model(str(directory))), directory)


def test_flags_come_with_their_reasons(tmp_path: Path) -> None:
    checkpoint(
        tmp_path,
        model_type="qwen3_moe",
        num_experts=8,
        auto_map={"AutoModel": "x.Y"},
        rope_scaling={"rope_type": "yarn", "factor": 4.0},
    )
    (tmp_path / "chat_template.jinja").write_text(
        "{% if tools %}<tool_call>{% endif %}{% if enable_thinking %}<think>{% endif %}"
    )
    facts = facts_of(tmp_path)
    flags = {f.flag: f for f in serving_flags(facts, detect(resolve_model(str(tmp_path))))}
    assert flags["--max-model-len"].value == "4096"
    assert flags["--max-model-len"].because == facts.served_length_because
    assert "auto_map" in flags["--trust-remote-code"].because
    assert "8 experts" in flags["--enable-expert-parallel"].because
    assert flags["--reasoning-parser"].value == "qwen3"
    assert flags["--tool-call-parser"].value == "hermes"
    assert (facts.reasoning, facts.tool_calling, facts.moe) == (True, True, True)


def test_without_a_chat_template_reasoning_is_not_known_and_no_parser_is_set() -> None:
    facts = facts_of(SAMPLES / "moe_nvfp4_experts_only")
    assert (facts.reasoning, facts.tool_calling) == (None, None)
    flags = {f.flag for f in serving_flags(facts, sample("moe_nvfp4_experts_only"))}
    assert flags == {"--max-model-len", "--enable-expert-parallel"}
    assert any("tokenizer" in m for m in facts.missing_files)


def test_a_template_in_the_tokenizers_config_is_read(tmp_path: Path) -> None:
    checkpoint(tmp_path)
    templates = [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "{{ tools }}"}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": templates}))
    facts = facts_of(tmp_path)
    assert (facts.reasoning, facts.tool_calling, facts.template_file) == (False, True, "tokenizer_config.json")


SEVENTY = ModelFacts(max_position_embeddings=131072, layers=80, attention_layers=80, heads=64, kv_heads=8, head_dim=128)


def test_kv_per_token_follows_the_attention() -> None:
    assert kv_bytes_per_token(SEVENTY, "") == 80 * 2 * 8 * 128 * 2
    assert kv_bytes_per_token(SEVENTY, "FP8") == 80 * 2 * 8 * 128
    latent = ModelFacts(layers=61, attention_layers=61, heads=128, kv_heads=128, head_dim=56, mla_width=576)
    assert kv_bytes_per_token(latent, "") == 61 * 576 * 2


def test_the_smallest_tensor_parallelism_that_fits_is_found_with_its_arithmetic() -> None:
    layout = fit(SEVENTY, 141 * GIB, "", 80, 8)
    # TP 2: 70.5 + 20 + 2 > 72; TP 4: 35.25 + 10 + 2 < 72.
    assert (layout.tensor_parallel, layout.data_parallel, layout.weights_gib_per_gpu) == (4, 2, 35.25)
    assert "141.00/4 weights + 40.00/4 KV" in layout.because
    assert "floor(8/4) = 2" in layout.because


def test_a_tensor_parallelism_must_divide_the_heads() -> None:
    odd = ModelFacts(layers=1, attention_layers=1, heads=6, kv_heads=6, head_dim=64)
    layout = fit(odd, 300 * GIB, "", 80, 8)
    assert (layout.tensor_parallel, layout.data_parallel) == (6, 1)
    assert "2 of 8 GPUs stay idle" in layout.because


def test_nothing_is_worked_out_without_gpus_or_weights() -> None:
    assert fit(SEVENTY, 141 * GIB, "", 0, 0).tensor_parallel == 0
    assert "no weights on disk" in fit(SEVENTY, 0, "", 80, 8).because


def test_benchmarks_are_ranked_and_those_beyond_the_context_come_last() -> None:
    record = sample("nvfp4_default")
    rows = recommend.recommend(ModelFacts(max_position_embeddings=131072), record)
    assert rows[0].recipe == "scicode"
    assert (rows[-1].recipe, rows[-1].suitable) == ("aa_lcr", False)
    assert "the model has 131072" in rows[-1].because
    assert all(r.recipe != "mmmu_pro" for r in rows)
    multimodal = recommend.recommend(ModelFacts(multimodal=True), record)
    assert any(r.recipe == "mmmu_pro" for r in multimodal)
    assert recommend.recommend(ModelFacts(), sample("bf16_dense")) == []


def test_a_native_format_is_its_own_baseline() -> None:
    assert "own baseline" in recommend.baseline_note(sample("hf_mxfp4config_0"))
    assert "can be the baseline" in recommend.baseline_note(sample("bf16_dense"))
    assert "unquantized checkpoint" in recommend.baseline_note(sample("fp8_default"))


@pytest.mark.parametrize("row", recommend.tables.sensitivity(), ids=lambda r: r.recipe)
def test_every_recommended_task_is_in_the_launchers_catalogue(row: recommend.tables.Benchmark) -> None:
    from quantgate.benchmarks.catalogue import load_catalogue

    assert row.task in load_catalogue().tasks
