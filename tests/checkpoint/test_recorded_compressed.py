"""compressed-tensors' records: schemes, presets, targets, the container's words. Its own presets are the oracle."""

from __future__ import annotations

from typing import Any

import pytest

from quantgate.checkpoint.record.recorded import Recorded, from_config


def read(groups: Any, **more: Any) -> Recorded:
    record = from_config(
        {"quantization_config": {"quant_method": "compressed-tensors", "config_groups": groups} | more}
    )
    assert record is not None
    return record


def args(bits: int, kind: str, strategy: str, size: int | None = None, **more: Any) -> dict[str, Any]:
    return {"num_bits": bits, "type": kind, "strategy": strategy, "group_size": size, "dynamic": False} | more


# compressed-tensors 0.20.0 quantization/quant_scheme.py, PRESET_SCHEMES: name, weights, inputs, bits, group, storage.
PRESETS: list[tuple[str, dict[str, Any], dict[str, Any] | None, int, int, tuple[str, ...]]] = [
    ("W4A16_ASYM", args(4, "int", "group", 128, symmetric=False), None, 4, 128, ("INT4",)),
    ("W8A8", args(8, "int", "channel"), args(8, "int", "token", dynamic=True), 8, 0, ("INT8",)),
    ("W4AFP8", args(4, "int", "group", 128), args(8, "float", "token", dynamic=True), 4, 128, ("INT4",)),
    ("FP8", args(8, "float", "tensor"), args(8, "float", "tensor"), 8, 0, ("FP8",)),
    ("FP8_DYNAMIC", args(8, "float", "channel"), args(8, "float", "token", dynamic=True), 8, 0, ("FP8",)),
    (
        "FP8_BLOCK",
        args(8, "float", "block", block_structure=[128, 128]),
        args(8, "float", "group", 128, dynamic=True),
        8,
        128,
        ("FP8",),
    ),
    ("NVFP4A16", args(4, "float", "tensor_group", 16), None, 4, 16, ("NVFP4",)),
    (
        "NVFP4",
        args(4, "float", "tensor_group", 16),
        args(4, "float", "tensor_group", 16, dynamic="local"),
        4,
        16,
        ("NVFP4",),
    ),
    ("MXFP4A16", args(4, "float", "group", 32), None, 4, 32, ("MXFP4",)),
    ("MXFP4", args(4, "float", "group", 32), args(4, "float", "group", 32, dynamic=True), 4, 32, ("MXFP4",)),
    ("MXFP4XFP8", args(4, "float", "group", 32), args(8, "float", "group", 128, dynamic=True), 4, 32, ("MXFP4",)),
    ("MXFP6A16", args(6, "float", "group", 32), None, 6, 32, ()),
    ("MXFP6A8", args(6, "float", "group", 32), args(8, "float", "group", 32, dynamic=True), 6, 32, ()),
    ("MXFP8A16", args(8, "float", "group", 32), None, 8, 32, ("MXFP8",)),
    ("MXFP8", args(8, "float", "group", 32), args(8, "float", "group", 32, dynamic=True), 8, 32, ("MXFP8",)),
    ("W2A16", args(2, "int", "group", 128), None, 2, 128, ("INT2",)),
    ("W4A4", args(4, "int", "group", 128), args(4, "int", "token", dynamic=True), 4, 128, ("INT4",)),
    ("W8A16", args(8, "int", "group", 128), None, 8, 128, ("INT8",)),
]


@pytest.mark.parametrize("preset", PRESETS, ids=[p[0] for p in PRESETS])
def test_a_preset_is_known_by_its_fields_and_by_its_name(preset: tuple[Any, ...]) -> None:
    name, weights, inputs, bits, group, tensors = preset
    spelled = read({"group_0": {"weights": weights, "input_activations": inputs, "targets": ["Linear"]}})
    named = read({name: ["Linear"]})
    for record in (spelled, named):
        found = (record.algorithm, record.bits, record.group_size, record.tensors)
        assert found == (name, bits, group, tensors)
        assert record.known
    assert spelled.activation_bits == named.activation_bits == (inputs or {"num_bits": 16})["num_bits"]


def test_groups_of_several_schemes_are_mixed_with_their_targets() -> None:
    record = read(
        {
            "group_0": {
                "weights": args(8, "float", "channel"),
                "targets": ["re:.*self_attn.*", "model.layers.0.mlp.up"],
            },
            "group_1": {"weights": args(4, "int", "group", 32), "targets": ["re:.*experts.*"]},
        },
        format="mixed-precision",
    )
    assert (record.algorithm, record.bits, record.packing) == ("MIXED_PRECISION", 0, "mixed-precision")
    assert record.layers == {"model.layers.0.mlp.up": "FP8_W8A16"}
    assert record.layer_patterns == (("re:.*self_attn.*", "FP8_W8A16"), ("re:.*experts.*", "W4A16"))
    assert record.targets == ("re:.*self_attn.*", "model.layers.0.mlp.up", "re:.*experts.*")
    assert record.tensors == ("FP8", "INT4")


def test_a_group_of_all_linear_layers_leaves_no_other_target() -> None:
    assert read({"W4A16": ["Linear"]}).targets == ()


def test_the_containers_words_and_version_are_kept() -> None:
    record = read(
        {"W4A16": ["Linear"]},
        format="pack-quantized",
        quantization_status="compressed",
        version="0.12.2",
        sparsity_config={"format": "dense"},
        ignore=["lm_head", "re:visual.*"],
    )
    assert (record.packing, record.producer) == ("pack-quantized", "compressed-tensors 0.12.2")
    assert record.excluded == ("lm_head", "re:visual.*")
    shown = {e.field.removeprefix("quantization_config.") for e in record.evidence}
    assert {"format", "quantization_status", "sparsity_config"} <= shown


def test_the_block_may_lie_inside_compression_config() -> None:
    inner = {"quant_method": "compressed-tensors", "config_groups": {"W8A8": ["Linear"]}}
    record = from_config({"compression_config": {"quant_method": "compressed_tensors", "quantization_config": inner}})
    assert record is not None
    assert (record.method, record.algorithm) == ("compressed-tensors", "W8A8")
    assert record.evidence[0].field.startswith("compression_config.quantization_config.")


@pytest.mark.parametrize("more", [{"kv_cache_scheme": {"num_bits": 8, "type": "float"}}, {"sparsity_config": {}}])
def test_without_groups_the_weights_are_not_quantized(more: dict[str, Any]) -> None:
    record = read({}, **more)
    assert (record.algorithm, record.known) == ("", True)
    assert record.kv_cache == ("FP8" if "kv_cache_scheme" in more else "")


@pytest.mark.parametrize(
    "groups",
    [
        None,
        ["Linear"],
        {"group_0": {"weights": {"num_bits": "4"}, "targets": ["Linear"]}},
        {"group_0": {"weights": args(3, "float", "tensor"), "targets": ["Linear"]}},
        {"group_0": "Linear"},
        {"W9A99": ["Linear"]},
    ],
)
def test_a_scheme_that_cannot_be_read_is_unknown_with_its_fields(groups: Any) -> None:
    record = read(groups)
    assert (record.algorithm, record.known) == ("UNKNOWN", False)
    assert "config_groups" in record.evidence[-1].value


def test_four_bits_of_another_group_size_are_no_nvfp4_cache() -> None:
    scheme = {"num_bits": 4, "type": "float", "group_size": 64}
    record = read({"W4A16": ["Linear"]}, kv_cache_scheme=scheme)
    assert (record.kv_cache, record.known_kv) == ("FLOAT4", False)
