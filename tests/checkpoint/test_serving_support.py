"""What serves a format, on which GPU, and what must not be set; every claim with a source."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quantgate.checkpoint import tables
from quantgate.checkpoint.quantization import detect
from quantgate.checkpoint.quantization_record import QuantizationRecord
from quantgate.checkpoint.recognised import frameworks, recognised_rows
from quantgate.checkpoint.record.recorded import Evidence
from quantgate.checkpoint.serving import advise, find_gpu, must_not_set
from quantgate.checkpoint.source import resolve_model

from .made import SAMPLES


def sample(name: str) -> QuantizationRecord:
    return detect(resolve_model(str(SAMPLES / name)))


def modelopt(algorithm: str, **fields: object) -> QuantizationRecord:
    return replace(QuantizationRecord(True, "modelopt", algorithm), **fields)  # type: ignore[arg-type]


def foreign(method: str) -> QuantizationRecord:
    return QuantizationRecord(True, method, "UNKNOWN")


def all_methods() -> list[tuple[str, tables.Method]]:
    table = tables.methods()
    return [*table.modelopt.items(), ("kv only", table.kv_only), *table.foreign.items()]


@pytest.mark.parametrize(("name", "method"), all_methods(), ids=lambda v: v if isinstance(v, str) else "")
def test_every_claim_about_serving_has_a_reason_and_a_source(name: str, method: tables.Method) -> None:
    assert {"vllm", "sglang", "trtllm"} <= set(method.serving), name
    for framework, row in method.serving.items():
        assert framework in tables.methods().frameworks
        assert row.reason, (name, framework)
        assert len(row.source) >= 8, (name, framework)
        assert row.supported is True or not (row.flags or row.min_sm), (name, framework)


VLLM_SERVES = {
    "FP8",
    "FP8_PER_CHANNEL_PER_TOKEN",
    "FP8_PB_WO",
    "NVFP4",
    "W4A16_NVFP4",
    "MXFP8",
    "MIXED_PRECISION",
}


def test_vllm_serves_the_modelopt_algorithms_of_its_backend_and_refuses_the_others() -> None:
    rows = tables.methods().modelopt
    assert {name for name, row in rows.items() if row.serving["vllm"].supported} == VLLM_SERVES
    assert {name for name, row in rows.items() if row.serving["vllm"].supported is None} == {"FP8_BLOCK_SCALES"}


@pytest.mark.parametrize("algorithm", ["NVFP4_AWQ", "W4A16_AWQ", "W4A8_AWQ"])
def test_modelopt_awq_is_refused_by_vllm_without_flags(algorithm: str) -> None:
    advice = advise(modelopt(algorithm, kv_cache_algorithm="FP8"), "vllm", None)
    assert (advice.supported, advice.flags) == (False, ())
    assert "AWQ" in advice.reason
    assert advice.source


@pytest.mark.parametrize(
    ("algorithm", "supported", "flags"),
    [
        ("FP8", True, ("--quantization modelopt_fp8",)),
        ("NVFP4", True, ("--quantization modelopt_fp4",)),
        ("W4A16_NVFP4", True, ("--quantization modelopt_fp4",)),
        ("NVFP4_AWQ", True, ("--quantization modelopt_fp4",)),
        ("MXFP8", True, ()),
        ("FP8_PB_WO", False, ()),
        ("FP8_PER_CHANNEL_PER_TOKEN", False, ()),
        ("W4A16_AWQ", False, ()),
    ],
)
def test_sglang_serves_some_modelopt_algorithms_with_its_own_values(
    algorithm: str, supported: bool, flags: tuple[str, ...]
) -> None:
    advice = advise(modelopt(algorithm), "sglang", None)
    assert (advice.supported, advice.flags) == (supported, flags)


@pytest.mark.parametrize("method", ["hqq", "quanto", "aqlm", "higgs", "bitnet"])
def test_methods_that_only_transformers_serves_are_refused_by_vllm_and_sglang(method: str) -> None:
    assert advise(foreign(method), "vllm", None).supported is False
    assert advise(foreign(method), "sglang", None).supported is False
    assert advise(foreign(method), "trtllm", None).supported is None


def test_methods_that_left_vllm_for_a_plugin_are_not_promised() -> None:
    for method in ("bitsandbytes", "gguf"):
        advice = advise(foreign(method), "vllm", None)
        assert advice.supported is None
        assert "plugin" in advice.reason


@pytest.mark.parametrize("method", ["fbgemm_fp8", "fp_quant"])
def test_methods_deprecated_in_vllm_come_with_the_flag_that_lets_them_pass(method: str) -> None:
    assert advise(foreign(method), "vllm", None).flags == ("--allow-deprecated-quantization",)


def test_a_mixed_checkpoint_is_judged_by_the_formats_of_its_layers() -> None:
    assert advise(sample("mixed_nvfp4_mlp_fp8_attn"), "vllm", None).supported is True
    assert advise(sample("mixed_nvfp4_mlp_fp8_attn"), "sglang", None).supported is True
    spoilt = modelopt("MIXED_PRECISION", layers={"NVFP4": 3, "W4A16_AWQ": 1, "BF16": 2})
    for framework in ("vllm", "sglang"):
        advice = advise(spoilt, framework, None)
        assert advice.supported is False
        assert "W4A16_AWQ" in advice.reason
    assert advise(spoilt, "trtllm", None).supported is True
    assert advise(modelopt("MIXED_PRECISION", layers={"NVFP4": 3, "INT4": 1}), "vllm", None).supported is False
    assert advise(modelopt("MIXED_PRECISION", layers={"NVFP4": 3, "U8": 1}), "vllm", None).supported is None
    assert advise(modelopt("MIXED_PRECISION", layers={"BF16": 3}), "vllm", None).supported is None


def test_sglang_takes_a_mixed_checkpoint_without_nvfp4_for_another_format() -> None:
    advice = advise(modelopt("MIXED_PRECISION", layers={"FP8": 3, "MXFP8": 1}), "sglang", None)
    assert advice.supported is False
    assert "NVFP4" in advice.reason
    assert advise(modelopt("MIXED_PRECISION", layers={"FP8": 3, "MXFP8": 1}), "vllm", None).supported is True


@pytest.mark.parametrize(("algorithm", "served"), [("MXFP8", False), ("W4A16_NVFP4", False), ("NVFP4", True)])
def test_vllm_refuses_some_algorithms_that_only_the_legacy_file_records(algorithm: str, served: bool) -> None:
    legacy = Evidence("hf_quant_config.json", "quantization.quant_algo", f'"{algorithm}"')
    config = Evidence("config.json", "quantization_config.quant_algo", f'"{algorithm}"')
    assert advise(modelopt(algorithm, evidence=(legacy,)), "vllm", None).supported is served
    assert advise(modelopt(algorithm, evidence=(config, legacy)), "vllm", None).supported is True


def test_a_quantized_kv_cache_alone_is_refused_by_vllm_and_read_by_tensorrt_llm() -> None:
    record = modelopt("", kv_cache_algorithm="FP8")
    assert advise(record, "vllm", None).supported is False
    assert advise(record, "trtllm", None).supported is True


@pytest.mark.parametrize(
    ("record", "framework", "gpu", "supported"),
    [
        (modelopt("FP8"), "vllm", "A100", True),
        (modelopt("FP8"), "vllm", "T4", False),
        (modelopt("FP8"), "sglang", "A100", False),
        (modelopt("FP8"), "sglang", "L40S", True),
        (modelopt("NVFP4"), "vllm", "H100", True),
        (modelopt("NVFP4"), "trtllm", "H100", False),
        (modelopt("NVFP4"), "trtllm", "B200", True),
        (foreign("fp_quant"), "vllm", "H100", False),
        (foreign("mxfp4"), "vllm", "T4", False),
    ],
)
def test_a_gpu_below_the_floor_of_a_format_is_not_supported(
    record: QuantizationRecord, framework: str, gpu: str, supported: bool
) -> None:
    advice = advise(record, framework, find_gpu(gpu))
    assert advice.supported is supported
    assert ("this GPU is sm_" in advice.reason) is not supported


def test_a_gpu_above_what_is_documented_leaves_it_open() -> None:
    assert advise(modelopt("W4A16_AWQ"), "trtllm", find_gpu("H100")).supported is True
    advice = advise(modelopt("W4A16_AWQ"), "trtllm", find_gpu("B200"))
    assert advice.supported is None
    assert "up to sm_90" in advice.reason


def test_a_mixed_checkpoint_on_tensorrt_llm_has_the_floor_of_its_layers() -> None:
    mixed = modelopt("MIXED_PRECISION", layers={"NVFP4": 3, "FP8": 1})
    assert advise(mixed, "trtllm", find_gpu("B200")).supported is True
    assert advise(mixed, "trtllm", find_gpu("H100")).supported is False


@pytest.mark.parametrize(("method", "bits", "supported"), [("awq", 8, False), ("awq", 4, True), ("gptq", 3, False)])
def test_bits_that_vllm_has_no_kernel_for_are_refused(method: str, bits: int, supported: bool) -> None:
    assert advise(replace(foreign(method), bits=bits), "vllm", None).supported is supported


def test_what_is_not_served_is_a_warning_too() -> None:
    assert any("AWQ" in w for w in advise(modelopt("W4A16_AWQ"), "vllm", None).warnings)


def test_fp8_without_fp8_units_is_reported_as_weight_only() -> None:
    assert any("W8A16" in w for w in advise(modelopt("FP8"), "vllm", find_gpu("A100")).warnings)
    assert not any("W8A16" in w for w in advise(modelopt("FP8"), "vllm", find_gpu("H100")).warnings)


def test_vllm_quantizes_the_activations_of_fp8_in_blocks_and_that_is_said() -> None:
    assert any("W8A8" in w for w in advise(sample("fp8_2d_blockwise_weight_only"), "vllm", None).warnings)


def test_image_floors_follow_the_framework_and_the_format() -> None:
    nvfp4, gb300 = modelopt("NVFP4"), find_gpu("GB300")
    assert any("-cu130" in w for w in advise(nvfp4, "vllm", gb300).warnings)
    sglang = advise(nvfp4, "sglang", gb300).warnings
    assert any("CUDA 13" in w for w in sglang)
    assert not any("-cu130" in w for w in sglang)
    assert not any("CUDA 13" in w for w in advise(modelopt("FP8"), "vllm", gb300).warnings)
    assert not any("CUDA" in w for w in advise(modelopt("FP8"), "vllm", find_gpu("H100")).warnings)


@pytest.mark.parametrize(
    ("kind", "framework", "flag"),
    [
        ("FP8", "vllm", "--kv-cache-dtype fp8"),
        ("FP8", "sglang", "--kv-cache-dtype fp8_e4m3"),
        ("FP8", "trtllm", "--kv_cache_dtype fp8"),
        ("NVFP4", "vllm", "--kv-cache-dtype nvfp4"),
        ("NVFP4", "sglang", "--kv-cache-dtype nvfp4"),
    ],
)
def test_each_framework_spells_the_recorded_kv_cache_its_own_way(kind: str, framework: str, flag: str) -> None:
    assert flag in advise(modelopt("NVFP4", kv_cache_algorithm=kind), framework, None).flags


@pytest.mark.parametrize("kind", ["NVFP4_AFFINE", "INT8", "NVFP4_ROTATE", "UNKNOWN"])
def test_a_kv_cache_that_a_framework_cannot_serve_is_a_warning_and_no_flag(kind: str) -> None:
    for framework in ("vllm", "sglang", "trtllm"):
        advice = advise(modelopt("FP8", kv_cache_algorithm=kind), framework, None)
        assert not any("kv" in flag for flag in advice.flags)
        assert any(kind in w for w in advice.warnings)


def test_an_nvfp4_kv_cache_needs_blackwell_in_sglang() -> None:
    record = modelopt("NVFP4", kv_cache_algorithm="NVFP4")
    hopper = advise(record, "sglang", find_gpu("H100"))
    assert "--kv-cache-dtype nvfp4" not in hopper.flags
    assert any("below sm_100" in w for w in hopper.warnings)
    assert "--kv-cache-dtype nvfp4" in advise(record, "sglang", find_gpu("B200")).flags


def test_quantization_must_not_be_set_on_vllm_for_modelopt_only() -> None:
    assert "--quantization" in {f.flag for f in must_not_set(modelopt("FP8"), "vllm")}
    assert "--quantization" not in {f.flag for f in must_not_set(foreign("awq"), "vllm")}
    assert "--quantization" not in {f.flag for f in must_not_set(modelopt("FP8"), "sglang")}
    assert "--quantization" in {f.flag for f in must_not_set(modelopt("MXFP8"), "sglang")}


@pytest.mark.parametrize(("framework", "value"), [("vllm", "fp8"), ("sglang", "fp8_e4m3"), ("trtllm", "fp8")])
def test_an_fp8_kv_cache_must_not_be_set_without_a_record_of_it(framework: str, value: str) -> None:
    unrecorded = [f for f in must_not_set(modelopt("NVFP4"), framework) if "kv" in f.flag]
    assert [f.value for f in unrecorded] == [value]
    assert "error" in unrecorded[0].because
    recorded = must_not_set(modelopt("NVFP4", kv_cache_algorithm="FP8"), framework)
    assert not [f for f in recorded if "kv" in f.flag]
    assert any("kv" in f.flag for f in advise(sample("bf16_dense"), framework, None).must_not_set)


def test_the_table_of_what_is_recognised_has_a_word_for_every_framework() -> None:
    rows = {row.name: row for row in recognised_rows()}
    assert len(rows) == len(all_methods())
    assert all(len(row.serving) == len(frameworks()) for row in rows.values())
    vllm = frameworks().index("vLLM")
    assert rows["ModelOpt NVFP4"].bits == "4 / 4"
    assert rows["ModelOpt NVFP4"].serving[vllm] == "yes"
    assert rows["ModelOpt W4A16_AWQ"].serving[vllm] == "no"
    assert rows["bitsandbytes"].serving[vllm] == "not known"
