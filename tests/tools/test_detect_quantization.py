from __future__ import annotations

import json
from pathlib import Path

import pytest

from quantgate.errors import CheckpointError, UnknownName
from quantgate.tools.detect_quantization import detect_quantization

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "checkpoints"


def test_a_checkpoint_is_described_with_evidence_serving_and_benchmarks() -> None:
    result = detect_quantization(str(SAMPLES / "nvfp4_default+fp8_kv"), "vllm", "B200")
    assert (result.quantized, result.method, result.algorithm, result.kv_cache_algorithm) == (
        True,
        "modelopt",
        "NVFP4",
        "FP8",
    )
    assert ("config.json", "quantization_config.quant_algo", '"NVFP4"') in [
        (e.file, e.field, e.value) for e in result.evidence
    ]
    assert result.serving.flags == ["--kv-cache-dtype fp8"]
    assert result.benchmarks[0].sensitivity == "very high"
    assert "build_config" in result.next_step
    assert result.warnings == []
    assert [c.partition(":")[0] for c in result.conflicts] == [
        "there are weights, and no tokenizer and no chat template"
    ]
    assert "whether the export is complete" in result.next_step
    assert any(f.startswith("--quantization") for f in result.serving.must_not_set)
    assert result.serving.source
    assert result.benchmark_sets[0].name == "quick check"
    assert all(row.cost for row in result.benchmarks)


def test_conflicts_stop_the_conversation(tmp_path: Path) -> None:
    (tmp_path / "M-FP8").mkdir()
    (tmp_path / "M-FP8" / "config.json").write_text("{}")
    result = detect_quantization(str(tmp_path / "M-FP8"))
    assert result.conflicts == ["the name 'M-FP8' claims FP8, but the files have no quantization"]
    assert "which checkpoint and precision are meant" in result.next_step


def test_a_format_that_the_framework_does_not_serve_is_not_sent_on() -> None:
    result = detect_quantization(str(SAMPLES / "int4_awq"))
    assert result.serving.supported is False
    assert "another framework" in result.next_step


def test_untrusted_text_is_bounded_and_redacted(tmp_path: Path) -> None:
    secret = "hf_" + "a" * 30
    quantization = {
        "quant_method": "new" * 5000,
        "note": secret,
        "ignore": [secret] + [f"{n}" + "m" * 900 for n in range(100)],
    }
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": quantization}))
    result = detect_quantization(str(tmp_path))
    text = result.model_dump_json()
    assert secret not in text
    assert len(text) < 16_000
    assert (len(result.excluded_modules), result.omitted) == (30, 71)
    assert not result.known
    assert any("not one that this version knows" in w for w in result.warnings)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(CheckpointError):
        detect_quantization("/no/such/checkpoint")
    with pytest.raises(UnknownName):
        detect_quantization(str(SAMPLES / "fp8_default"), "vlllm")
    with pytest.raises(UnknownName):
        detect_quantization(str(SAMPLES / "fp8_default"), "vllm", "potato")


def test_the_description_is_short_and_the_tool_only_reads(tmp_path: Path) -> None:
    assert len(detect_quantization.__doc__ or "") < 700
    before = sorted((SAMPLES / "fp8_default").iterdir())
    detect_quantization(str(SAMPLES / "fp8_default"))
    assert sorted((SAMPLES / "fp8_default").iterdir()) == before
