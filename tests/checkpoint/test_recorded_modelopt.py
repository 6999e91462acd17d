"""What ModelOpt's two files record: algorithms, single layers, the KV cache, exclusions, the producer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from quantgate.checkpoint import tables
from quantgate.checkpoint.record.module_patterns import assigned
from quantgate.checkpoint.record.recorded import Recorded, from_config, from_legacy

from .made import SAMPLES

UP, Q = "model.layers.0.mlp.up_proj", "model.layers.0.self_attn.q_proj"
EIGHT = {"dynamic": False, "num_bits": 8, "type": "float"}


def four(size: int = 16) -> dict[str, Any]:
    return {"dynamic": False, "num_bits": 4, "type": "float", "group_size": size}


def config(**block: Any) -> Recorded:
    record = from_config({"quantization_config": {"quant_method": "modelopt"} | block})
    assert record is not None
    return record


def legacy(**block: Any) -> Recorded:
    record = from_legacy({"producer": {"name": "modelopt", "version": "0.47.0"}, "quantization": block})
    assert record is not None
    return record


@pytest.mark.parametrize("algorithm", ["fp8_pb_wo", "fp8_pb_real", "mxfp4"])
def test_algorithms_that_modelopt_writes_in_lower_case_are_known(algorithm: str) -> None:
    record = legacy(quant_algo=algorithm)
    assert (record.algorithm, record.known) == (algorithm.upper(), True)


def test_both_files_of_an_export_give_the_same_layers() -> None:
    sample = SAMPLES / "mixed_nvfp4_mlp_fp8_attn"
    one = from_config(json.loads((sample / "config.json").read_text()))
    other = from_legacy(json.loads((sample / "hf_quant_config.json").read_text()))
    assert one is not None
    assert other is not None
    assert one.layers == other.layers
    assert [(g.algorithm, g.group_size, g.count) for g in one.groups] == [("FP8", 0, 8), ("NVFP4", 16, 6)]
    assert (one.group_size, one.tensors, one.producer) == (16, ("FP8", "NVFP4"), "modelopt 0.47.0")


def test_groups_alone_tell_the_layers() -> None:
    sample = json.loads((SAMPLES / "mixed_nvfp4_mlp_fp8_attn" / "config.json").read_text())
    listed = from_config(sample)
    del sample["quantization_config"]["quantized_layers"]
    grouped = from_config(sample)
    assert listed is not None
    assert grouped is not None
    assert grouped.layers == listed.layers
    assert grouped.known


# ModelOpt 0.47.0 export/convert_hf_config.py, `_quant_algo_to_group_config`.
@pytest.mark.parametrize(
    ("group", "algorithm"),
    [
        ({"input_activations": EIGHT, "weights": EIGHT}, "FP8"),
        ({"input_activations": EIGHT, "weights": EIGHT | {"strategy": "channel"}}, "FP8_PER_CHANNEL_PER_TOKEN"),
        ({"input_activations": four(), "weights": four()}, "NVFP4"),
        ({"weights": four()}, "W4A16_NVFP4"),
        ({"weights": four() | {"type": "int", "group_size": 128}}, "W4A16_AWQ"),
        ({"input_activations": four(), "weights": four(), "pre_quant_scale": True}, "NVFP4_SVD"),
        ({"weights": EIGHT | {"type": "int"}}, "W8A16"),
        ({"input_activations": EIGHT | {"type": "int"}, "weights": EIGHT | {"type": "int"}}, "W8A8_SQ_PER_CHANNEL"),
        ({"input_activations": EIGHT, "weights": four()}, "W4A8_NVFP4_FP8"),
        ({"input_activations": EIGHT, "weights": four(32)}, "W4A8_MXFP4_FP8"),
        ({"input_activations": EIGHT | {"group_size": 32}, "weights": EIGHT | {"group_size": 32}}, "MXFP8"),
        ({"quant_algo": "fp8_pb_wo"}, "FP8_PB_WO"),
    ],
)
def test_a_group_is_read_as_the_algorithm_that_modelopt_describes_so(group: dict[str, Any], algorithm: str) -> None:
    record = config(quant_algo="MIXED_PRECISION", config_groups={"group_0": group | {"targets": [UP]}})
    assert (record.layers, record.known) == ({UP: algorithm}, True)


def test_a_group_that_two_algorithms_share_is_not_guessed() -> None:
    group = {"input_activations": EIGHT | {"group_size": 128}, "weights": four(128), "targets": [UP]}
    record = config(quant_algo="MIXED_PRECISION", config_groups={"group_0": group})
    assert (record.layers[UP], record.known) == ("UNKNOWN", False)
    assert "config_groups" in record.evidence[-1].value


def test_a_wildcard_among_the_layers_is_a_pattern_and_no_layer() -> None:
    record = legacy(
        quant_algo="MIXED_PRECISION",
        quantized_layers={
            Q: {"quant_algo": "fp8"},
            "model.layers.*.mlp*": {"quant_algo": "W4A16_AWQ", "group_size": 128, "pre_quant_scale": True},
        },
    )
    assert record.layers == {Q: "FP8"}
    assert record.layer_patterns == (("model.layers.*.mlp*", "W4A16_AWQ"),)
    find = assigned(record.layers, record.layer_patterns)
    assert [find(n) for n in (Q, "model.layers.7.mlp.up_proj", f"{Q}.shard", "lm_head")] == [
        "FP8",
        "W4A16_AWQ",
        "FP8",
        "",
    ]
    assert record.groups[1].group_size == 128


def test_a_layer_with_an_unknown_algorithm_makes_the_record_unknown() -> None:
    record = legacy(quant_algo="MIXED_PRECISION", quantized_layers={Q: {"quant_algo": "FP8"}, UP: {"quant_algo": "X9"}})
    assert (record.layers[UP], record.known, record.tensors) == ("X9", False, ())


def test_layers_speak_where_the_whole_has_no_algorithm() -> None:
    one = {"quant_algo": "FP8"}
    assert legacy(quant_algo=None, quantized_layers={Q: one}).algorithm == "FP8"
    two = legacy(quant_algo=None, quantized_layers={Q: one, UP: {"quant_algo": "NVFP4"}})
    assert (two.algorithm, two.known) == ("MIXED_PRECISION", True)


def test_an_algorithm_of_the_wrong_type_is_unknown_and_not_unquantized() -> None:
    record = config(quant_algo=["FP8"])
    assert (record.algorithm, record.known) == ("UNKNOWN", False)
    assert record.problems == ("quantization_config.quant_algo names no algorithm",)


@pytest.mark.parametrize(
    ("value", "algorithm", "known"),
    [
        ("FP8", "FP8", True),
        ("fp8", "FP8", True),
        ("fp8_e4m3", "FP8", True),
        ("INT8", "INT8", True),
        ("nvfp4_affine", "NVFP4_AFFINE", True),
        ("NVFP4_ROTATE", "NVFP4_ROTATE", True),
        ({"dynamic": False, "num_bits": 4, "type": "float"}, "NVFP4", True),
        ({"num_bits": 8, "type": "int"}, "INT8", True),
        ({"quant_algo": "nvfp4"}, "NVFP4", True),
        (None, "", True),
        ("my_cache", "my_cache", False),
        ({"num_bits": 6, "type": "float"}, "FLOAT6", False),
        ({"num_bits": "8"}, "UNKNOWN", False),
        (8, "UNKNOWN", False),
    ],
)
@pytest.mark.parametrize("key", ["kv_cache_scheme", "kv_cache_quant_algo"])
def test_a_kv_cache_is_known_or_kept_as_written(key: str, value: Any, algorithm: str, known: bool) -> None:
    record = config(**{"quant_algo": "FP8", key: value})
    assert (record.kv_cache, record.known_kv, record.algorithm, record.known) == (algorithm, known, "FP8", True)
    assert any(e.field.endswith(key) for e in record.evidence) == (value is not None)


def test_two_kv_caches_in_one_block_are_a_problem() -> None:
    record = config(quant_algo="FP8", kv_cache_scheme=None, kv_cache_quant_algo="FP8")
    assert (record.kv_cache, record.problems) == ("FP8", ())
    record = config(quant_algo="FP8", kv_cache_scheme="NVFP4", kv_cache_quant_algo="FP8")
    assert (record.kv_cache, len(record.problems)) == ("NVFP4", 1)


def test_exclusions_of_both_keys_are_kept_once() -> None:
    record = config(quant_algo="FP8", ignore=["lm_head", "a*"], exclude_modules=["a*", "b"])
    assert record.excluded == ("lm_head", "a*", "b")


@pytest.mark.parametrize(
    ("producer", "text"),
    [
        ({"name": "modelopt", "version": "0.47.0"}, "modelopt 0.47.0"),
        ("modelopt 0.19", "modelopt 0.19"),
        ({"name": 3}, ""),
        (None, ""),
    ],
)
def test_the_producer_is_an_object_or_text(producer: Any, text: str) -> None:
    assert config(quant_algo="FP8", producer=producer).producer == text


@pytest.mark.parametrize(
    "whole",
    [
        {"quantization_config": {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4"}}},
        {"quantization_config": {"quant_method": "modelopt_fp4", "quant_algo": "NVFP4"}},
        {"quantization_config": {"quant_algo": "NVFP4"}},
        {"quantization_config": {}, "text_config": {"quantization_config": {"quant_algo": "nvfp4"}}},
        {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": None}},
    ],
)
def test_modelopts_record_is_found_wherever_it_stands(whole: dict[str, Any]) -> None:
    record = from_config(whole)
    assert record is not None
    assert (record.method, record.algorithm, record.known) == ("modelopt", "NVFP4", True)


def test_the_legacy_file_may_be_flat() -> None:
    record = from_legacy({"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"})
    assert record is not None
    assert (record.algorithm, record.kv_cache, record.evidence[0].field) == ("FP8", "FP8", "quant_algo")


def test_every_algorithm_of_the_table_says_its_bits() -> None:
    rows = tables.methods().modelopt
    assert [name for name, row in rows.items() if not row.bits] == ["MIXED_PRECISION"]
