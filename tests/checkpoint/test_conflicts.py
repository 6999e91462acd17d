"""Wrong-precision checkpoints cannot pass unnoticed (rules D12 and D38)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from quantgate.checkpoint.quantization import QuantizationRecord, detect
from quantgate.checkpoint.source import resolve_model

from .made import SAMPLES, checkpoint, safetensors

FP8: dict[str, Any] = {"quant_method": "modelopt", "quant_algo": "FP8"}
LAYER = "model.layers.0.mlp.up_proj.weight"


def read(directory: Path) -> QuantizationRecord:
    return detect(resolve_model(str(directory)))


def one(record: QuantizationRecord, *words: str) -> None:
    assert any(all(w in c.text for w in words) for c in record.conflicts), record.conflicts


def test_a_record_of_fp8_over_bf16_tensors_is_a_conflict(tmp_path: Path) -> None:
    record = read(checkpoint(tmp_path, FP8, {LAYER: ("BF16", (4, 4))}))
    assert record.quantized
    one(record, "says FP8", "no FP8", "1 layers BF16")


def test_quantized_tensors_without_a_record_are_quantized_and_a_conflict(tmp_path: Path) -> None:
    tensors = {LAYER: ("F8_E4M3", (4, 4)), LAYER + "_scale": ("F32", ())}
    record = read(checkpoint(tmp_path, None, tensors))
    assert (record.quantized, record.method, record.algorithm) == (True, "unrecorded", "FP8")
    one(record, "no quantization is recorded", "1 layers FP8")


def test_two_files_that_disagree_are_a_conflict_and_config_json_counts(tmp_path: Path) -> None:
    legacy = {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8", "exclude_modules": ["lm_head"]}
    record = read(checkpoint(tmp_path, FP8, None, legacy))
    assert record.algorithm == "FP8"
    one(record, "config.json gives the algorithm 'FP8'", "'NVFP4'")
    one(record, "KV-cache algorithm 'none'", "'FP8'")
    one(record, "exclude different modules", "lm_head")


def test_the_legacy_file_alone_is_enough(tmp_path: Path) -> None:
    record = read(checkpoint(tmp_path, None, None, {"quant_algo": "fp8_pb_wo", "kv_cache_quant_algo": "fp8"}))
    assert (record.method, record.algorithm, record.kv_cache_algorithm) == ("modelopt", "FP8_PB_WO", "FP8")


@pytest.mark.parametrize(
    ("name", "sample", "claim"),
    [
        ("Model-NVFP4", "bf16_dense", "claims NVFP4"),
        ("Model_FP8_v2", "bf16_dense", "claims FP8"),
        ("model-w4a16", "fp8_default", "claims 4 bits"),
        ("Model-NVFP4", "fp8_default", "claims NVFP4"),
        ("Model-BF16", "nvfp4_default", "claims 16 bits"),
    ],
)
def test_a_name_that_claims_another_precision_is_a_conflict(tmp_path: Path, name: str, sample: str, claim: str) -> None:
    shutil.copytree(SAMPLES / sample, tmp_path / name)
    one(read(tmp_path / name), claim)


@pytest.mark.parametrize("name", ["Model-FP8", "Model-BF16-FP8", "Model", "fp8fp8", "Alfp8d"])
def test_a_name_that_is_right_or_claims_nothing_is_none(tmp_path: Path, name: str) -> None:
    shutil.copytree(SAMPLES / "fp8_default", tmp_path / name)
    assert read(tmp_path / name).conflicts == ()


def test_a_layer_that_the_record_does_not_exclude_must_be_quantized(tmp_path: Path) -> None:
    tensors = {
        LAYER: ("F8_E4M3", (4, 4)),
        "model.layers.0.mlp.down_proj.weight": ("BF16", (4, 4)),
        "model.layers.0.self_attn.q_proj.weight": ("BF16", (4, 4)),
        "lm_head.weight": ("F8_E4M3", (4, 4)),
    }
    record = read(checkpoint(tmp_path, FP8 | {"ignore": ["lm_head", "*self_attn*"]}, tensors))
    one(record, "1 layers are not quantized", "mlp.down_proj")
    one(record, "1 layers are quantized although", "lm_head")
    assert not any("self_attn" in c.text for c in record.conflicts)


def test_a_mixed_layer_in_another_format_is_named(tmp_path: Path) -> None:
    layers = {
        "model.layers.0.mlp.up_proj": {"quant_algo": "NVFP4"},
        "model.layers.0.mlp.gate_proj": {"quant_algo": "FP8"},
    }
    quantization = {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": layers}
    tensors = {LAYER: ("F8_E4M3", (4, 4)), LAYER.replace("up_proj", "gate_proj"): ("F8_E4M3", (4, 4))}
    one(read(checkpoint(tmp_path, quantization, tensors)), "up_proj is FP8, not NVFP4")


def test_missing_shards_and_tensors_are_named(tmp_path: Path) -> None:
    checkpoint(tmp_path)
    safetensors(tmp_path / "model-00001-of-00002.safetensors", {"a.weight": ("BF16", (2, 2))})
    assert read(tmp_path).missing_shards == ("model-00002-of-00002.safetensors",)
    weight_map = dict.fromkeys(("a.weight", "b.weight"), "model-00001-of-00002.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    record = read(tmp_path)
    assert record.missing_shards == ()
    one(record, "index places tensors", "b.weight")


def test_shards_are_summed_through_the_index(tmp_path: Path) -> None:
    checkpoint(tmp_path)
    for part in (1, 2):
        safetensors(tmp_path / f"model-0000{part}-of-00002.safetensors", {f"l{part}.weight": ("BF16", (4, 8))})
    weight_map = {f"l{part}.weight": f"model-0000{part}-of-00002.safetensors" for part in (1, 2)}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    record = read(tmp_path)
    assert record.parameters == 64
    assert record.weights_bytes == sum(p.stat().st_size for p in tmp_path.glob("*.safetensors"))


def test_kv_scales_without_a_record_are_a_conflict(tmp_path: Path) -> None:
    tensors = {
        "model.layers.0.self_attn.k_proj.weight": ("F8_E4M3", (4, 4)),
        "model.layers.0.self_attn.k_proj.k_scale": ("F32", ()),
    }
    one(read(checkpoint(tmp_path, FP8, tensors)), "KV cache", "self_attn.k_proj")


def test_scales_without_a_weight_and_beside_a_plain_weight_are_a_conflict(tmp_path: Path) -> None:
    tensors = {
        LAYER: ("F8_E4M3", (4, 4)),
        "model.layers.0.mlp.gate_proj.weight": ("BF16", (4, 4)),
        "model.layers.0.mlp.gate_proj.weight_scale": ("F32", ()),
        "model.layers.0.mlp.down_proj.weight_scale": ("F32", ()),
    }
    record = read(checkpoint(tmp_path, FP8, tensors))
    one(record, "scales lie beside weights that are not quantized", "gate_proj")
    one(record, "scales without a weight", "down_proj")


def test_a_tensor_in_two_files_is_a_conflict(tmp_path: Path) -> None:
    checkpoint(tmp_path)
    for part in (1, 2):
        safetensors(tmp_path / f"model-0000{part}-of-00002.safetensors", {"a.weight": ("BF16", (2, 2))})
    one(read(tmp_path), "more than one file", "a.weight")


def test_a_quantized_vision_tower_is_a_conflict_and_a_plain_one_is_evidence(tmp_path: Path) -> None:
    tower = "model.visual.blocks.0.mlp.up_proj.weight"
    scales = {LAYER + "_scale": ("F32", ()), tower + "_scale": ("F32", ())}
    broken = read(checkpoint(tmp_path / "a", FP8, {LAYER: ("F8_E4M3", (4, 4)), tower: ("F8_E4M3", (4, 4))} | scales))
    one(broken, "1 layers of the vision", "near 0", "visual.blocks.0")
    assert [c.kind for c in broken.conflicts] == ["vision"]
    excluded = FP8 | {"ignore": ["model.visual*"]}
    plain = {LAYER: ("F8_E4M3", (4, 4)), LAYER + "_scale": ("F32", ()), tower: ("BF16", (4, 4))}
    sound = read(checkpoint(tmp_path / "b", excluded, plain))
    assert sound.conflicts == ()
    assert sound.vision == {"BF16": 1}
    assert any("vision" in e.field and "BF16" in e.value for e in sound.evidence)


def test_exclusions_are_held_to_the_layers_however_they_are_written(tmp_path: Path) -> None:
    tensors = {f"model.layers.{n}.mlp.up_proj.weight": ("F8_E4M3", (4, 4)) for n in range(12)}
    patterns = ["model.layers.1", "model.layers.2*", "*.3.mlp*", "model.layers.4.mlp.up_proj"]
    record = read(checkpoint(tmp_path, FP8 | {"ignore": patterns}, tensors))
    # `model.layers.1` is not `model.layers.10`.
    one(record, "4 layers are quantized although", "layers.1.mlp", "layers.2.mlp", "layers.3.mlp", "1 more")


QWEN_VL = {
    "model.layers.0.mlp.up_proj.weight": ("F8_E4M3", (4, 4)),
    "model.layers.0.mlp.up_proj.weight_scale": ("F32", ()),
    "visual.blocks.0.attn.qkv.weight": ("BF16", (4, 4)),
    "visual.blocks.1.attn.qkv.weight": ("BF16", (4, 4)),
    "multi_modal_projector.mm_input_projection_weight": ("BF16", (4, 4)),
}


@pytest.mark.parametrize(
    "ignore",
    [
        ["model.visual*"],
        ["model.visual.blocks.0.attn.qkv", "model.visual.blocks.1.attn.qkv"],
        ["re:model\\.visual.*"],
        ["visual.blocks.0", "visual.blocks.1"],
    ],
)
@pytest.mark.parametrize("method", ["modelopt", "compressed-tensors"])
def test_modules_that_are_named_otherwise_in_memory_are_excluded_all_the_same(
    tmp_path: Path, ignore: list[str], method: str
) -> None:
    weights = {"num_bits": 8, "type": "float", "strategy": "channel"}
    block: dict[str, Any] = {"quant_method": method, "ignore": ignore}
    block |= (
        {"quant_algo": "FP8"}
        if method == "modelopt"
        else {"config_groups": {"g": {"targets": ["Linear"], "weights": weights}}}
    )
    assert read(checkpoint(tmp_path, block, QWEN_VL)).conflicts == ()


def test_layers_of_a_mixed_record_must_be_listed_and_be_there(tmp_path: Path) -> None:
    listed = {
        "model.layers.0.mlp.up_proj": {"quant_algo": "FP8"},
        "model.layers.0.mlp.gone_up_proj": {"quant_algo": "FP8"},
    }
    quantization = {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": listed}
    tensors = {
        LAYER: ("F8_E4M3", (4, 4)),
        LAYER + "_scale": ("F32", ()),
        "model.layers.0.mlp.down_proj.weight": ("U8", (4, 4)),
        "model.layers.0.mlp.down_proj.weight_scale": ("F8_E4M3", (4, 1)),
        "model.layers.0.mlp.down_proj.weight_scale_2": ("F32", ()),
    }
    record = read(checkpoint(tmp_path, quantization, tensors))
    one(record, "1 layers are stored quantized", "does not list", "down_proj (NVFP4)")
    one(record, "1 layers that config.json lists have no tensors", "gone_up_proj")


@pytest.mark.parametrize(
    ("algorithm", "tensors"),
    [
        ("FP8", {LAYER: ("F8_E4M3", (4, 4)), "model.layers.0.mlp.up_proj.input_scale": ("F32", ())}),
        ("NVFP4", {LAYER: ("U8", (4, 4)), LAYER + "_scale": ("F8_E4M3", (4, 1))}),
    ],
)
def test_a_quantized_weight_without_its_scale_is_a_conflict(tmp_path: Path, algorithm: str, tensors: Any) -> None:
    record = read(checkpoint(tmp_path, FP8 | {"quant_algo": algorithm}, tensors))
    one(record, "1 quantized weights lack a scale", "up_proj")


def test_a_bitnet_layer_has_four_weights_in_a_byte(tmp_path: Path) -> None:
    record = read(
        checkpoint(
            tmp_path,
            {"quant_method": "bitnet"},
            {LAYER: ("U8", (4, 16)), LAYER + "_scale": ("BF16", (1,))},
        )
    )
    assert (dict(record.layers), record.parameters) == ({"INT2": 1}, 256)


@pytest.mark.parametrize("value", [[], {}, "x"])
def test_a_malformed_block_is_neither_understood_nor_called_unquantized(tmp_path: Path, value: object) -> None:
    from quantgate.checkpoint.serving import advise

    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": value}))
    record = read(tmp_path)
    assert not record.known
    assert record.conflicts
    advice = advise(record, "vllm", None)
    assert (advice.supported, "not quantized" in advice.reason) == (None, False)


@pytest.mark.parametrize("word", ["none", "auto", "None"])
def test_words_for_no_kv_quantization_are_none(tmp_path: Path, word: str) -> None:
    record = read(checkpoint(tmp_path, FP8 | {"kv_cache_scheme": word}))
    assert (record.kv_cache_algorithm, record.known_kv) == ("", True)


def test_lower_case_algorithms_are_read_by_vllm_and_not_by_sglang(tmp_path: Path) -> None:
    from quantgate.checkpoint.serving import advise

    record = read(checkpoint(tmp_path, FP8 | {"quant_algo": "nvfp4"}))
    assert record.algorithm == "NVFP4"
    assert advise(record, "vllm", None).supported is True
    refused = advise(record, "sglang", None)
    assert refused.supported is False
    assert "write NVFP4" in refused.reason
