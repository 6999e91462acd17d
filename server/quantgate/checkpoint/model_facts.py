"""What a model is: its architecture, its sizes and what it can do, from config.json or a GGUF header."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .config_json import read_optional, text_field, whole_field
from .headers.gguf import GgufHeader
from .shape.attention import KvGroup, attention
from .shape.chat_template import find_templates, template_marks
from .shape.context import NOT_RECORDED, served
from .shape.gguf_facts import gguf_shape
from .shape.layer_kinds import layer_kinds, number_of_layers
from .shape.recurrent_state import recurrent_state
from .shape.text_settings import MAX_SIZE, TextSettings, text_settings

_EXPERTS = ("num_experts", "moe_num_experts", "n_routed_experts", "num_local_experts", "num_moe_experts")
_CONTEXT = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "max_seq_len", "n_ctx")
_SENSES = ("vision_config", "audio_config", "vision_tower", "mm_vision_tower", "vision_encoder")
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_new_tokens", "do_sample")
_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer.model.v3",
    "tekken.json",
    "tiktoken.model",
    "qwen.tiktoken",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.txt",
    "vocab.model",
)
_VOCABULARY = ("vocab.json", "merges.txt")
"""Together a tokenizer; `tokenizer_config.json` alone is none."""


@dataclass(frozen=True)
class ModelFacts:
    """A model's shape; a number that is not recorded is 0.

    Attributes:
        served_length: Context in tokens that vLLM 0.33.0 takes when it is given none.
        longest_length: The most that it accepts for --max-model-len.
        served_length_because: The field, the file, and what rope scaling did to it.
        attention_layers: Layers with a KV cache (fewer than `layers` in hybrid models), those with a window included.
        heads: Attention heads; their greatest common divisor where layers differ.
        mla_width: Values per token and layer that multi-head latent attention caches; 0 for ordinary attention.
        kv_groups: The layers with a KV cache by shape; empty: all as `kv_heads`, `head_dim` and `mla_width` say.
        state_layers: Layers with a state of fixed size (Mamba, linear attention, convolutions).
        state_bytes: Of all of them, for one sequence; 0 when the sizes are not recorded.
        state_heads: Heads of those layers, which tensor parallelism must divide too; 0 when there are none.
        chat_template: The templates' text, or empty when none was found.
        template_file: Where the first was found.
    """

    architecture: str = ""
    model_type: str = ""
    dtype: str = ""
    max_position_embeddings: int = 0
    served_length: int = 0
    longest_length: int = 0
    served_length_because: str = NOT_RECORDED
    layers: int = 0
    attention_layers: int = 0
    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    mla_width: int = 0
    kv_groups: tuple[KvGroup, ...] = ()
    state_layers: int = 0
    state_bytes: int = 0
    state_heads: int = 0
    experts: int = 0
    multimodal: bool = False
    needs_trust_remote_code: bool = False
    chat_template: str = ""
    template_file: str = ""
    generation_defaults: Mapping[str, float | int | bool] = field(default_factory=dict)
    missing_files: tuple[str, ...] = ()

    @property
    def no_tokenizer(self) -> bool:
        """Whether no tokenizer file was found."""
        return any(name.startswith("tokenizer") for name in self.missing_files)

    @property
    def no_chat_template(self) -> bool:
        """Whether no chat template was found."""
        return any(name.startswith("chat template") for name in self.missing_files)

    @property
    def moe(self) -> bool:
        """Whether it is a mixture of experts."""
        return self.experts > 1

    @property
    def reasoning(self) -> bool | None:
        """Whether the chat template knows of thinking; None without a template."""
        return template_marks(self.chat_template).reasoning if self.chat_template else None

    @property
    def reasoning_switch(self) -> str:
        """The template's variable (or the word in a message) that turns thinking on or off; empty if none shows."""
        return template_marks(self.chat_template).switch if self.chat_template else ""

    @property
    def tool_calling(self) -> bool | None:
        """Whether the chat template renders tools; None without a template."""
        return template_marks(self.chat_template).tools if self.chat_template else None


def from_config(
    config: Mapping[str, Any],
    directory: Path,
    missing_weights: tuple[str, ...] = (),
    has: Callable[[str], bool] | None = None,
) -> ModelFacts:
    """Facts of a Hugging Face checkpoint.

    Args:
        config: Its config.json.
        directory: Where generation_config.json, the tokenizer and the chat template lie.
        missing_weights: Weight files that are already known to be missing.
        has: Whether the model has a file of this name, where not all of its files lie in `directory` (a copy from the hub).

    Raises:
        CheckpointError: One of those files is broken.
    """
    text = text_settings(config)
    named = config.get("architectures")
    first = named[0] if isinstance(named, list) and named else ""
    tokenizer = read_optional(directory / "tokenizer_config.json") or {}
    templates = find_templates(directory, tokenizer)
    generation = read_optional(directory / "generation_config.json")
    context = served(text, config, tokenizer)
    return replace(
        _shape(text),
        architecture=first[:200] if isinstance(first, str) else "",
        model_type=text_field(config, "model_type")[:100],
        dtype=(text_field(config, "torch_dtype", "dtype") or text_field(text.recorded, "torch_dtype", "dtype"))[:40],
        max_position_embeddings=text.whole(*_CONTEXT) or _within(whole_field(config, *_CONTEXT)),
        served_length=context.length,
        longest_length=context.longest,
        served_length_because=context.because,
        multimodal=_multimodal(config),
        needs_trust_remote_code=bool(config.get("auto_map")),
        chat_template=templates.text,
        template_file=templates.file,
        generation_defaults=_generation_defaults(generation or {}),
        missing_files=_missing(
            has or _lies_in(directory), missing_weights, bool(templates.text), generation is not None
        ),
    )


def _shape(text: TextSettings) -> ModelFacts:
    """What the language model's layers are; everything else is left at its default."""
    layers = number_of_layers(text)
    kinds = layer_kinds(text, layers)
    cache, state = attention(text, kinds), recurrent_state(text, kinds)
    return ModelFacts(
        layers=layers,
        attention_layers=sum(group.layers for group in cache.groups),
        heads=cache.heads,
        kv_heads=cache.kv_heads,
        head_dim=cache.head_dim,
        mla_width=cache.mla_width,
        kv_groups=cache.groups,
        state_layers=state.layers,
        state_bytes=state.bytes,
        state_heads=state.heads,
        experts=_experts(text),
    )


def from_gguf(header: GgufHeader, missing_weights: tuple[str, ...] = ()) -> ModelFacts:
    """Facts of a GGUF file; everything is in its header.

    llama.cpp's server takes `context_length` when it is given no --ctx-size, whatever the rope scaling, which is
    already in it.
    """
    shape = gguf_shape(header)
    cache, context = shape.attention, _within(header.setting("context_length"))
    template = header.text("tokenizer.chat_template")
    missing = list(missing_weights)
    if not header.text("tokenizer.ggml.model"):
        missing.append("tokenizer (tokenizer.ggml.model in the GGUF header)")
    if not template:
        missing.append("chat template (tokenizer.chat_template in the GGUF header)")
    return ModelFacts(
        architecture=header.architecture[:200],
        model_type=header.architecture[:100],
        dtype=header.file_type[0],
        max_position_embeddings=context,
        served_length=context,
        longest_length=context,
        served_length_because=f"context_length {context} in {header.path.name}" if context else "not recorded",
        layers=shape.layers,
        attention_layers=sum(group.layers for group in cache.groups),
        heads=cache.heads,
        kv_heads=cache.kv_heads,
        head_dim=cache.head_dim,
        mla_width=cache.mla_width,
        kv_groups=cache.groups,
        state_layers=shape.state.layers,
        state_bytes=shape.state.bytes,
        experts=_within(header.setting("expert_count")),
        chat_template=template,
        template_file=header.path.name if template else "",
        missing_files=tuple(missing),
    )


def _within(value: int) -> int:
    return value if value <= MAX_SIZE else 0


def _multimodal(config: Mapping[str, Any]) -> bool:
    thinker = config.get("thinker_config")  # Qwen's Omni models keep their senses there
    places = [config, thinker] if isinstance(thinker, dict) else [config]
    return any(place.get(key) for place in places for key in _SENSES)


def _experts(text: TextSettings) -> int:
    listed = [n for key in _EXPERTS for n in text.whole_list(key)]
    blocks = text.recorded.get("block_configs")
    if isinstance(blocks, list):  # they differ by layer: the largest
        listed += [whole_field(block, "n_routed_experts") for block in blocks if isinstance(block, dict)]
    most = text.whole(*_EXPERTS) or whole_field(text.table("ffn_config"), *_EXPERTS)
    return _within(most) or _within(max(listed, default=0))


def _lies_in(directory: Path) -> Callable[[str], bool]:
    return lambda name: (directory / name).exists()


def _missing(
    has: Callable[[str], bool], weights: tuple[str, ...], has_template: bool, has_generation: bool
) -> tuple[str, ...]:
    missing = list(weights)
    if not any(map(has, _TOKENIZERS)) and not all(map(has, _VOCABULARY)):
        missing.append("tokenizer (tokenizer.json, tokenizer.model or the like)")
    if not has_template:
        missing.append("chat template (chat_template.jinja, or in tokenizer_config.json)")
    if not has_generation:
        missing.append("generation_config.json")
    return tuple(missing)


def _generation_defaults(data: Mapping[str, Any]) -> dict[str, float | int | bool]:
    # The comparison also drops NaN and infinities, which JSON readers accept and clients do not.
    return {key: data[key] for key in _SAMPLING if isinstance(data.get(key), (int, float)) and abs(data[key]) < 1e15}
