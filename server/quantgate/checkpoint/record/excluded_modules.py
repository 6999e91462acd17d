"""The modules that a quantization block leaves unquantized, under all the keys that tools use for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..config_json import whole_field
from .fields import MAX_EXCLUDED, MAX_MODULE, names

KEYS = (
    "ignore",  # compressed-tensors; ModelOpt's config.json
    "exclude_modules",  # ModelOpt's hf_quant_config.json
    "modules_to_not_convert",  # Transformers
    "llm_int8_skip_modules",  # bitsandbytes
    "skip_modules",  # HQQ
    "ignored_layers",  # FP8 as vLLM and MiniMax write it
    "exclude",  # Quark
    "linear_weights_not_to_quantize",  # AQLM
)
_REGEX_MARKS = frozenset("*+?^$()[]{}|\\")


def read_excluded(block: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
    """The names and patterns, each once and as written, and how many more there are than are kept.

    Regular expressions that a tool marks in a way of its own get the mark `re:`, so that `module_patterns` reads them.
    """
    found: dict[str, None] = {}
    omitted = 0
    for name in _all(block):
        if name in found:
            continue
        if len(found) >= MAX_EXCLUDED or len(name) > MAX_MODULE:
            omitted += 1
        else:
            found[name] = None
    return tuple(found), omitted


def _all(block: Mapping[str, Any]) -> Iterator[str]:
    for key in KEYS:
        value = block.get(key)
        if isinstance(value, str) and value:
            yield value
        elif isinstance(value, list):
            yield from (v for v in value if isinstance(v, str) and v)
    yield from _gptqmodel(block.get("dynamic"))
    yield from _auto_round(block.get("extra_config"))
    yield from _torchao(block.get("quant_type"))


def _gptqmodel(dynamic: object) -> Iterator[str]:
    """GPTQModel: an expression after `-:` excludes (vLLM 0.33.0 `quantization/utils/gptq_utils.py`)."""
    if isinstance(dynamic, dict):
        yield from (key for key in dynamic if key.startswith("-:"))


def _auto_round(extra: object) -> Iterator[str]:
    """AutoRound: a layer with 16 bits or more; its key may be an expression to search for (vLLM 0.33.0 `inc/`)."""
    for name, settings in extra.items() if isinstance(extra, dict) else ():
        if isinstance(settings, dict) and whole_field(settings, "bits") >= 16 and name:
            if _REGEX_MARKS.isdisjoint(name):
                yield name
            else:
                yield f"re:{name}" if name.startswith(("^", ".*")) else f"re:.*{name}"


def _torchao(quant_type: object) -> Iterator[str]:
    """torchao: a module whose configuration is null (vLLM 0.33.0 `quantization/torchao.py`)."""
    for name, settings in torchao_modules(quant_type).items():
        if settings is None:
            yield name


def torchao_modules(quant_type: object) -> dict[str, Any]:
    """Configuration by module of torchao's `FqnToConfig` (formerly `ModuleFqnToConfig`); empty for others."""
    default = quant_type.get("default") if isinstance(quant_type, dict) else None
    data = default.get("_data") if isinstance(default, dict) else None
    if not isinstance(data, dict):
        return {}
    found = data.get("fqn_to_config") or data.get("module_fqn_to_config")
    return {k: v for k, v in found.items() if k} if isinstance(found, dict) else {}


def read_targets(block: Mapping[str, Any]) -> tuple[str, ...]:
    """The blocks that alone are quantized: AutoRound and GPTQ name them, in one string with commas or in a list."""
    value = block.get("block_name_to_quantize") or block.get("to_quant_block_names")
    listed = value.split(",") if isinstance(value, str) and len(value) <= MAX_MODULE * 10 else value
    return tuple(dict.fromkeys(n.strip() for n in names(listed) if n.strip()))[:MAX_EXCLUDED]
