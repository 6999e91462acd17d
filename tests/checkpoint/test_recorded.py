"""Every method and spelling that a config.json may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quantgate.checkpoint import serving, tables
from quantgate.checkpoint.quantization import QuantizationRecord, detect
from quantgate.checkpoint.source import resolve_model

from .made import checkpoint


def read(directory: Path, quantization: dict[str, Any], **config: Any) -> QuantizationRecord:
    return detect(resolve_model(str(checkpoint(directory, quantization, **config))))


@pytest.mark.parametrize("algorithm", sorted(tables.methods().modelopt))
@pytest.mark.parametrize("spell", [str.upper, str.lower])
def test_every_modelopt_algorithm_is_known_in_both_spellings(tmp_path: Path, algorithm: str, spell: Any) -> None:
    record = read(tmp_path, {"quant_method": "modelopt", "quant_algo": spell(algorithm)})
    assert (record.quantized, record.known, record.method, record.algorithm) == (True, True, "modelopt", algorithm)


# What a method's block cannot do without; the others are read from bits and group_size or need nothing.
LEAST: dict[str, dict[str, Any]] = {
    "bitsandbytes": {"load_in_8bit": True},
    "compressed-tensors": {"config_groups": {"W4A16": ["Linear"]}},
    "quark": {"global_quant_config": {"weight": {"dtype": "fp8_e4m3", "qscheme": "per_tensor"}}},
    "torchao": {"quant_type": {"default": {"_type": "Int8WeightOnlyConfig", "_data": {}}}},
}


@pytest.mark.parametrize("method", sorted(tables.methods().foreign))
def test_every_foreign_method_is_named_with_what_serves_it(tmp_path: Path, method: str) -> None:
    block = {"quant_method": method, "bits": 4, "group_size": 64} | LEAST.get(method, {})
    record = read(tmp_path, block)
    assert (record.quantized, record.known, record.method) == (True, True, method)
    advice = serving.advise(record, "vllm", None)
    assert advice.reason.endswith((".", ")")) or len(advice.reason) > 20
    assert advice.served_by or advice.supported is not True


@pytest.mark.parametrize(
    "quantization",
    [
        {"quant_method": "brand_new", "secret_sauce": 3},
        {"quant_method": "modelopt", "quant_algo": "NVFP3_TURBO"},
        {"bits": 4},
    ],
)
def test_an_unknown_format_is_unknown_with_its_raw_fields(tmp_path: Path, quantization: dict[str, Any]) -> None:
    record = read(tmp_path, quantization)
    assert record.quantized
    assert not record.known
    raw = " ".join(e.value for e in record.evidence)
    assert all(key in raw for key in quantization)
    assert serving.advise(record, "vllm", None).supported is None


@pytest.mark.parametrize(
    ("weights", "inputs", "algorithm", "bits"),
    [
        ({"num_bits": 8, "type": "float"}, {"num_bits": 8, "type": "float"}, "FP8", 8),
        ({"num_bits": 4, "type": "float", "group_size": 16}, {"num_bits": 4, "type": "float"}, "NVFP4", 4),
        ({"num_bits": 4, "type": "float", "group_size": 16}, None, "NVFP4A16", 4),
        ({"num_bits": 4, "type": "float", "group_size": 32}, None, "MXFP4A16", 4),
        ({"num_bits": 8, "type": "int"}, {"num_bits": 8, "type": "int"}, "W8A8", 8),
        ({"num_bits": 4, "type": "int", "group_size": 128}, None, "W4A16", 4),
    ],
)
def test_compressed_tensors_names_its_scheme(
    tmp_path: Path, weights: dict[str, Any], inputs: dict[str, Any] | None, algorithm: str, bits: int
) -> None:
    group = {"weights": weights, "input_activations": inputs, "targets": ["Linear"]}
    record = read(
        tmp_path,
        {
            "quant_method": "compressed-tensors",
            "config_groups": {"group_0": group},
            "ignore": ["lm_head"],
            "kv_cache_scheme": {"num_bits": 8, "type": "float"},
        },
    )
    assert (record.algorithm, record.bits, record.group_size) == (algorithm, bits, weights.get("group_size", 0))
    assert (record.excluded_modules, record.kv_cache_algorithm) == (("lm_head",), "FP8")


@pytest.mark.parametrize(
    ("scheme", "algorithm"),
    [
        ({"num_bits": 8, "type": "float"}, "FP8"),
        ({"num_bits": 4, "type": "float"}, "NVFP4"),
        ("fp8", "FP8"),
        ("NVFP4_AFFINE", "NVFP4_AFFINE"),
        (None, ""),
    ],
)
def test_the_kv_cache_is_read_in_every_spelling(tmp_path: Path, scheme: Any, algorithm: str) -> None:
    record = read(tmp_path, {"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_scheme": scheme})
    assert record.kv_cache_algorithm == algorithm


def test_bitsandbytes_says_its_bits(tmp_path: Path) -> None:
    four = read(tmp_path / "4", {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"})
    eight = read(tmp_path / "8", {"quant_method": "bitsandbytes", "load_in_8bit": True})
    assert [(r.algorithm, r.bits) for r in (four, eight)] == [("NF4", 4), ("INT8", 8)]


def test_a_record_inside_the_language_models_part_is_found(tmp_path: Path) -> None:
    checkpoint(tmp_path, None, text_config={"quantization_config": {"quant_method": "awq", "bits": 4}})
    assert detect(resolve_model(str(tmp_path))).method == "awq"


def test_only_a_quantized_kv_cache_is_quantized_without_an_algorithm(tmp_path: Path) -> None:
    record = read(tmp_path, {"quant_method": "modelopt", "quant_algo": None, "kv_cache_scheme": "FP8"})
    assert (record.quantized, record.algorithm, record.kv_cache_algorithm) == (True, "", "FP8")
