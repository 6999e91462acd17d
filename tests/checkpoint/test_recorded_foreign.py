"""What the files of other methods record. The blocks are those that Transformers 5.23.0, vLLM 0.33.0 and the tools write."""

from __future__ import annotations

from typing import Any

import pytest

from quantgate.checkpoint.record.recorded import Recorded, from_config


def read(block: Any) -> Recorded:
    record = from_config({"quantization_config": block})
    assert record is not None
    return record


def torchao(kind: str, **data: Any) -> dict[str, Any]:
    return {"_type": kind, "_version": 1, "_data": data}


def quark(weight: Any, inputs: Any = None, **more: Any) -> dict[str, Any]:
    spec = {"bias": None, "input_tensors": inputs, "output_tensors": None, "weight": weight}
    return {"quant_method": "quark", "global_quant_config": spec, "version": "0.12"} | more


MX = {"qscheme": "per_group", "group_size": 32, "scale_format": "e8m0"}
FOUR = {"dtype": "fp4", "qscheme": "per_group", "group_size": 16}
TENSOR = {"dtype": "fp8_e4m3", "qscheme": "per_tensor", "group_size": None}


@pytest.mark.parametrize(
    ("block", "algorithm", "bits", "group", "inner"),
    [
        ({"quant_method": "gptq", "bits": 8, "group_size": 32}, "GPTQ", 8, 32, 16),
        ({"quant_method": "gptq", "bits": 4, "group_size": -1}, "GPTQ", 4, 0, 16),
        ({"quant_method": "gptq_marlin", "bits": 4, "group_size": 128}, "GPTQ", 4, 128, 16),
        ({"quant_method": "awq", "w_bit": 4, "q_group_size": 64, "version": "GEMM"}, "AWQ", 4, 64, 16),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "FP4", 4, 0, 16),
        ({"load_in_8bit": True, "load_in_4bit": False}, "INT8", 8, 0, 0),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "FP8", 8, 128, 8),
        ({"quant_method": "fp8", "weight_block_size": None, "activation_scheme": "static"}, "FP8", 8, 0, 8),
        ({"quant_method": "mxfp8", "weight_block_size": [1, 32]}, "MXFP8", 8, 32, 8),
        ({"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0}, "FP8", 8, 0, 8),
        ({"quant_method": "mxfp4"}, "MXFP4", 4, 0, 16),
        ({"quant_method": "gpt_oss_mxfp4"}, "MXFP4", 4, 0, 16),
        (
            {"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 4, "group_size": 64}}},
            "HQQ",
            4,
            64,
            16,
        ),
        ({"quant_method": "quanto", "weights": "float8", "activations": None}, "FP8", 8, 0, 16),
        ({"quant_method": "quanto", "weights": "int4", "activations": "int8"}, "INT4", 4, 0, 8),
        ({"quant_method": "eetq", "weights": "int8"}, "INT8", 8, 0, 16),
        ({"quant_method": "higgs", "bits": 4, "p": 2, "group_size": 256}, "HIGGS", 4, 256, 0),
        ({"quant_method": "bitnet", "linear_class": "bitlinear"}, "BITNET", 2, 0, 0),
        ({"quant_method": "fp_quant", "forward_dtype": "mxfp4", "hadamard_group_size": 128}, "MXFP4", 4, 32, 0),
        ({"quant_method": "fouroversix", "dtype": "nvfp4", "weight_dtype": None}, "NVFP4", 4, 16, 0),
        ({"quant_method": "spqr", "bits": 3, "beta1": 16, "beta2": 16}, "SPQR", 3, 0, 16),
        ({"quant_method": "sinq", "nbits": 4, "group_size": 64}, "SINQ", 4, 64, 16),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 128, "data_type": "int"}, "AUTO_ROUND", 4, 128, 0),
        ({"quant_method": "intel/auto-round", "bits": 2, "group_size": 32}, "AUTO_ROUND", 2, 32, 0),
        (
            {"quant_method": "auto-round", "bits": 4, "act_bits": 4, "data_type": "mx_fp", "group_size": 32},
            "MXFP4",
            4,
            32,
            4,
        ),
        ({"quant_method": "auto-round", "bits": 8, "data_type": "fp", "group_size": [128, 128]}, "FP8", 8, 128, 0),
        ({"quant_method": "blockwise_int8", "weight_block_size": [128, 128]}, "BLOCKWISE_INT8", 8, 128, 8),
        (quark(TENSOR, TENSOR), "FP8", 8, 0, 8),
        (quark({"dtype": "fp4"} | MX, {"dtype": "fp4"} | MX), "MXFP4", 4, 32, 4),
        (quark({"dtype": "fp6_e2m3"} | MX), "MXFP6", 6, 32, 16),
        (quark([FOUR, TENSOR], [FOUR, TENSOR]), "NVFP4", 4, 16, 4),
        (quark({"dtype": "uint4", "qscheme": "per_group", "group_size": 128}), "W4A16", 4, 128, 16),
        (quark({"dtype": "int8"}, {"dtype": "int8"}), "W8A8", 8, 0, 8),
        (quark([TENSOR, {"dtype": "int4", "qscheme": "per_channel"}], TENSOR), "INT4_FP8", 4, 0, 8),
    ],
)
def test_a_method_says_its_algorithm_bits_and_groups(
    block: dict[str, Any], algorithm: str, bits: int, group: int, inner: int
) -> None:
    record = read(block)
    found = (record.algorithm, record.bits, record.group_size, record.activation_bits)
    assert found == (algorithm, bits, group, inner)
    assert record.known


@pytest.mark.parametrize(
    ("kind", "data", "algorithm", "bits", "inner"),
    [
        ("Int4WeightOnlyConfig", {"group_size": 64}, "INT4_WEIGHT_ONLY", 4, 16),
        ("Int8DynamicActivationInt4WeightConfig", {"group_size": 64}, "INT8_DYNAMIC_ACTIVATION_INT4_WEIGHT", 4, 8),
        ("Float8DynamicActivationFloat8WeightConfig", {}, "FLOAT8_DYNAMIC_ACTIVATION_FLOAT8_WEIGHT", 8, 8),
        (
            "IntxWeightOnlyConfig",
            {"weight_dtype": {"_type": "torch.dtype", "_data": "int3"}},
            "INTX_WEIGHT_ONLY",
            3,
            16,
        ),
    ],
)
def test_torchao_is_told_by_the_class_of_its_configuration(
    kind: str, data: dict[str, Any], algorithm: str, bits: int, inner: int
) -> None:
    record = read({"quant_method": "torchao", "quant_type": {"default": torchao(kind, **data)}})
    assert (record.algorithm, record.bits, record.activation_bits) == (algorithm, bits, inner)
    assert (record.group_size, record.known) == (data.get("group_size", 0), True)


def test_torchaos_granularity_has_the_group_size() -> None:
    data = {"weight_dtype": "int4", "granularity": {"_type": "PerGroup", "_version": 1, "_data": {"group_size": 32}}}
    record = read({"quant_method": "torchao", "quant_type": {"default": torchao("IntxWeightOnlyConfig", **data)}})
    assert (record.bits, record.group_size) == (4, 32)
    both = [{"default": torchao("UIntXWeightOnlyConfig", dtype="uint4")}, "uintx_weight_only"]
    found = [read({"quant_method": "torchao", "quant_type": kind}) for kind in both]
    assert [(r.algorithm, r.known) for r in found] == [("UINTX_WEIGHT_ONLY", True)] * 2


def test_torchaos_older_word_is_the_same_algorithm() -> None:
    record = read(
        {"quant_method": "torchao", "quant_type": "int4_weight_only", "quant_type_kwargs": {"group_size": 128}}
    )
    assert (record.algorithm, record.bits, record.group_size) == ("INT4_WEIGHT_ONLY", 4, 128)


def test_a_torchao_class_that_is_not_known_is_named_and_unknown() -> None:
    record = read({"quant_method": "torchao", "quant_type": {"default": torchao("Int1MagicConfig", bits=1)}})
    assert (record.algorithm, record.known, record.bits) == ("INT1_MAGIC", False, 0)
    assert "Int1MagicConfig" in record.evidence[-1].value


def test_torchao_by_module_is_mixed_and_null_excludes() -> None:
    modules = {
        "_default": torchao("Int8WeightOnlyConfig"),
        "re:.*experts.*": torchao("Int4WeightOnlyConfig", group_size=32),
        "lm_head": None,
    }
    block = {"quant_type": {"default": torchao("FqnToConfig", fqn_to_config=modules)}, "quant_method": "torchao"}
    record = read(block)
    assert (record.algorithm, record.bits, record.excluded) == ("MIXED_PRECISION", 0, ("lm_head",))
    assert record.layer_patterns == (("re:.*experts.*", "INT4_WEIGHT_ONLY"),)


def test_quark_tells_mixed_layers_from_those_of_the_kv_cache() -> None:
    key = {"weight": TENSOR, "input_tensors": TENSOR, "output_tensors": TENSOR}
    export = {"kv_cache_group": ["*k_proj", "*v_proj"], "pack_method": "reorder"}
    plain = read(quark(TENSOR, TENSOR, layer_quant_config={"*k_proj": key, "*v_proj": key}, export=export))
    assert (plain.algorithm, plain.kv_cache, plain.packing, plain.producer) == ("FP8", "FP8", "reorder", "quark 0.12")
    experts = {"weight": {"dtype": "fp4"} | MX, "input_tensors": {"dtype": "fp4"} | MX}
    mixed = read(quark(TENSOR, TENSOR, layer_quant_config={"*experts*": experts}, exclude=["lm_head", "re:.*gate"]))
    assert (mixed.algorithm, mixed.kv_cache, mixed.bits) == ("MIXED_PRECISION", "", 0)
    assert mixed.layer_patterns == (("*experts*", "MXFP4"),)
    assert (mixed.tensors, mixed.excluded) == (("FP8", "MXFP4"), ("lm_head", "re:.*gate"))


def test_aqlm_has_the_bits_of_its_codes() -> None:
    block = {"quant_method": "aqlm", "nbits_per_codebook": 8, "num_codebooks": 2, "in_group_size": 8}
    two = read(block | {"out_group_size": 1, "linear_weights_not_to_quantize": ["lm_head.weight"]})
    assert (two.bits, two.bits_per_weight, two.group_size) == (2, 2.0, 8)
    assert two.excluded == ("lm_head.weight",)
    odd = read(block | {"out_group_size": 1, "nbits_per_codebook": 15, "num_codebooks": 1})
    assert (odd.bits, odd.bits_per_weight) == (0, 1.875)


def test_gptqmodels_dynamic_rules_exclude_and_change_bits() -> None:
    rules = {"-:.*moe.*": {}, r"+:.*\.1\..*": {"bits": 8}, r".*\.2\..*": {"bits": 8, "group_size": 64}}
    meta = {"quantizer": ["gptqmodel:1.9.0"]}
    block = {"quant_method": "gptq", "bits": 4, "group_size": 128, "dynamic": rules, "checkpoint_format": "gptq_v2"}
    record = read(block | {"meta": meta, "block_name_to_quantize": "model.layers"})
    assert (record.bits, record.excluded, record.packing) == (4, ("-:.*moe.*",), "gptq_v2")
    assert (record.producer, record.targets) == ("gptqmodel 1.9.0", ("model.layers",))
    assert [(g.bits, g.group_size, g.count) for g in record.groups] == [(4, 128, 0), (8, 128, 1), (8, 64, 1)]


def test_auto_round_says_its_version_blocks_and_exceptions() -> None:
    extra = {"lm_head": {"bits": 16}, r".*mlp\.gate.*": {"bits": 16, "data_type": "float"}, "a.b": {"bits": 8}}
    record = read(
        {
            "quant_method": "auto-round",
            "bits": 4,
            "group_size": 128,
            "autoround_version": "0.17.0",
            "packing_format": "auto_round:auto_gptq",
            "block_name_to_quantize": "model.layers,visual.blocks",
            "extra_config": extra,
        }
    )
    assert (record.producer, record.packing) == ("auto-round 0.17.0", "auto_round:auto_gptq")
    assert record.excluded == ("lm_head", r"re:.*mlp\.gate.*")
    assert record.targets == ("model.layers", "visual.blocks")
    assert [(g.bits, g.targets) for g in record.groups] == [(4, ()), (8, ("a.b",))]


def test_fp4_experts_beside_fp8_are_told() -> None:
    record = read({"quant_method": "fp8", "weight_block_size": [128, 128], "expert_dtype": "fp4"})
    assert (record.algorithm, record.bits, [g.bits for g in record.groups]) == ("FP8+FP4", 0, [8, 4])


def test_awqs_version_is_its_layout_and_no_version_of_a_tool() -> None:
    record = read({"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm"})
    assert (record.packing, record.producer) == ("gemm", "")


@pytest.mark.parametrize(
    "key",
    [
        "ignore",
        "exclude_modules",
        "modules_to_not_convert",
        "llm_int8_skip_modules",
        "skip_modules",
        "ignored_layers",
        "exclude",
        "linear_weights_not_to_quantize",
    ],
)
def test_exclusions_are_read_under_every_key(key: str) -> None:
    assert read({"quant_method": "fp8", key: ["lm_head", 3, "a*"]}).excluded == ("lm_head", "a*")


@pytest.mark.parametrize(
    ("block", "word"),
    [
        ({"quant_method": "brand_new", "secret_sauce": 3}, "secret_sauce"),
        ({"quant_method": ["fp8"], "x": 1}, "quant_method"),
        ({"quant_method": 8, "quant_algo": "FP8"}, "quant_algo"),
        ({"bits": 4, "group_size": 64}, "group_size"),
        ({"quant_method": "fp_quant", "forward_dtype": "int3"}, "int3"),
        ({"quant_method": "quanto", "weights": "int1"}, "int1"),
        ({"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "posit8"}}}, "posit8"),
        ({"quant_method": "bitsandbytes"}, "bitsandbytes"),
        ({"quant_method": "auto-round", "bits": 4, "data_type": "posit"}, "posit"),
    ],
)
def test_what_is_not_known_is_quoted_and_not_guessed(block: dict[str, Any], word: str) -> None:
    record = read(block)
    assert not record.known
    assert record.algorithm
    assert word in record.evidence[-1].value


@pytest.mark.parametrize("value", ["fp8", ["fp8"], 8, True])
def test_a_record_that_is_no_object_is_reported(value: Any) -> None:
    record = read(value)
    assert (record.known, record.algorithm) == (False, "UNKNOWN")
    assert "not an object" in record.problems[0]


def test_an_empty_record_is_reported_as_neither() -> None:
    record = read({})
    assert (record.known, record.algorithm, record.problems) == (False, "", ("quantization_config is empty",))


def test_no_record_is_none() -> None:
    assert from_config({"model_type": "llama"}) is None
    assert from_config({"quantization_config": None}) is None
