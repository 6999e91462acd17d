"""What a model is: its architecture, its sizes and what it can do, from config.json or a GGUF header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .config_json import decode, read_bytes, read_optional, text_field, whole_field
from .gguf import GgufHeader

_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts", "num_moe_experts")
_CONTEXT = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "max_seq_len", "n_ctx")
_NESTED = ("text_config", "llm_config", "language_config", "thinker_config")
_SENSES = ("vision_config", "audio_config", "vision_tower", "mm_vision_tower", "vision_encoder")
_THINKING = ("<think>", "enable_thinking", "<|channel|>", "reasoning_content", "thinking")
_TOOLS = ("tools", "tool_call")
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_new_tokens", "do_sample")
_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "tekken.json",
    "vocab.json",
    "tokenizer_config.json",
    "tiktoken.model",
)
MAX_TEMPLATE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class ModelFacts:
    """A model's shape; a number that is not recorded is 0.

    Attributes:
        attention_layers: Layers with a KV cache that grows with the context (fewer than `layers` in hybrid models).
        mla_width: Values per token and layer that multi-head latent attention caches; 0 for ordinary attention.
        chat_template: The template's text, or empty when none was found.
        template_file: Where it was found.
        reasoning: The template shows that the model thinks; None without a template.
        tool_calling: The template renders tools; None without a template.
    """

    architecture: str = ""
    model_type: str = ""
    dtype: str = ""
    max_position_embeddings: int = 0
    rope_scaling: Mapping[str, Any] = field(default_factory=dict)
    layers: int = 0
    attention_layers: int = 0
    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    mla_width: int = 0
    experts: int = 0
    multimodal: bool = False
    needs_trust_remote_code: bool = False
    chat_template: str = ""
    template_file: str = ""
    generation_defaults: Mapping[str, float | int | bool] = field(default_factory=dict)
    missing_files: tuple[str, ...] = ()

    @property
    def moe(self) -> bool:
        """Whether it is a mixture of experts."""
        return self.experts > 1

    @property
    def reasoning(self) -> bool | None:
        """Whether the chat template knows of thinking."""
        return any(mark in self.chat_template for mark in _THINKING) if self.chat_template else None

    @property
    def tool_calling(self) -> bool | None:
        """Whether the chat template renders tools."""
        return any(mark in self.chat_template for mark in _TOOLS) if self.chat_template else None


def from_config(config: Mapping[str, Any], directory: Path, missing_weights: tuple[str, ...] = ()) -> ModelFacts:
    """Facts of a Hugging Face checkpoint.

    Args:
        config: Its config.json.
        directory: Where generation_config.json, the tokenizer and the chat template lie.
        missing_weights: Weight files that are already known to be missing.

    Raises:
        CheckpointError: One of those files is broken.
    """
    text: Mapping[str, Any] = next((config[k] for k in _NESTED if isinstance(config.get(k), dict)), config)
    architectures = config.get("architectures")
    named = architectures[0] if isinstance(architectures, list) and architectures else ""
    heads = whole_field(text, "num_attention_heads", "n_head")
    hidden = whole_field(text, "hidden_size", "n_embd")
    layers = whole_field(text, "num_hidden_layers", "n_layer")
    latent = whole_field(text, "kv_lora_rank")
    template, template_file = _chat_template(directory)
    generation = read_optional(directory / "generation_config.json")
    missing = list(missing_weights)
    if not any((directory / name).exists() for name in _TOKENIZERS):
        missing.append("tokenizer (tokenizer.json, tokenizer.model or the like)")
    if not template:
        missing.append("chat template (chat_template.jinja, or in tokenizer_config.json)")
    if generation is None:
        missing.append("generation_config.json")
    rope = text.get("rope_scaling") or text.get("rope_parameters")
    return ModelFacts(
        architecture=named[:200] if isinstance(named, str) else "",
        model_type=text_field(config, "model_type")[:100],
        dtype=(text_field(config, "torch_dtype", "dtype") or text_field(text, "torch_dtype", "dtype"))[:40],
        max_position_embeddings=whole_field(text, *_CONTEXT) or whole_field(config, *_CONTEXT),
        rope_scaling=rope if isinstance(rope, dict) else {},
        layers=layers,
        attention_layers=_attention_layers(text, layers),
        heads=heads,
        kv_heads=whole_field(text, "num_key_value_heads", "n_head_kv", "num_kv_heads") or heads,
        head_dim=whole_field(text, "head_dim") or (hidden // heads if heads else 0),
        mla_width=latent + whole_field(text, "qk_rope_head_dim") if latent else 0,
        experts=whole_field(text, *_EXPERTS),
        multimodal=any(config.get(key) for key in _SENSES),
        needs_trust_remote_code=bool(config.get("auto_map")),
        chat_template=template,
        template_file=template_file,
        generation_defaults=_generation_defaults(generation or {}),
        missing_files=tuple(missing),
    )


def from_gguf(header: GgufHeader, missing_weights: tuple[str, ...] = ()) -> ModelFacts:
    """Facts of a GGUF file; everything is in its header."""
    heads = header.setting("attention.head_count")
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
        max_position_embeddings=header.setting("context_length"),
        layers=header.setting("block_count"),
        attention_layers=header.setting("block_count"),
        heads=heads,
        kv_heads=header.setting("attention.head_count_kv") or heads,
        head_dim=header.setting("attention.key_length")
        or (header.setting("embedding_length") // heads if heads else 0),
        experts=header.setting("expert_count"),
        chat_template=template,
        template_file=header.path.name if template else "",
        missing_files=tuple(missing),
    )


def _attention_layers(text: Mapping[str, Any], layers: int) -> int:
    pattern = text.get("hybrid_override_pattern")
    if isinstance(pattern, str) and "*" in pattern:  # Nemotron-H: * is attention
        return pattern.count("*")
    types = text.get("layer_types")
    if isinstance(types, list) and types:
        # Sliding windows are counted in full: an upper bound, as for engines that do not shrink their cache.
        return sum(1 for kind in types if isinstance(kind, str) and "attention" in kind and "linear" not in kind)
    return layers


def _chat_template(directory: Path) -> tuple[str, str]:
    path = directory / "chat_template.jinja"
    if path.exists():
        return decode(read_bytes(path, MAX_TEMPLATE_BYTES), path), path.name
    path = directory / "tokenizer_config.json"
    template: object = (read_optional(path) or {}).get("chat_template")
    if isinstance(template, list):
        texts = [t["template"] for t in template if isinstance(t, dict) and isinstance(t.get("template"), str)]
        template = "\n".join(texts)
    if isinstance(template, str) and template:
        return template[:MAX_TEMPLATE_BYTES], path.name
    return "", ""


def _generation_defaults(data: Mapping[str, Any]) -> dict[str, float | int | bool]:
    # The comparison also drops NaN and infinities, which JSON readers accept and clients do not.
    return {key: data[key] for key in _SAMPLING if isinstance(data.get(key), (int, float)) and abs(data[key]) < 1e15}
