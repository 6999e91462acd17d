"""What each layer keeps of the past: keys and values of all of it, of a window, a fixed state, or nothing.

Source: vLLM 0.33.0 vllm/config/model.py `get_num_layers_by_block_type` and the models' own files; where a config is
silent, the rules of Transformers 5.23.0's configuration classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from ..config_json import whole_field
from .text_settings import MAX_LAYERS, TextSettings


class Kind(Enum):
    """How a layer's memory grows with the sequence."""

    FULL = "keys and values of every token"
    WINDOW = "keys and values of the last tokens"
    STATE = "a state of fixed size"
    BOTH = "keys and values of every token, and a state"
    NONE = "nothing"


_WORDS = {
    "attention": Kind.FULL,
    "full_attention": Kind.FULL,
    "indexed_attention": Kind.FULL,
    "deepseek_sparse_attention": Kind.FULL,
    "qwen_sparse_attention": Kind.FULL,
    "sliding_attention": Kind.WINDOW,
    "chunked_attention": Kind.WINDOW,
    "linear_attention": Kind.STATE,
    "mamba": Kind.STATE,
    "mamba2": Kind.STATE,
    "conv": Kind.STATE,
    "recurrent": Kind.STATE,
    "hybrid": Kind.BOTH,
    "moe": Kind.NONE,
    "mlp": Kind.NONE,
}
_NEMOTRON = {"*": Kind.FULL, "M": Kind.STATE, "-": Kind.NONE, "E": Kind.NONE}
_STATE_ONLY = frozenset({"mamba", "mamba2", "falcon_mamba"})
_STATE_BESIDE = frozenset({"falcon_h1"})


def number_of_layers(settings: TextSettings) -> int:
    """Hidden layers (at most 4096 are believed); a list or pattern with one entry a layer counts where no number is."""
    named = settings.whole("num_hidden_layers", "n_layer", "n_layers", "num_layers", limit=MAX_LAYERS)
    if "num_hidden_layers" in settings.recorded or not (listed := _listed(settings)):
        return named
    return len(listed)


def layer_kinds(settings: TextSettings, layers: int) -> list[Kind]:
    """The kind of each layer, first to last; what no field tells apart is full attention, an upper bound.

    Args:
        settings: From `text_settings`.
        layers: From `number_of_layers`.
    """
    kinds = _listed(settings)[:layers] or _by_rule(settings, layers)
    # Gemma 3n and 4: the last layers read the cache of earlier ones.
    shared = min(settings.whole("num_kv_shared_layers", limit=MAX_LAYERS), len(kinds))
    if shared:
        kinds = kinds[:-shared] + [Kind.NONE] * shared
    if not window(settings):
        kinds = [Kind.FULL if kind is Kind.WINDOW else kind for kind in kinds]
    return kinds


def window(settings: TextSettings) -> int:
    """Tokens that a windowed layer keeps; 0 without one."""
    if settings.get("use_sliding_window") is False:
        return 0
    return settings.whole("sliding_window", "sliding_window_size") or settings.whole("attention_chunk_size")


def _listed(settings: TextSettings) -> list[Kind]:
    blocks = settings.recorded.get("block_configs")
    if isinstance(blocks, list) and 0 < len(blocks) <= MAX_LAYERS and all(isinstance(b, dict) for b in blocks):
        return [_block(block) for block in blocks]
    pattern = settings.recorded.get("hybrid_override_pattern")
    if isinstance(pattern, str) and 0 < len(pattern) <= MAX_LAYERS and set(pattern) <= set(_NEMOTRON):
        return [_NEMOTRON[letter] for letter in pattern]
    for key in ("layers_block_type", "layer_types"):
        if words := settings.words(key):
            return [_WORDS.get(word) or (Kind.FULL if "attention" in word else Kind.NONE) for word in words]
    if numbers := settings.whole_list("attn_type_list"):  # MiniMax: 1 is softmax attention
        return [Kind.FULL if n == 1 else Kind.STATE for n in numbers]
    if numbers := settings.whole_list("hybrid_layer_pattern"):  # MiMo V2: 1 has the window
        return [Kind.WINDOW if n == 1 else Kind.FULL for n in numbers]
    return []


def _block(block: Mapping[str, Any]) -> Kind:
    """A block of Nemotron-NAS (`attention: {no_op, replace_with_linear}`) or of a pruned Nemotron-H (`block_type`)."""
    if isinstance(kind := block.get("block_type"), str):
        return _WORDS.get(kind, Kind.NONE)
    attention = block.get("attention")
    gone = not isinstance(attention, dict) or any(attention.get(k) is True for k in ("no_op", "replace_with_linear"))
    return Kind.NONE if gone else Kind.FULL


def _by_rule(settings: TextSettings, layers: int) -> list[Kind]:
    def where(test: Callable[[int], bool], others: Kind, chosen: Kind = Kind.FULL) -> list[Kind]:
        return [chosen if test(i) else others for i in range(layers)]

    if settings.model_type in _STATE_ONLY:
        return [Kind.STATE] * layers
    if settings.model_type in _STATE_BESIDE:
        return [Kind.BOTH] * layers
    for counted_from, full in (
        (1, settings.table("linear_attn_config").get("full_attn_layers")),  # Kimi Linear
        (0, settings.recorded.get("attn_layer_indices")),  # Bamba
        (0, settings.recorded.get("full_attn_idxs")),  # LFM2
    ):
        if isinstance(full, list) and full:
            return where({n - counted_from for n in full[:MAX_LAYERS] if isinstance(n, int)}.__contains__, Kind.STATE)
    if period := settings.whole("attn_layer_period"):
        offset = whole_field({"n": settings.get("attn_layer_offset")}, "n")
        if settings.model_type == "zamba":  # three layers of its own, then the period
            return where(lambda i: i == 2 or (i > 2 and (i - 3) % period == offset), Kind.STATE, Kind.BOTH)
        return where(lambda i: i % period == offset, Kind.STATE)
    if every := settings.whole("full_attention_interval"):
        return where(lambda i: (i + 1) % every == 0, Kind.STATE)
    if (every := settings.whole("layer_group_size")) > 1:  # Bailing; the layers after the last whole group attend too
        return where(lambda i: (i + 1) % every == 0 or i >= layers // every * every, Kind.STATE)
    return _windowed(settings, layers)


def _windowed(settings: TextSettings, layers: int) -> list[Kind]:
    if not window(settings):
        return [Kind.FULL] * layers
    pattern = settings.get("sliding_window_pattern")
    if isinstance(pattern, str) and 0 < len(pattern) <= MAX_LAYERS:  # EXAONE 4: "LLLG"
        return [Kind.FULL if pattern[i % len(pattern)] == "G" else Kind.WINDOW for i in range(layers)]
    every = settings.whole("sliding_window_pattern")
    if not every and settings.whole("attention_chunk_size"):  # Llama 4
        if flags := settings.whole_list("no_rope_layers"):
            return [Kind.WINDOW if flag else Kind.FULL for flag in flags[:layers]]
        every = settings.whole("no_rope_layer_interval")
    if every:
        return [Kind.FULL if (i + 1) % every == 0 else Kind.WINDOW for i in range(layers)]
    # Qwen 2 and 3: the first `max_window_layers` attend to everything.
    first = settings.whole("max_window_layers") if settings.on("use_sliding_window") else 0
    return [Kind.FULL if i < first else Kind.WINDOW for i in range(layers)]
