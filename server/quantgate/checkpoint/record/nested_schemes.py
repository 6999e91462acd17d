"""The schemes of methods whose format stands deeper in the block: torchao and Quark."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..config_json import text_field, whole_field
from .excluded_modules import torchao_modules
from .fields import MAX_GROUPS, MAX_LAYERS, MAX_MODULE, MAX_NAME, MIXED, UNKNOWN, FormatGroup, objects, same
from .foreign_schemes import Block, Scheme, columns

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Bits of weights and of activations by the class's name without `Config` (torchao's quantization and mx_formats).
_TORCHAO = {
    "Int4WeightOnly": (4, 16),
    "Int8WeightOnly": (8, 16),
    "Float8WeightOnly": (8, 16),
    "Int8DynamicActivationInt4Weight": (4, 8),
    "Int8DynamicActivationInt8Weight": (8, 8),
    "Int4DynamicActivationInt4Weight": (4, 4),
    "Float8DynamicActivationInt4Weight": (4, 8),
    "Float8DynamicActivationFloat8Weight": (8, 8),
    "Float8StaticActivationFloat8Weight": (8, 8),
    "Int8DynamicActivationIntxWeight": (0, 8),
    "IntxWeightOnly": (0, 16),
    "UintxWeightOnly": (0, 16),
}
_INTEGER = re.compile(r"u?int([1-8])\Z")


def _torchao(block: Block) -> Scheme:
    """torchao: the class of its configuration, as `_type` and `_data` (torchao `core/config.py`).

    Older files have a word such as `int4_weight_only` and its arguments beside it.
    """
    fields = ("quant_type", "quant_type_kwargs", "include_input_output_embeddings")
    value = block.get("quant_type")
    if isinstance(value, str):
        name = "".join(part.capitalize() for part in value[:MAX_NAME].split("_"))
        arguments = block.get("quant_type_kwargs")
        return _torchao_class(name, arguments if isinstance(arguments, dict) else {}, fields)
    default = value.get("default") if isinstance(value, dict) else None
    if not isinstance(default, dict):
        return Scheme(UNKNOWN, tensors=(), fields=fields)
    if not (modules := torchao_modules(value)):
        return _torchao_entry(default)._replace(fields=fields)
    # By module: `_default` holds for those that are not named (`*` is not used there), null is no quantization.
    schemes = {name: _torchao_entry(entry) for name, entry in list(modules.items())[:MAX_LAYERS] if entry is not None}
    return _mixed({name: _as_group(scheme) for name, scheme in schemes.items()}, "_default", fields)


def _torchao_entry(entry: object) -> Scheme:
    if not isinstance(entry, dict):
        return Scheme(UNKNOWN, tensors=())
    data = entry.get("_data")
    name = text_field(entry, "_type")[:MAX_NAME].removesuffix("Config")
    return _torchao_class(name, data if isinstance(data, dict) else {}, ())


def _torchao_class(name: str, data: Mapping[str, Any], fields: tuple[str, ...]) -> Scheme:
    name = name.replace("UIntX", "Uintx")  # so that both spellings, and the older word, are one
    if name not in _TORCHAO:
        return Scheme(_snake(name) or UNKNOWN, tensors=(), fields=fields, certain=False)
    bits, inner = _TORCHAO[name]
    if not bits:
        dtype = data.get("weight_dtype") or data.get("dtype")
        word = text_field(dtype, "_data") if isinstance(dtype, dict) else dtype if isinstance(dtype, str) else ""
        found = _INTEGER.match(word.removeprefix("torch.")[:MAX_NAME])
        bits = int(found[1]) if found else 0
    granularity = data.get("granularity") or data.get("weight_granularity")
    inside = granularity.get("_data") if isinstance(granularity, dict) else None
    group = whole_field(data, "group_size") or (whole_field(inside, "group_size") if isinstance(inside, dict) else 0)
    return Scheme(_snake(name), bits, group, activation_bits=inner, tensors=(), fields=fields)


def _snake(name: str) -> str:
    """`Int4WeightOnly` as `INT4_WEIGHT_ONLY`, which is torchao's own older word for it."""
    return _WORD.sub("_", name).upper() if name.isidentifier() else ""


def _quark(block: Block) -> Scheme:
    """Quark: one format for all, others by layer or by class (vLLM 0.33.0 `quantization/quark/quark.py`)."""
    fields = ("global_quant_config", "layer_quant_config", "layer_type_quant_config", "algo_config", "export")
    whole = block.get("global_quant_config")
    found = {"": _quark_entry(whole)} if isinstance(whole, dict) else {}
    for key in ("layer_quant_config", "layer_type_quant_config"):
        for name, entry in list(objects(block.get(key)).items())[:MAX_LAYERS]:
            # An entry that only adds an output format to the format of all is the KV cache's.
            if len(name) <= MAX_MODULE and name:
                found[name] = _quark_entry(entry)
    if not found:
        return Scheme(UNKNOWN, tensors=(), fields=fields)
    export = block.get("export")
    packing = text_field(export, "pack_method") if isinstance(export, dict) else ""
    return _mixed(found, "", fields)._replace(packing=packing)


def _quark_entry(entry: Mapping[str, Any]) -> FormatGroup:
    """The format of one entry: weights in one or two steps, and inputs."""
    steps, inputs = _steps(entry.get("weight")), _steps(entry.get("input_tensors"))
    if not steps:
        return FormatGroup("" if entry.get("weight") is None else UNKNOWN)
    inner = 16 if entry.get("input_tensors") is None else _quark_bits(inputs[-1]) if len(inputs) == 1 else 0
    words = [text_field(s, "dtype").lower() for s in steps]
    group, first = whole_field(steps[0], "group_size"), steps[0]
    if words == ["fp4", "fp8_e4m3"] and group == 16:
        nested = [text_field(s, "dtype").lower() for s in inputs] == words
        return FormatGroup("NVFP4", 4, 4 if nested else inner, group, ("NVFP4",))
    if words == ["fp8_e4m3", "int4"]:
        return FormatGroup("INT4_FP8", 4, inner, whole_field(steps[1], "group_size"))
    if len(words) != 1:
        return FormatGroup(UNKNOWN)
    word, bits = words[0], _quark_bits(first)
    group = group or columns(first.get("block_size"))
    shared = text_field(first, "scale_format") == "e8m0" or text_field(first, "scale_type") == "float8_e8m0fnu"
    if word.startswith("fp") and group == 32 and shared:
        return FormatGroup(f"MXFP{bits}", bits, inner, group, (f"MXFP{bits}",) if bits in (4, 8) else ())
    if word == "fp8_e4m3":
        return FormatGroup("FP8", 8, inner, group, ("FP8",))
    if _INTEGER.match(word):
        return FormatGroup(f"W{bits}A{inner or 16}", bits, inner, group, (f"INT{bits}",))
    return FormatGroup(UNKNOWN, bits, inner, group)


def _steps(value: object) -> list[dict[str, Any]]:
    steps = value if isinstance(value, list) else [value]
    return [s for s in steps if isinstance(s, dict)] if all(isinstance(s, dict) for s in steps) else []


def _quark_bits(step: Mapping[str, Any]) -> int:
    found = re.match(r"u?(?:int|fp)([1-8])(?:_e\dm\d)?\Z", text_field(step, "dtype").lower()[:MAX_NAME])
    return int(found[1]) if found else 0


def _as_group(scheme: Scheme) -> FormatGroup:
    algorithm = scheme.algorithm if scheme.certain else UNKNOWN
    return FormatGroup(algorithm, scheme.bits, scheme.activation_bits, scheme.group_size)


def _mixed(found: Mapping[str, FormatGroup], default: str, fields: tuple[str, ...]) -> Scheme:
    """One scheme from the formats by pattern; `default` is the name of the one for all others."""
    kinds: dict[FormatGroup, list[str]] = {}
    for name, group in found.items():
        kinds.setdefault(group, []).append(name)
    quantized = [g for g in kinds if g.algorithm]
    if not quantized:
        return Scheme(UNKNOWN, tensors=(), fields=fields)
    groups = tuple(
        replace(group, targets=tuple(n for n in names[:MAX_GROUPS] if n != default), count=len(names))
        for group, names in list(kinds.items())[:MAX_GROUPS]
    )
    several = len({g.algorithm for g in quantized}) > 1
    return Scheme(
        MIXED if several else quantized[0].algorithm,
        same(g.bits for g in quantized),
        same(g.group_size for g in quantized if g.group_size),
        same(g.activation_bits for g in quantized),
        tensors=tuple(sorted({t for g in quantized for t in g.tensors})) if all(g.tensors for g in quantized) else (),
        groups=groups if len(groups) > 1 else (),
        patterns=tuple((n, g.algorithm) for n, g in found.items() if n != default and g.algorithm) if several else (),
        fields=fields,
    )


NESTED_READERS: Mapping[str, Callable[[Block], Scheme]] = {"quark": _quark, "torchao": _torchao}
