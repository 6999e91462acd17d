"""The context that a server derives when it is started without a length.

Source: vLLM 0.33.0 vllm/config/model.py `_get_and_verify_max_len`, vllm/transformers_utils/config.py
`patch_legacy_rope_type` and model_arch_config_convertor.py `derive_max_model_len_and_key`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..config_json import text_field, whole_field
from .text_settings import MAX_SIZE, TextSettings, number

_LENGTHS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
_CONFIG_ALONE = ("n_ctx",)
"""GPT-2's old name: Transformers maps it to nothing, so it counts only where no other length is recorded."""
_ALREADY_SCALED = frozenset({"su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"})
_RENAMED = {"su": "longrope", "mrope": "default", "telechat3-yarn": "yarn"}
NOT_RECORDED = "not recorded: vLLM 0.33.0 would assume 2048, so give --max-model-len"


@dataclass(frozen=True)
class Served:
    """A context in tokens; 0 when nothing usable is recorded.

    Attributes:
        length: What the server takes by itself.
        longest: The most it accepts for --max-model-len without an override.
        because: The field, the file and what scaling did to it.
    """

    length: int
    longest: int
    because: str


def rope_parameters(settings: TextSettings) -> Mapping[str, Any]:
    """The rope settings: `rope_scaling`, else Transformers 5's `rope_parameters`, else empty."""
    return settings.table("rope_scaling") or settings.table("rope_parameters")


def served(settings: TextSettings, config: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> Served:
    """Derive the context of a Hugging Face checkpoint as vLLM 0.33.0 does.

    The smallest of the recorded lengths (`model_max_length` of the config replaces it), times the rope factor, except
    for YaRN, Llama 3 and LongRoPE, whose recorded length is already scaled, and for Gemma 3. LongRoPE models are
    served at `original_max_position_embeddings`. The sliding window does not shorten it. `model_max_length` of
    tokenizer_config.json counts for pooling models with absolute positions alone.

    Args:
        settings: From `text_settings`.
        config: The whole config.json.
        tokenizer: tokenizer_config.json, or empty.
    """
    length, key = _recorded(settings)
    if not length:
        return Served(0, 0, NOT_RECORDED)
    file = settings.file if key in settings.recorded else "the default of Transformers 5.23.0's class"
    because = [f"{key} {length} in {file}" if key in settings.recorded else f"{key} {length}: {file}"]
    cap = whole_field(tokenizer, "model_max_length")
    if 0 < cap < length and _pooling_with_absolute_positions(config):
        length = cap
        because.append(f"model_max_length {cap} in tokenizer_config.json caps a pooling model with absolute positions")
    scaled, said = _scale(length, settings)
    because.extend(said)
    if not 0 < scaled <= MAX_SIZE:
        return Served(0, 0, NOT_RECORDED)
    original = settings.whole("original_max_position_embeddings")
    if original and any(kind == "longrope" for kind, _ in _ropes(settings)):
        because.append(
            f"LongRoPE: vLLM 0.33.0 serves original_max_position_embeddings {original} unless a longer --max-model-len "
            f"(up to {scaled}) is given"
        )
        return Served(original, max(scaled, original), "; ".join(because))
    return Served(scaled, scaled, "; ".join(because))


def _recorded(settings: TextSettings) -> tuple[int, str]:
    override = settings.whole("model_max_length")
    if override:
        return override, "model_max_length"
    found = [(settings.whole(key), key) for key in _LENGTHS]
    usable = [row for row in found if row[0]]
    if usable:
        return min(usable, key=lambda row: row[0])
    return next(((n, key) for key in _CONFIG_ALONE if (n := settings.whole(key))), (0, ""))


def _pooling_with_absolute_positions(config: Mapping[str, Any]) -> bool:
    named = config.get("architectures")
    architecture = named[0] if isinstance(named, list) and named and isinstance(named[0], str) else ""
    generates = architecture.endswith(("ForCausalLM", "ForConditionalGeneration", "LMHeadModel"))
    return not generates and text_field(config, "position_embedding_type") == "absolute"


def _ropes(settings: TextSettings) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(type, parameters), one for each layer type where they are nested; layers without rope have none."""
    parameters = rope_parameters(settings)
    nested: list[Mapping[str, Any]] = [value for value in parameters.values() if isinstance(value, dict) and value]
    for rope in nested or ([parameters] if parameters else []):
        kind = (text_field(rope, "rope_type", "type") or "default")[:40]
        yield _RENAMED.get(kind, kind), rope


def _scale(length: int, settings: TextSettings) -> tuple[int, list[str]]:
    ropes = list(_ropes(settings))
    if not ropes:
        return length, []
    if "gemma3" in settings.model_type:
        return length, ["Gemma 3's length is already scaled: not multiplied"]
    factor, said = 1.0, []
    for kind, rope in ropes:
        value = number(rope.get("factor"))
        if kind not in _ALREADY_SCALED:
            factor = value or factor
        elif kind != "longrope" and value > 1:
            said.append(_already_scaled(kind, value, rope, length))
    if factor != 1.0:
        said.append(f"times the rope factor {factor:g}")
    return int(length * factor), list(dict.fromkeys(said))


def _already_scaled(kind: str, factor: float, rope: Mapping[str, Any], length: int) -> str:
    original = whole_field(rope, "original_max_position_embeddings")
    if kind != "yarn" or not original or int(original * factor) <= length:
        return f"rope {kind} with factor {factor:g}: already in the recorded length"
    return (
        f"rope yarn with factor {factor:g} is not multiplied by vLLM 0.33.0: for {int(original * factor)} tokens "
        f"max_position_embeddings itself must say so"
    )
