"""Records in the way of compressed-tensors: `config_groups` of targets with their weight and activation formats.

ModelOpt's config.json has such groups too, beside its own `quant_algo`. Field names, defaults and presets: compressed-tensors
0.20.0 `quantization/quant_args.py` and `quant_scheme.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ..config_json import text_field, whole_field
from .fields import MAX_GROUPS, MAX_MODULE, MAX_NAME, UNKNOWN, FormatGroup, names

_INTEGER_PRESET = re.compile(r"W([2-8])A(4|8|16)(?:_ASYM)?\Z")
_CLASS = re.compile(r"[A-Z]\w*\Z")


class Args(NamedTuple):
    """The format of one kind of tensor: bits, whether it is a float, group size, and the scale's scope."""

    bits: int = 16
    float: bool = True
    group_size: int = 0
    strategy: str = ""
    dynamic: bool = False
    symmetric: bool = True


_PLAIN = Args()
_PRESETS = {
    "INT8": (Args(8, False), Args(8, False)),
    "W4AFP8": (Args(4, False, 128), Args(8)),
    "FP8": (Args(8), Args(8)),
    "FP8_DYNAMIC": (Args(8), Args(8, dynamic=True)),
    "FP8_BLOCK": (Args(8, group_size=128, strategy="block"), Args(8)),
    "NVFP4A16": (Args(4, group_size=16), _PLAIN),
    "NVFP4": (Args(4, group_size=16), Args(4)),
    "MXFP4A16": (Args(4, group_size=32), _PLAIN),
    "MXFP4": (Args(4, group_size=32), Args(4)),
    "MXFP4XFP8": (Args(4, group_size=32), Args(8)),
    "MXFP6A16": (Args(6, group_size=32), _PLAIN),
    "MXFP6A8": (Args(6, group_size=32), Args(8)),
    "MXFP8A16": (Args(8, group_size=32), _PLAIN),
    "MXFP8": (Args(8, group_size=32), Args(8)),
}


def read_groups(block: Mapping[str, Any]) -> list[tuple[FormatGroup, object]]:
    """The groups that quantize weights, in their order, each with what it was read from; at most 64.

    A group whose fields cannot be read is `UNKNOWN`; one that only quantizes activations is left out.
    """
    groups = block.get("config_groups")
    found: list[tuple[FormatGroup, object]] = []
    for key, value in groups.items() if isinstance(groups, dict) else ():
        if len(found) >= MAX_GROUPS:
            break
        if (group := _group(key, value)) is not None:
            found.append((group, value))
    return found


def targets_of(value: object) -> list[str]:
    """The targets of one group, which may stand alone as a list beside a preset's name."""
    return names(value.get("targets") if isinstance(value, dict) else value)


def is_class(target: str) -> bool:
    """Whether a target is the name of a class (`Linear`) rather than of a module."""
    return _CLASS.match(target) is not None


def activation_args(group: Mapping[str, Any]) -> Args | None:
    """The format of a group's inputs; plain 16 bits when they are not quantized, None when it cannot be read."""
    value = group.get("input_activations")
    return _PLAIN if value is None else _args(value)


def _group(key: str, value: object) -> FormatGroup | None:
    targets = targets_of(value)
    kept = FormatGroup(UNKNOWN, targets=tuple(targets[:MAX_GROUPS]), count=len(targets))
    if isinstance(value, list):
        preset = key.strip().upper()[:MAX_NAME]
        if preset == "UNQUANTIZED":
            return None
        return _named_preset(kept, preset)
    if not isinstance(value, dict):
        return kept
    if value.get("weights") is None:
        # ModelOpt writes groups for algorithms it has no description of as their name alone.
        named = text_field(value, "quant_algo").upper()[:MAX_NAME]
        return replace(kept, algorithm=named) if named else None
    weights, inputs = _args(value["weights"]), activation_args(value)
    if weights is None or inputs is None:
        return kept
    return _described(kept, weights, inputs)


def _named_preset(kept: FormatGroup, preset: str) -> FormatGroup:
    if preset in _PRESETS:
        return _described(kept, *_PRESETS[preset])
    if (integer := _INTEGER_PRESET.match(preset)) is None:
        return kept
    bits, inner = int(integer[1]), int(integer[2])
    group = 0 if preset == "W8A8" else 128
    return _described(kept, Args(bits, False, group, symmetric=not preset.endswith("_ASYM")), Args(inner, inner == 16))


def _described(kept: FormatGroup, weights: Args, inputs: Args) -> FormatGroup:
    name, tensors = _scheme(weights, inputs)
    return replace(
        kept,
        algorithm=name,
        bits=weights.bits,
        activation_bits=inputs.bits,
        group_size=weights.group_size,
        tensors=tensors,
    )


def _scheme(weights: Args, inputs: Args) -> tuple[str, tuple[str, ...]]:
    """A scheme's name, as the presets have it, and the storage formats it allows."""
    if weights.bits > 8:
        return UNKNOWN, ()
    suffix = {16: "A16", weights.bits: ""}.get(inputs.bits, f"A{inputs.bits}")
    if not weights.float:
        if weights.bits == 4 and inputs.bits == 8 and inputs.float:
            return "W4AFP8", ("INT4",)
        asymmetric = "_ASYM" if (weights.bits, inputs.bits, weights.symmetric) == (4, 16, False) else ""
        return f"W{weights.bits}A{inputs.bits}{asymmetric}", (f"INT{weights.bits}",)
    if weights.bits == 8 and weights.group_size == 32:
        return f"MXFP8{suffix}", ("MXFP8",)
    if weights.bits == 8:
        name = "FP8_W8A16" if inputs.bits == 16 else "FP8_BLOCK" if weights.strategy == "block" else "FP8"
        return ("FP8_DYNAMIC" if name == "FP8" and inputs.dynamic else name), ("FP8",)
    if weights.bits == 6 and weights.group_size == 32:
        return f"MXFP6{suffix}", ()
    if weights.bits == 4 and weights.group_size == 16:
        return f"NVFP4{suffix}", ("NVFP4",)
    if weights.bits == 4 and weights.group_size == 32:
        return ("MXFP4XFP8" if inputs.bits == 8 else f"MXFP4{suffix}"), ("MXFP4",)
    return UNKNOWN, ()


def _args(value: object) -> Args | None:
    """The fields of a `QuantizationArgs`; None when one is of the wrong type. Absent ones have the format's defaults."""
    if not isinstance(value, dict):
        return None
    bits = whole_field(value, "num_bits") if "num_bits" in value else 8
    kind = value.get("type", "int")
    kind = kind.lower() if isinstance(kind, str) else ""
    if not 0 < bits <= 16 or kind not in ("int", "float"):
        return None
    strategy = text_field(value, "strategy").lower()
    group = whole_field(value, "group_size")
    structure = value.get("block_structure")
    if not group and strategy == "block":
        group = _rows(structure)
    return Args(
        bits, kind == "float", group, strategy, value.get("dynamic") is True, value.get("symmetric") is not False
    )


def _rows(structure: object) -> int:
    """Columns of a block: a list of two, or `128x128` as older versions wrote it."""
    if isinstance(structure, str) and len(structure) <= MAX_MODULE:
        parts: list[Any] = [int(p) for p in structure.split("x") if p.isascii() and p.isdigit() and len(p) < 10]
    else:
        parts = structure if isinstance(structure, list) else []
    return whole_field({"columns": parts[1]}, "columns") if len(parts) == 2 else 0
