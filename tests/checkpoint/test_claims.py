"""What a name claims is held against the files (rule D12): precision, size and family."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantgate.checkpoint import claims, tables
from quantgate.checkpoint.quantization import detect
from quantgate.checkpoint.source import resolve_model

from .made import checkpoint


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Llama-3.1-8B-Instruct-FP8", 8_030_261_248),
        ("gemma-2b", 2_506_172_416),
        ("Qwen3-0.6B", 751_632_384),
        ("Qwen3-30B-A3B-NVFP4", 30_532_122_624),
        ("Mixtral-8x7B-v0.1", 46_702_792_704),
        ("Mixtral-8x22B", 140_630_071_296),
        ("gemma-3-270m-it", 268_098_176),
        ("gpt-oss-120b", 116_829_156_672),
        ("Kimi-K2-1T", 1_026_000_000_000),
        ("SmolLM2-1.7B", 1_711_376_384),
        ("DeepSeek-R1-0528", 684_531_386_000),
        ("gemma-3n-E4B-it", 7_849_978_192),
        ("pruned-4b-from-8b", 4_100_000_000),
        ("Phi-3.5-mini", 3_821_079_552),
        ("checkpoint-500", 8_030_261_248),
        ("Llama-4-Scout-17B-16E-Instruct", 108_641_793_536),
        ("Llama-4-Maverick-17B-128E-Instruct-FP8", 400_000_000_000),
        ("Qwen2.5-7B-Instruct-1M", 7_615_616_512),
        ("granite-3.0-1b-a400m", 1_334_630_400),
    ],
)
def test_a_size_that_is_right_or_not_claimed_is_no_conflict(name: str, parameters: int) -> None:
    assert claims.of_size(name, parameters) == []


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("Llama-3.1-70B-NVFP4", 8_030_261_248, "claims 70B parameters, but the files have 8.03B"),
        ("Qwen3-8B", 751_632_384, "claims 8B parameters, but the files have 752M"),
        ("Mixtral-8x7B", 7_241_732_096 // 2, "8x7B"),
        ("gemma-3-270m", 4_300_079_472, "claims 270m"),
        ("Llama-4-Scout-17B-16E-Instruct", 8_030_261_248, "claims 17B-16E"),
        ("Model-17B-Edge", 108_641_793_536, "claims 17B parameters"),
    ],
)
def test_another_size_than_the_name_claims_is_a_conflict(name: str, parameters: int, says: str) -> None:
    (found,) = claims.of_size(name, parameters)
    assert says in found


def test_a_sample_of_a_model_is_no_conflict_but_a_smaller_model_is() -> None:
    assert claims.of_size("Llama-3.1-8B-Instruct", 114_816) == []
    assert claims.of_size("Llama-3.1-8B-Instruct", 80_000_000) == []
    assert len(claims.of_size("Llama-3.1-8B-Instruct", 81_000_000)) == 1


@pytest.mark.parametrize(
    ("name", "size"), [("Qwen3-30B-A3B", 30e9), ("Llama-3.1-70B-NVFP4", 70e9), ("gpt-oss", 0), ("gemma-270m", 270e6)]
)
def test_the_size_in_a_name_is_read(name: str, size: float) -> None:
    assert claims.size_in_name(name) == size


def test_a_size_is_not_judged_without_all_weights(tmp_path: Path) -> None:
    assert claims.of_size("Llama-70B", 0) == []
    directory = checkpoint(tmp_path / "Llama-0.001M", None, {"l.weight": ("BF16", (4, 4))})
    assert [c.kind for c in detect(resolve_model(str(directory))).conflicts] == ["name"]
    (directory / "model.safetensors").rename(directory / "model-00001-of-00002.safetensors")
    assert [c.kind for c in detect(resolve_model(str(directory))).conflicts] == ["incomplete"]


@pytest.mark.parametrize(
    ("name", "model_type"),
    [
        ("Qwen3-8B-NVFP4", "qwen3"),
        ("Qwen2.5-VL-7B", "qwen2_5_vl"),
        ("DeepSeek-R1-Distill-Qwen-7B", "qwen2"),
        ("DeepSeek-R1-Distill-Llama-8B", "llama"),
        ("deepseek-coder-6.7b", "llama"),
        ("gpt-oss-20b", "gpt_oss"),
        ("Phi-4", "phi3"),
        ("philosopher-7b", "llama"),
        ("my-model", "llama"),
        ("Llama-3.1-8B", ""),
        ("meta-llama-3", "llama"),
    ],
)
def test_a_family_that_is_right_or_not_claimed_is_no_conflict(name: str, model_type: str) -> None:
    assert claims.of_family(name, model_type, "") == []


@pytest.mark.parametrize(
    ("name", "model_type"), [("Qwen3-8B", "llama"), ("Llama-3.1-8B", "qwen2"), ("gemma-3-4b", "phi3")]
)
def test_another_family_than_the_name_claims_is_a_conflict(name: str, model_type: str) -> None:
    (found,) = claims.of_family(name, model_type, "XForCausalLM")
    assert "XForCausalLM" in found


@pytest.mark.parametrize(
    ("name", "model_type", "also"),
    [
        ("MiniCPM-Llama3-V-2_5", "minicpmv", ()),
        ("ultravox-v0_5-llama-3_1-8b", "ultravox", ("",)),
        ("llama-joycaption-beta-one-hf-llava", "llava", ("llama",)),
        ("llama-joycaption-beta-one-hf-llava", "llava", ()),
        ("llava-onevision-qwen2-7b-ov", "llava_onevision", ("qwen2",)),
        ("some-vl-qwen3", "a_type_of_tomorrow", ("qwen3",)),
        ("InternVL3-Qwen-8B", "internvl_chat", ()),
    ],
)
def test_a_multimodal_model_may_be_named_after_its_language_model(
    name: str, model_type: str, also: tuple[str, ...]
) -> None:
    assert claims.of_family(name, model_type, "", also=also) == []


def test_a_multimodal_model_with_another_language_model_than_its_name_claims_is_a_conflict() -> None:
    (found,) = claims.of_family("llava-llama-3-8b", "llava", "LlavaX", also=("qwen2",))
    assert "claims llama, but config.json has llava with qwen2 LlavaX" in found
    assert claims.of_family("llama-vl", "qwen3_vl", "", also=("qwen3_vl_text",))


# Names in the manner of public releases: the formats that are stored, the KV cache, and what is claimed in vain (none: "").
PRECISIONS = [
    ("Llama-3.1-8B-Instruct-bnb-4bit", "BF16", "", "4 bits and bitsandbytes"),
    ("Llama-3.1-8B-Instruct-unsloth-bnb-4bit", "BF16", "", "4 bits and bitsandbytes"),
    ("Llama-3.1-8B-Instruct-unsloth-bnb-4bit", "NF4 BF16", "", ""),
    ("Model-bnb-8bit", "INT8 BF16", "", ""),
    ("Model-bnb-4bit", "INT4", "", "bitsandbytes"),
    ("Model-4bit", "BF16", "", "4 bits"),
    ("Model-4bit", "U32 BF16", "", ""),  # MLX packs into U32
    ("Model-6bit", "BF16", "", "few bits"),
    ("Model-3.5bpw", "I16 FP16", "", ""),
    ("Model-nf4", "BF16", "", "NF4"),
    ("Model-nf4", "NF4", "", ""),
    ("Model-hqq-3bit", "BF16", "", "3 bits and quantization"),
    ("Model-hqq-3bit", "U8 BF16", "", ""),
    ("Model-1.58bit", "BF16", "", "2 bits"),
    ("Model-1.58bit", "INT2 BF16", "", ""),
    ("Model-INT8", "FP8", "", "INT8"),
    ("Model-INT8", "INT8", "", ""),
    ("Model-INT4", "NVFP4", "", "INT4"),
    ("Model-INT4", "INT4 BF16", "", ""),
    ("Model-INT8-INT4", "INT4", "", ""),
    ("Model-Int4-Int8Mix", "INT4 INT8", "", ""),
    ("Model-int4-AutoRound", "INT4", "", ""),
    ("Model-GPTQ-Int4", "INT4", "", ""),
    ("Model-GPTQ-Int8", "INT8", "", ""),
    ("Model-GPTQ-Int8", "INT4", "", "INT8"),
    ("Model-GPTQ", "BF16", "", "GPTQ"),
    ("Model-GPTQ", "NVFP4", "", "GPTQ"),
    ("Model-NVFP4-GPTQ", "NVFP4", "", ""),
    ("Model-AWQ", "INT4", "", ""),
    ("Model-AWQ", "NVFP4", "", ""),
    ("Model-AWQ", "BF16", "", "4 bits"),
    ("Model-AWQ-8bit", "INT8", "", ""),
    ("Model-AWQ-8bit", "INT4", "", "8 bits"),
    ("Model-AWQ-FP8KV", "BF16", "FP8", "4 bits"),
    ("Model-W4A8-NVFP4-FP8", "NVFP4", "", ""),
    ("Model_W4A8_NVFP4_FP8", "NVFP4", "", ""),
    ("Model-W4A8-MXFP4-FP8", "MXFP4", "", ""),
    ("Model_W4A8_MXFP4_FP8", "MXFP4", "", ""),
    ("Model-W4A8-MXFP4-FP8", "FP8", "", "MXFP4 and 4 bits"),
    ("Model-W4AFP8", "INT4 FP8", "", ""),
    ("Model-w8a8", "FP8", "", ""),
    ("Model-w8a8", "INT8", "", ""),
    ("Model-w8a8", "BF16", "FP8", "8 bits"),
    ("Model-W8A8-FP8", "INT8", "", "FP8"),
    ("Model-quantized.w4a16", "INT4", "", ""),
    ("Model-quantized.w8a8", "INT8", "", ""),
    ("Model-quantized.w8a8", "INT4", "", "8 bits"),
    ("Model-Int4-W4A16", "INT4", "", ""),
    ("Model-Int4-W4A16", "BF16", "", "INT4 and 4 bits"),
    ("Model-w4a16-fp8kv", "INT4", "FP8", ""),
    ("Model-INT4-FP8KV", "INT4", "FP8", ""),
    ("Model-INT4-FP8KV", "INT4", "", "FP8"),
    ("Model-FP8-KV", "FP8", "FP8", ""),
    ("Model-FP8-KV", "BF16", "FP8", ""),
    ("Model-FP8-dynamic", "FP8", "", ""),
    ("Model-FP8-dynamic", "MXFP8", "", ""),
    ("Model-FP8-block", "INT8", "", "FP8"),
    ("Model-NVFP4A16", "NVFP4", "", ""),
    ("Model-NVFP4A16", "INT4", "", "NVFP4"),
    ("Model-FP4", "NVFP4", "", ""),
    ("Model-MXFP4_MOE", "MXFP4", "", ""),
    ("Model-MXFP4_MOE", "BF16", "", "MXFP4"),
    ("gemma-3-12b-it-qat-int4", "INT4", "", ""),
    ("gemma-3-12b-it-qat-int4-unquantized", "BF16", "", ""),
    ("gemma-3-12b-it-qat-int4-unquantized", "INT4", "", "16 bits"),
    ("Model-bnb-4bit-merged_16bit", "BF16", "", ""),
    ("Model-16bit", "FP8", "", "16 bits"),
    ("clip-BF16", "BF16 I64", "", ""),  # I64: indices of positions
    ("clip-INT8", "BF16 I64", "", "INT8"),
    ("Model-8B-2507", "NVFP4", "", ""),
]


@pytest.mark.parametrize(("name", "formats", "kv_cache", "says"), PRECISIONS)
def test_a_precision_that_the_name_claims_in_vain_is_a_conflict(
    name: str, formats: str, kv_cache: str, says: str
) -> None:
    found = [
        text.partition(" claims ")[2].partition(", but")[0]
        for text in claims.of_precision(name, formats.split(), kv_cache)
    ]
    assert found == ([says] if says else [])


@pytest.mark.parametrize(("name", "chats"), [("gemma-3-4b-it", True), ("Llama-Instruct", True), ("italian-7b", False)])
def test_a_chat_model_is_told_by_its_name(name: str, chats: bool) -> None:
    assert claims.of_chat(name) is chats


def test_every_format_of_the_table_is_one_that_a_layer_can_have() -> None:
    stored = {f for m in (*tables.methods().modelopt.values(), *tables.methods().foreign.values()) for f in m.tensors}
    assert {f for row in tables.claims().precision for f in row.formats} <= stored


def test_no_model_of_one_family_is_taken_for_a_wrapper_of_any() -> None:
    own = {
        "llama",
        "llama4",
        "qwen2",
        "qwen2_vl",
        "qwen3_vl_moe",
        "gemma3",
        "mistral3",
        "mixtral",
        "phi3",
        "glm4v",
        "olmo2",
        "minicpm",
    }
    wrappers = tuple(prefix for row in tables.claims().wrappers for prefix in row.model_types)
    assert not [kind for kind in own if kind.startswith(wrappers)]
