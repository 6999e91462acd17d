"""The state that Mamba, linear-attention and convolution layers keep for each sequence, whatever its length.

Source: vLLM 0.33.0 vllm/model_executor/layers/mamba/mamba_utils.py (`MambaStateShapeCalculator`,
`MambaStateDtypeCalculator`) with the names that each model reads, and vllm/model_executor/models/config.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from ..config_json import text_field, whole_field
from .layer_kinds import Kind
from .text_settings import TextSettings

_MODEL_BYTES = 2
"""Of a value in the model's own format, 16 bits."""
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_FOUR_BYTES = frozenset({"nemotron_h", "nemotron_h_puzzle", "kimi_linear"})
"""Their recurrent state is float32 unless the config says otherwise."""


@dataclass(frozen=True)
class RecurrentState:
    """Fixed memory of a sequence.

    Attributes:
        layers: Layers that keep a state.
        bytes: Of all of them, for one sequence, before tensor parallelism splits it; 0 when the sizes are not recorded.
        heads: What tensor parallelism must divide as well (heads, and groups of heads); 0 when nothing is recorded.
    """

    layers: int = 0
    bytes: int = 0
    heads: int = 0


def recurrent_state(settings: TextSettings, kinds: Sequence[Kind]) -> RecurrentState:
    """Work out the state per sequence.

    Args:
        settings: From `text_settings`.
        kinds: From `layer_kinds`.
    """
    layers = sum(1 for kind in kinds if kind in {Kind.STATE, Kind.BOTH})
    if settings.model_type in {"zamba", "zamba2"}:  # every layer has a Mamba part
        layers = len(kinds)
    if not layers:
        return RecurrentState()
    convolution, state, heads = _values(settings)
    size = _BYTES.get(text_field(settings.recorded, "mamba_ssm_cache_dtype", "mamba_ssm_dtype"), 0)
    size = size or (4 if settings.model_type in _FOUR_BYTES else _MODEL_BYTES)
    return RecurrentState(layers, layers * (convolution * _MODEL_BYTES + state * size), heads)


def _values(settings: TextSettings) -> tuple[int, int, int]:
    """Values of one layer: (convolution, recurrent state, heads that are split)."""
    delta = settings.table("linear_attn_config")  # Kimi Linear
    if delta:
        heads, size = whole_field(delta, "num_heads"), whole_field(delta, "head_dim")
        kernel = whole_field(delta, "short_conv_kernel_size") or 4
        return 3 * heads * size * (kernel - 1), heads * size * size, heads
    if keys := settings.whole("linear_num_key_heads"):  # gated delta net: Qwen3-Next
        values = settings.whole("linear_num_value_heads")
        k, v = settings.whole("linear_key_head_dim"), settings.whole("linear_value_head_dim")
        kernel = settings.whole("linear_conv_kernel_dim")
        return (2 * k * keys + v * values) * max(0, kernel - 1), values * v * k, gcd(keys, values)
    if kernel := settings.whole("conv_L_cache"):  # short convolutions: LFM2
        return settings.whole("conv_dim", "hidden_size") * (kernel - 1), 0, 0
    return _mamba(settings)


def _mamba(settings: TextSettings) -> tuple[int, int, int]:
    kernel = settings.whole("conv_kernel", "mamba_d_conv")
    size = settings.whole("ssm_state_size", "mamba_d_state", "state_size")
    expanded = settings.whole("mamba_expand", "expand") * settings.whole("hidden_size")
    heads = settings.whole("mamba_num_heads", "mamba_n_heads", "n_mamba_heads")
    if settings.model_type == "mamba2":
        heads = settings.whole("num_heads")
    if settings.model_type in {"jamba", "mamba", "falcon_mamba", "zamba"}:  # Mamba 1
        inner = settings.whole("intermediate_size") if settings.model_type.endswith("mamba") else 0
        inner = inner or expanded
        return inner * max(0, kernel - 1), inner * size, 0
    if not heads:
        return 0, 0, 0
    width = settings.whole("mamba_head_dim", "mamba_d_head", "mamba_headdim")
    if settings.model_type == "mamba2":
        width = settings.whole("head_dim")
    inner = heads * width if width else settings.whole("mamba_d_ssm") or expanded
    groups = settings.whole("n_groups", "mamba_n_groups", "mamba_ngroups")
    # TP divides the groups as well, unless there is one, which is copied.
    return (inner + 2 * groups * size) * max(0, kernel - 1), inner * size, gcd(heads, groups) if groups > 1 else heads
