"""Bytes of KV cache and recurrent state: per token, and per sequence on one GPU."""

from __future__ import annotations

from ..model_facts import ModelFacts
from .attention import KvGroup

IN_FLIGHT_TOKENS = 8192
"""A windowed layer holds its window and the tokens of the running batch: vLLM 0.33.0 v1/kv_cache_interface.py
`SlidingWindowSpec`, with the default --max-num-batched-tokens of its server on an H100 (engine/arg_utils.py)."""


def value_bytes(kv_cache: str) -> float:
    """Bytes of one cached value: 1 for FP8 and INT8, 0.5625 for NVFP4 (4 bits and an FP8 scale per 16), else 2.

    Args:
        kv_cache: The KV cache's algorithm as recorded, also affine or rotated ones; empty for 16 bits.
    """
    name = kv_cache.upper()
    if "NVFP4" in name:
        return 0.5625
    return 1.0 if name.startswith(("FP8", "INT8")) else 2.0


def groups_of(facts: ModelFacts) -> tuple[KvGroup, ...]:
    """The KV groups, or one for all attention layers where the facts have none."""
    if facts.kv_groups or not facts.attention_layers:
        return facts.kv_groups
    if facts.mla_width:
        return (KvGroup(facts.attention_layers, 0, facts.mla_width),)
    return (KvGroup(facts.attention_layers, facts.kv_heads, 2 * facts.kv_heads * facts.head_dim),)


def kv_bytes_per_token(facts: ModelFacts, kv_cache: str) -> float:
    """Bytes of KV cache per token over all layers, as long as no window is full.

    Grouped-query attention caches 2 x KV heads x head size values per layer, latent attention its latent width.
    """
    size = value_bytes(kv_cache)
    return sum(group.layers * (group.values * size + group.fixed_bytes) for group in groups_of(facts))


def sequence_bytes(facts: ModelFacts, kv_cache: str, tokens: int, tensor_parallel: int = 1) -> float:
    """Bytes that one sequence takes on one GPU: its KV cache and its recurrent state.

    Tensor parallelism splits KV heads; where there are fewer than GPUs each GPU has one, and a latent is on every GPU
    (vLLM 0.33.0 vllm/config/model.py `get_num_kv_heads`).

    Args:
        facts: The model's shape.
        kv_cache: The KV cache's algorithm, or empty.
        tokens: Length of the sequence.
        tensor_parallel: GPUs that share the layers.
    """
    size, total = value_bytes(kv_cache), facts.state_bytes / tensor_parallel
    for group in groups_of(facts):
        kept = min(tokens, group.window - 1 + IN_FLIGHT_TOKENS) if group.window else tokens
        share = max(1, group.kv_heads // tensor_parallel) / group.kv_heads if group.kv_heads else 1.0
        total += group.layers * (group.values * size * share + group.fixed_bytes) * kept
    return total
