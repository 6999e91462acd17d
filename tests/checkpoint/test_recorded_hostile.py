"""Records from anyone: bounded, never a traceback, never nothing where there is something."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantgate.checkpoint import tables
from quantgate.checkpoint.record.fields import MAX_EXCLUDED, MAX_NAME, MAX_SHORT
from quantgate.checkpoint.record.recorded import Recorded, from_config, from_legacy, short
from quantgate.errors import CheckpointError

KEYS = [
    "quant_method", "quant_algo", "bits", "group_size", "config_groups", "weights", "input_activations", "targets",
    "kv_cache_scheme", "kv_cache_quant_algo", "quantized_layers", "ignore", "exclude", "dynamic", "extra_config", "export",
    "global_quant_config", "layer_quant_config", "weight", "dtype", "quant_type", "default", "_type", "_data", "producer",
    "fqn_to_config", "kv_cache_group", "output_tensors", "num_bits", "type", "strategy", "block_structure", "meta",
    "quantizer", "quantization", "quantization_config", "weight_block_size", "quant_config", "weight_quant_params",
    "nbits", "weights", "block_name_to_quantize", "in_group_size", "out_group_size", "num_codebooks", "nbits_per_codebook",
    "load_in_4bit", "text_config", "sparsity_config", "module_quant_configs", "expert_dtype", "forward_dtype",
]  # fmt: skip
WORDS = [
    *tables.methods().foreign,
    *tables.methods().modelopt,
    "modelopt",
    "re:(a*)*",
    "-:x",
    "*",
    "float",
    "int",
    "nf4",
]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner),
    max_leaves=25,
)
BLOCKS = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), VALUES, min_size=1, max_size=8)


def bounded(record: Recorded) -> None:
    assert record.method
    assert len(record.method) <= MAX_NAME
    assert len(record.algorithm) <= 2 * MAX_NAME
    assert len(record.kv_cache) <= MAX_NAME
    assert len(record.producer) <= 80
    assert all(len(e.value) <= MAX_SHORT for e in record.evidence)
    assert record.algorithm or record.kv_cache or record.known or record.problems


@settings(max_examples=400, deadline=None)
@given(block=BLOCKS, method=st.sampled_from(["", *tables.methods().foreign, "modelopt", "new"]))
def test_any_object_gives_a_record(block: dict[str, Any], method: str) -> None:
    if method:
        block = {"quant_method": method} | block
    try:
        record = from_config({"quantization_config": block})
        from_config(block)
        from_legacy(block)
        other = from_legacy({"quantization": block})
    except CheckpointError:
        return
    assert record is not None
    assert other is not None
    bounded(record)
    bounded(other)


@settings(max_examples=200, deadline=None)
@given(value=VALUES)
def test_any_value_in_its_place_is_no_crash(value: Any) -> None:
    record = from_config({"quantization_config": value, "text_config": value})
    assert (record is None) == (value is None)


def test_thousands_of_exclusions_are_capped_and_counted() -> None:
    listed = [f"model.layers.{n}" for n in range(MAX_EXCLUDED + 5)] + ["x" * 5000]
    record = from_config({"quantization_config": {"quant_method": "fp8", "ignored_layers": listed}})
    assert record is not None
    assert (len(record.excluded), record.excluded_omitted) == (MAX_EXCLUDED, 6)


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"weights": value}
    return value


@pytest.mark.parametrize(
    "block",
    [
        {"quant_method": "x" * 10_000_000},
        {"quant_method": "modelopt", "quant_algo": "F" * 10_000_000},
        {"quant_method": "new", "deep": deep(900)},
        {"quant_method": "new", "wide": {str(n): [n] for n in range(500_000)}},
        {"quant_method": "modelopt", "quantized_layers": {f"l.{n}": {"quant_algo": f"A{n}"} for n in range(100_000)}},
        {"quant_method": "compressed-tensors", "config_groups": {str(n): {"weights": {}} for n in range(100_000)}},
        {"quant_method": "gptq", "dynamic": {f"+:{n}": {"bits": n} for n in range(100_000)}},
        {
            "quant_method": "quark",
            "layer_quant_config": {f"*{n}*": {"weight": {"dtype": str(n)}} for n in range(50_000)},
        },
        {"quant_method": "auto-round", "extra_config": {f"(a*)*{n}": {"bits": 16} for n in range(50_000)}},
        {
            "quant_method": "quark",
            "export": {"kv_cache_group": [f"*{n}*a*b" for n in range(5_000)]},
            "layer_quant_config": {f"{'ab' * 50}{n}": {} for n in range(5_000)},
        },
    ],
    ids=lambda block: "-".join(list(block)[:2]),
)
def test_a_huge_record_takes_bounded_time(block: dict[str, Any]) -> None:
    started = time.process_time()
    record = from_config({"quantization_config": block})
    assert record is not None
    assert time.process_time() - started < 5
    bounded(record)
    assert len(record.groups) <= 65


def test_quoted_fields_hide_secrets_even_at_the_cut() -> None:
    token = "hf_" + "a1B2" * 10
    assert token not in short({"note": "y" * 280 + token})
    assert "hf_a1B2" not in short({"note": "y" * 280 + " " + token})


def test_a_secret_that_the_end_of_what_is_read_goes_through_is_not_shown_in_half() -> None:
    """The first secrets are masked and so shorten the text, that the end comes into what is shown."""
    token = "hf_" + "a1B2" * 10
    long = "hf_" + "a1B2" * 4990
    assert len(long) < 20_000 - 10 < len(long) + len(token)
    assert "hf_a1B2" not in short({"note": f"{long} {token}"})


def test_a_record_that_is_one_long_text_takes_time_of_its_length_not_its_square() -> None:
    began = time.process_time()
    for _ in range(20):
        assert len(short("x" * 500_000)) <= 300
    assert time.process_time() - began < 2
