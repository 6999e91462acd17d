"""The shape of a GGUF model, from the keys of its header.

Source: ggml's docs/gguf.md and llama.cpp's gguf-py/gguf/constants.py for the keys; llama.cpp's llama-hparams.cpp for the
recurrent state (`n_embd_r`, `n_embd_s`, kept as float32).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import gcd

from ..headers.gguf import GgufHeader
from .attention import Attention, KvGroup
from .recurrent_state import RecurrentState
from .text_settings import MAX_LAYERS, MAX_SIZE

_PERIODS = {"gemma2": 2, "gemma3": 6, "gpt-oss": 2, "cohere2": 4}
"""Every n-th layer attends to everything: llama.cpp's `set_swa_pattern`, where the file does not say."""
_FLOAT32 = 4


@dataclass(frozen=True)
class GgufShape:
    """Layers, attention and state of a GGUF model."""

    layers: int
    attention: Attention
    state: RecurrentState


def gguf_shape(header: GgufHeader) -> GgufShape:
    """Work out the shape.

    Args:
        header: From `read_gguf`.
    """
    layers = _bounded(header.setting("block_count"), MAX_LAYERS)
    heads = _bounded(gcd(*[n for n in _by_layer(header, "attention.head_count", layers) if n]))
    kv = _kv_heads(header, heads, layers)
    embedding = _bounded(header.setting("embedding_length"))
    key = _bounded(header.setting("attention.key_length")) or (embedding // heads if heads else 0)
    value = _bounded(header.setting("attention.value_length")) or key
    latent = 0
    # Files from before llama.cpp's MLA cache have no key_length_mla, and cache keys and values whole.
    if header.setting("attention.key_length_mla"):
        latent = _bounded(header.setting("attention.kv_lora_rank") + header.setting("rope.dimension_count"))
    found: Counter[tuple[int, int, int]] = Counter()
    for own, window in zip(kv, _windows(header, layers), strict=True):
        if own and latent:
            found[0, latent, window] += 1
        elif own and key + value:
            found[own, own * (key + value), window] += 1
    groups = tuple(KvGroup(n, own, values, window) for (own, values, window), n in found.items())
    size = 0 if latent else key
    return GgufShape(layers, Attention(heads, max(kv, default=0), size, latent, groups), _state(header, layers, kv))


def _kv_heads(header: GgufHeader, heads: int, layers: int) -> list[int]:
    """KV heads of each layer; 0 where it has none of its own."""
    kv = _by_layer(header, "attention.head_count_kv", layers) or [heads] * layers
    if every := _bounded(header.setting("full_attention_interval")):
        kv = [n if (i + 1) % every == 0 else 0 for i, n in enumerate(kv)]
    shared = min(header.setting("attention.shared_kv_layers"), layers)
    return kv[: layers - shared] + [0] * shared


def _bounded(value: int, limit: int = MAX_SIZE) -> int:
    return value if 0 < value <= limit else 0


def _by_layer(header: GgufHeader, key: str, layers: int) -> list[int]:
    """A setting as one number a layer; empty when it is not recorded."""
    value = header.metadata.get(f"{header.architecture}.{key}")
    if isinstance(value, tuple):
        if len(value) < layers:
            return []
        return [n if isinstance(n, int) and not isinstance(n, bool) and 0 < n <= MAX_SIZE else 0 for n in value][
            :layers
        ]
    number = _bounded(header.setting(key))
    return [number] * layers if number else []


def _windows(header: GgufHeader, layers: int) -> list[int]:
    """Tokens that each layer keeps; 0 for all of them, and where the file does not tell the layers apart."""
    window = _bounded(header.setting("attention.sliding_window"))
    pattern = header.metadata.get(f"{header.architecture}.attention.sliding_window_pattern")
    if not window:
        return [0] * layers
    if isinstance(pattern, tuple) and len(pattern) >= layers:
        return [window if flag else 0 for flag in pattern[:layers]]
    every = pattern if isinstance(pattern, int) and not isinstance(pattern, bool) and pattern > 0 else 0
    every = every or _PERIODS.get(header.architecture, 0)
    return [window if every and (i + 1) % every else 0 for i in range(layers)]


def _state(header: GgufHeader, layers: int, kv: list[int]) -> RecurrentState:
    kernel, inner = _bounded(header.setting("ssm.conv_kernel")), _bounded(header.setting("ssm.inner_size"))
    if not inner:
        return RecurrentState()
    # A layer without KV heads is recurrent; where each has some (or none is recorded), every layer has both parts.
    number = sum(1 for n in kv if not n) or layers
    size, groups = _bounded(header.setting("ssm.state_size")), _bounded(header.setting("ssm.group_count"))
    values = max(0, kernel - 1) * (inner + 2 * groups * size) + size * inner
    return RecurrentState(number, number * values * _FLOAT32, 0)
