"""The KV cache of each group of layers that cache alike: heads, values and window.

Source: vLLM 0.33.0 vllm/transformers_utils/model_arch_config_convertor.py (`get_total_num_kv_heads`, `get_head_size`,
`is_deepseek_mla`), vllm/config/model.py `get_num_kv_heads`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

from ..config_json import whole_field
from .layer_kinds import Kind, window
from .text_settings import MAX_LAYERS, TextSettings

_KV_HEADS = ("n_head_kv", "num_kv_heads", "num_key_value_heads", "multi_query_group_num", "num_attention_groups")
_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_query_heads", "num_heads")
_NOT_LATENT = frozenset({"minicpm3"})
"""Has `kv_lora_rank`, but vLLM 0.33.0 caches its keys and values whole."""
_INDEX_BLOCK, _SCALE_BYTES = 128, 4
"""DeepSeek's sparse attention keeps FP8 index keys with a 4-byte scale per 128: vLLM 0.33.0 models/deepseek_v2.py."""


@dataclass(frozen=True)
class KvGroup:
    """Layers whose KV cache has the same shape.

    Attributes:
        layers: How many.
        kv_heads: Key-value heads, which tensor parallelism splits; 0 for a latent, of which every GPU has a copy.
        values: Cached per token and layer: keys and values of all heads, or the latent.
        window: Tokens that are kept; 0 for all.
        fixed_bytes: Per token and layer beside them, whatever the cache's format.
    """

    layers: int
    kv_heads: int
    values: int
    window: int = 0
    fixed_bytes: int = 0


@dataclass(frozen=True)
class Attention:
    """The attention of a model; 0 where a number is not recorded."""

    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    mla_width: int = 0
    groups: tuple[KvGroup, ...] = ()


def attention(settings: TextSettings, kinds: Sequence[Kind]) -> Attention:
    """Work out what the layers cache.

    Args:
        settings: From `text_settings`.
        kinds: From `layer_kinds`.
    """
    heads = _heads(settings)
    kv_heads = _kv_heads(settings, heads)
    size = _head_dim(settings, heads)
    latent = _latent(settings)
    if settings.model_type in {"mamba", "mamba2", "falcon_mamba"}:
        heads = kv_heads = size = latent = 0
    per_layer = _kv_heads_by_layer(settings, heads)
    index = settings.whole("index_head_dim")
    fixed = index + index // _INDEX_BLOCK * _SCALE_BYTES if latent and index else 0
    found: Counter[tuple[int, int, int, int]] = Counter()
    for i, kind in enumerate(kinds):
        if kind not in {Kind.FULL, Kind.BOTH, Kind.WINDOW}:
            continue
        kept = window(settings) if kind is Kind.WINDOW else 0
        if latent:
            found[0, latent, kept, fixed] += 1
            continue
        own, width = _own(settings, kind, kv_heads, size)
        own = per_layer[i] if i < len(per_layer) else own
        if own * width:
            found[own, 2 * own * width, kept, 0] += 1
    groups = tuple(KvGroup(n, own, values, kept, more) for (own, values, kept, more), n in found.items())
    return Attention(heads, kv_heads, size, latent, groups)


def _heads(settings: TextSettings) -> int:
    for key in ("num_attention_heads", "num_query_heads"):
        if several := [n for n in settings.whole_list(key) if n]:
            return gcd(*several)  # TP must divide the heads of each layer
    return settings.whole(*_HEADS)


def _kv_heads(settings: TextSettings, heads: int) -> int:
    kind = settings.model_type
    if kind in {"falcon", "RefinedWeb", "RefinedWebModel"} and not settings.on("new_decoder_architecture"):
        # RW's older configs mean the new architecture when they record n_head_kv.
        if kind == "falcon" and settings.on("multi_query"):
            return 1
        if kind != "falcon":
            return settings.whole("n_head_kv") or (1 if settings.get("multi_query") is not False else heads)
    if kind == "gpt_bigcode" and settings.get("multi_query") is not False:
        return 1
    several = [n for key in _KV_HEADS for n in settings.whole_list(key) if n]
    return (
        max(several, default=0) or whole_field(settings.table("attn_config"), "kv_n_heads") or _named(settings, heads)
    )


def _named(settings: TextSettings, heads: int) -> int:
    if settings.get("multi_query_attention") is False:  # ChatGLM
        return heads
    return settings.whole(*_KV_HEADS) or heads


def _kv_heads_by_layer(settings: TextSettings, heads: int) -> list[int]:
    for key in (*_KV_HEADS, "num_key_value_heads_per_layer"):
        if several := settings.whole_list(key):
            return several
    blocks = settings.recorded.get("block_configs")
    if not isinstance(blocks, list) or len(blocks) > MAX_LAYERS:
        return []
    return [_heads_of_block(block, heads) for block in blocks] if any(map(_in_group, blocks)) else []


def _in_group(block: object) -> int:
    attention_: Any = block.get("attention") if isinstance(block, Mapping) else None
    return whole_field(attention_, "n_heads_in_group") if isinstance(attention_, Mapping) else 0


def _heads_of_block(block: object, heads: int) -> int:
    group = _in_group(block)
    return heads // group if group else 0


def _head_dim(settings: TextSettings, heads: int) -> int:
    named = settings.whole("head_dim", "hidden_size_per_head", "kv_channels") if settings.model_type != "zamba2" else 0
    named = named or settings.whole("attention_head_dim")
    hidden = settings.whole("hidden_size", "n_embd", "d_model", "model_dim")
    if not named and settings.model_type in {"zamba", "zamba2"}:
        hidden *= 2  # their attention reads the layer's input beside the model's
    return named or (hidden // heads if heads else 0)


def _latent(settings: TextSettings) -> int:
    """Values per token of multi-head latent attention: `kv_lora_rank` + `qk_rope_head_dim`."""
    if settings.model_type in _NOT_LATENT:
        return 0
    if settings.recorded.get("compress_ratios"):  # DeepSeek V4 compresses it further: an upper bound
        return settings.whole("head_dim")
    rank = settings.whole("kv_lora_rank")
    return rank + settings.whole("qk_rope_head_dim") if rank else 0


def _own(settings: TextSettings, kind: Kind, kv_heads: int, size: int) -> tuple[int, int]:
    """KV heads and head size of a layer of this kind, where they differ by kind."""
    if kind is Kind.WINDOW:  # MiMo V2
        return settings.whole("swa_num_key_value_heads") or kv_heads, settings.whole("swa_head_dim") or size
    if window(settings):  # Gemma 4
        heads = settings.whole("num_global_key_value_heads") if settings.on("attention_k_eq_v") else 0
        return heads or kv_heads, settings.whole("global_head_dim") or size
    return kv_heads, size
