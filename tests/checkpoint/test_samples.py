"""Every sample checkpoint (exported by ModelOpt 0.47.0, or written by Transformers' own classes) gives the expected record."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from quantgate.checkpoint.quantization import detect
from quantgate.checkpoint.source import resolve_model

from .made import SAMPLES

KEPT = ("lm_head", "model.embed_tokens")
DENSE, MOE = 311936, 509696
MOE_KEPT = (
    *KEPT,
    "model.layers.0.mlp.gate",
    "model.layers.0.self_attn*",
    "model.layers.1.mlp.gate",
    "model.layers.1.self_attn*",
)


@dataclass(frozen=True)
class Expected:
    name: str
    method: str
    algorithm: str
    layers: dict[str, int] = field(default_factory=dict)
    kv_cache: str = ""
    group_size: int = 0
    bits: int = 0
    excluded: tuple[str, ...] = KEPT
    parameters: int = DENSE
    producer: str = "modelopt 0.47.0"


EXPECTED = [
    Expected("bf16_dense", "", "", {"BF16": 16}, excluded=(), producer=""),
    Expected("fp8_2d_blockwise_weight_only", "modelopt", "FP8_PB_WO", {"FP8_PB_WO": 14, "BF16": 2}, bits=8),
    Expected("fp8_default", "modelopt", "FP8", {"FP8": 14, "BF16": 2}, bits=8),
    Expected("hf_awqconfig_0", "awq", "AWQ", group_size=128, bits=4, excluded=(), parameters=0, producer=""),
    Expected("hf_finegrainedfp8config_0", "fp8", "FP8", group_size=128, bits=8, excluded=(), parameters=0, producer=""),
    Expected("hf_gptqconfig_0", "gptq", "GPTQ", group_size=128, bits=4, excluded=(), parameters=0, producer=""),
    Expected("hf_mxfp4config_0", "mxfp4", "MXFP4", bits=4, excluded=(), parameters=0, producer=""),
    Expected("int4_awq", "modelopt", "W4A16_AWQ", {"W4A16_AWQ": 14, "BF16": 2}, group_size=128, bits=4),
    Expected(
        "mixed_nvfp4_mlp_fp8_attn",
        "modelopt",
        "MIXED_PRECISION",
        {"FP8": 8, "NVFP4": 6, "BF16": 2},
        group_size=16,
        excluded=(),
    ),
    Expected(
        "moe_nvfp4_experts_only",
        "modelopt",
        "NVFP4",
        {"NVFP4": 24, "BF16": 12},
        group_size=16,
        bits=4,
        excluded=MOE_KEPT,
        parameters=MOE,
    ),
    Expected("mxfp8_default", "modelopt", "MXFP8", {"MXFP8": 14, "BF16": 2}, group_size=32, bits=8),
    Expected("nvfp4_default", "modelopt", "NVFP4", {"NVFP4": 14, "BF16": 2}, group_size=16, bits=4),
    Expected("nvfp4_default+fp8_kv", "modelopt", "NVFP4", {"NVFP4": 14, "BF16": 2}, "FP8", group_size=16, bits=4),
    Expected("w4a8_awq_beta", "modelopt", "W4A8_AWQ", {"W4A8_AWQ": 14, "BF16": 2}, group_size=128, bits=4),
]


@pytest.mark.parametrize("want", EXPECTED, ids=lambda e: e.name)
def test_a_sample_checkpoint_gives_its_record(want: Expected) -> None:
    record = detect(resolve_model(str(SAMPLES / want.name)))
    got = Expected(
        want.name,
        record.method,
        record.algorithm,
        dict(record.layers),
        record.kv_cache_algorithm,
        record.group_size,
        record.bits,
        record.excluded_modules,
        record.parameters,
        record.producer,
    )
    assert got == want
    assert record.quantized is bool(want.method)
    assert record.conflicts == ()
    assert record.known


def test_every_sample_is_expected() -> None:
    assert {p.name for p in SAMPLES.iterdir()} == {e.name for e in EXPECTED}
