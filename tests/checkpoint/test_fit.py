"""What fits on a node: the arithmetic, vLLM's rules on tensor parallelism, and what to do where nothing fits."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantgate.checkpoint.fit import ACTIVATIONS_GIB, GIB, UTILISATION, fit
from quantgate.checkpoint.model_facts import ModelFacts, from_config
from quantgate.checkpoint.shape.attention import KvGroup
from quantgate.checkpoint.shape.kv_memory import IN_FLIGHT_TOKENS, kv_bytes_per_token, sequence_bytes, value_bytes

from .test_model_facts import CONFIGS, DEEPSEEK_V3, GPT_OSS_20B, NEMOTRON_H

SEVENTY = ModelFacts(served_length=131072, layers=80, attention_layers=80, heads=64, kv_heads=8, head_dim=128)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("", 2.0),
        ("FP8", 1.0),
        ("fp8_affine", 1.0),
        ("INT8", 1.0),
        ("NVFP4", 0.5625),
        ("NVFP4_AFFINE", 0.5625),
        ("BF16", 2.0),
    ],
)
def test_a_cached_value_has_the_size_of_its_format(name: str, size: float) -> None:
    assert value_bytes(name) == size
    assert kv_bytes_per_token(SEVENTY, name) == 80 * 2 * 8 * 128 * size


def test_the_sum_of_a_70b_model_on_h100s_is_shown() -> None:
    layout = fit(SEVENTY, 141 * GIB, "", 80, 8)
    # 80 GB are 74.51 GiB, of which 0.92 are 68.55. TP 2: 70.5 + 20 + 2; TP 4: 35.25 + 10 + 2 = 47.25.
    assert (layout.tensor_parallel, layout.data_parallel, layout.weights_gib_per_gpu) == (4, 2, 35.25)
    assert layout.kv_gib_per_gpu == 10.0
    assert (
        "TP 4: 141.00/4 weights + 40.00/4 KV + 2.00 activations (assumed) = 47.25 GiB, budget 68.55" in layout.because
    )
    assert "80 GB (10^9 bytes; give nvidia-smi's figure to be exact) x 0.92" in layout.because
    # 68.55 - 35.25 - 2 = 31.30 GiB for sequences of 10 GiB.
    assert layout.kv_tokens == pytest.approx(3.129 * 131072, rel=1e-3)
    assert "3.1 sequences of full length" in layout.because
    assert len(layout.because) < 700


def test_a_gpus_memory_is_never_overstated() -> None:
    # What nvidia-smi shows, in MiB, for GPUs sold as so many GB.
    for sold, mib in ((80, 81559), (141, 143771), (48, 46068), (24, 23028), (16, 15360), (40, 40960)):
        assert sold * 1e9 / GIB < mib / 1024
    assert (UTILISATION, ACTIVATIONS_GIB) == (0.92, 2.0)


@pytest.mark.parametrize(
    ("heads", "kv_heads", "gpus", "tp", "dp"),
    [
        (64, 8, 8, 4, 2),
        (48, 8, 6, 2, 3),  # 2 splits 8 KV heads
        (48, 4, 12, 4, 3),  # 3 neither divides 4 KV heads nor is a multiple
        (96, 96, 12, 4, 3),  # 3 would do, but a power of two divides the layers' widths too
        (96, 96, 10, 8, 1),  # neither 5 nor 10 divides 96, and 4 is too few
        (96, 96, 6, 6, 1),  # 4 is too few
        (40, 8, 5, 4, 1),  # 5 does not fit 8 KV heads, so one GPU stays idle
        (25, 25, 5, 5, 1),
    ],
)
def test_tensor_parallelism_divides_the_heads_whatever_the_number_of_gpus(
    heads: int, kv_heads: int, gpus: int, tp: int, dp: int
) -> None:
    facts = ModelFacts(served_length=1024, layers=1, attention_layers=1, heads=heads, kv_heads=kv_heads, head_dim=1)
    weights = {2: 100, 3: 180, 4: 180, 5: 300, 6: 300, 8: 300}[tp] * GIB
    layout = fit(facts, weights, "", 80, gpus)
    assert (layout.tensor_parallel, layout.data_parallel) == (tp, dp)
    assert ("is no power of two" in layout.because) is (tp in {5, 6})


def test_idle_gpus_are_named() -> None:
    facts = ModelFacts(served_length=1024, layers=1, attention_layers=1, heads=40, kv_heads=8, head_dim=1)
    assert "1 of 5 GPUs stay idle" in fit(facts, 220 * GIB, "", 80, 5).because


def test_kv_heads_fewer_than_gpus_are_copied_and_a_latent_always(tmp_path: Path) -> None:
    two = ModelFacts(served_length=1024, layers=1, attention_layers=1, heads=32, kv_heads=2, head_dim=128)
    assert sequence_bytes(two, "", 1000, 8) == sequence_bytes(two, "", 1000, 2) == 2 * 128 * 2 * 1000
    assert "2 KV heads are fewer than TP 4: copied" in fit(two, 200 * GIB, "", 80, 4).because
    deepseek = from_config(DEEPSEEK_V3, tmp_path)
    assert sequence_bytes(deepseek, "", 1000, 8) == sequence_bytes(deepseek, "", 1000, 1) == 61 * 576 * 2 * 1000


def test_a_hybrids_state_and_heads_count(tmp_path: Path) -> None:
    facts = from_config(NEMOTRON_H | {"num_attention_heads": 48, "num_key_value_heads": 48}, tmp_path)
    assert sequence_bytes(facts, "", 0, 4) == facts.state_bytes / 4
    # 6 and 3 divide 48 heads, but not the 8 groups of the Mamba layers.
    layout = fit(facts, 250 * GIB, "", 80, 6)
    assert layout.tensor_parallel == 4
    assert "is the state of 24 layers" in layout.because
    unknown = replace(facts, state_bytes=0)
    assert "not counted: its sizes are not recorded" in fit(unknown, 10 * GIB, "", 80, 1).because


def test_a_window_is_named_in_the_sum(tmp_path: Path) -> None:
    facts = from_config(GPT_OSS_20B, tmp_path)
    layout = fit(facts, 13 * GIB, "", 80, 8)
    layer = 2 * 8 * 64 * 2
    expected = 12 * layer * (131072 + 127 + IN_FLIGHT_TOKENS)
    assert layout.kv_gib_per_gpu == pytest.approx(expected / GIB, abs=1e-3)
    assert "12 of 24 layers keep only their window" in layout.because
    assert "32 experts: with --data-parallel-size vLLM splits them over TP x DP = 8 GPUs" in layout.because


def test_where_nothing_fits_the_longest_context_and_the_nodes_are_worked_out() -> None:
    layout = fit(SEVENTY, 141 * GIB, "", 80, 2)
    # TP 2 has 70.5 GiB of weights: no context at all fits in 68.55.
    assert (layout.tensor_parallel, layout.shorter_context, layout.nodes) == (0, 0, 2)
    assert "does not fit on 2 GPUs at 131072 tokens" in layout.because
    smaller = fit(SEVENTY, 120 * GIB, "", 80, 2)
    # 68.55 - 60 - 2 = 6.55 GiB of 0.15625 MiB a token and GPU: 42,890 tokens, which is 41 x 1024 and some.
    assert smaller.shorter_context == 41 * 1024
    assert "with --max-model-len 41984 TP 2 fits" in smaller.because
    again = fit(replace(SEVENTY, served_length=smaller.shorter_context), 120 * GIB, "", 80, 2)
    assert again.tensor_parallel == 2


def test_the_tp_that_vllm_would_refuse_is_named_where_nothing_fits() -> None:
    odd = ModelFacts(served_length=1024, layers=1, attention_layers=1, heads=6, kv_heads=6, head_dim=64)
    layout = fit(odd, 600 * GIB, "", 80, 8)
    assert layout.tensor_parallel == 0
    assert "TP 8 does not divide 6 attention heads" in layout.because
    assert layout.nodes == 2


@pytest.mark.parametrize(("memory", "gpus"), [(0, 8), (-1, 8), (nan, 8), (inf, 8), (80, 0), (80, -3)])
def test_impossible_gpus_are_not_worked_out(memory: float, gpus: int) -> None:
    assert fit(SEVENTY, 10 * GIB, "", memory, gpus).tensor_parallel == 0


def test_what_is_not_recorded_is_said_to_be_left_out() -> None:
    layout = fit(ModelFacts(served_length=4096), 10 * GIB, "", 80, 1)
    assert layout.tensor_parallel == 1
    assert "layers or heads are not recorded: KV not counted" in layout.because
    assert "no context length is recorded" in fit(replace(SEVENTY, served_length=0), 10 * GIB, "", 80, 1).because
    assert "no weights on disk" in fit(SEVENTY, 0, "", 80, 8).because


def test_groups_with_other_kv_heads_hold_their_tp() -> None:
    facts = replace(SEVENTY, kv_groups=(KvGroup(1, 8, 2048), KvGroup(1, 3, 768)))
    # 2 and 4 do not go with 3 KV heads, 3 and 6 not with 64 heads.
    assert fit(facts, 100 * GIB, "", 80, 8).tensor_parallel == 0


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    config=CONFIGS,
    weights=st.integers(-1, 2**45),
    memory=st.floats(),
    usual=st.sampled_from([0.0, 24.0, 80.0, 192.0]),
    gpus=st.integers(-1, 20),
    kv_cache=st.sampled_from(["", "FP8", "NVFP4", "unknown"]),
)
def test_no_layout_breaks_the_rules(
    tmp_path: Path, config: dict[str, Any], weights: int, memory: float, usual: float, gpus: int, kv_cache: str
) -> None:
    facts = from_config(config, tmp_path)
    layout = fit(facts, weights, kv_cache, usual or memory, gpus)
    if not layout.tensor_parallel:
        assert layout.data_parallel == 0
        assert layout.shorter_context <= facts.served_length or not facts.served_length
        return
    tp = layout.tensor_parallel
    assert tp * layout.data_parallel <= gpus
    assert facts.heads % tp == 0
    assert all(not g.kv_heads or g.kv_heads % tp == 0 or tp % g.kv_heads == 0 for g in facts.kv_groups)
    assert facts.state_heads % tp == 0
    assert layout.weights_gib_per_gpu <= weights / GIB / tp + 0.001
