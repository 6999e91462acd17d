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
    ],
)
def test_another_size_than_the_name_claims_is_a_conflict(name: str, parameters: int, says: str) -> None:
    (found,) = claims.of_size(name, parameters)
    assert says in found


def test_a_size_is_not_judged_without_all_weights(tmp_path: Path) -> None:
    assert claims.of_size("Llama-70B", 0) == []
    directory = checkpoint(tmp_path / "Llama-70B", None, {"l.weight": ("BF16", (4, 4))})
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


@pytest.mark.parametrize(("name", "chats"), [("gemma-3-4b-it", True), ("Llama-Instruct", True), ("italian-7b", False)])
def test_a_chat_model_is_told_by_its_name(name: str, chats: bool) -> None:
    assert claims.of_chat(name) is chats


def test_every_format_of_the_table_is_one_that_a_layer_can_have() -> None:
    stored = {f for m in (*tables.methods().modelopt.values(), *tables.methods().foreign.values()) for f in m.tensors}
    assert {f for row in tables.claims().precision for f in row.formats} <= stored
