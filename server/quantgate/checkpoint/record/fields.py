"""The record that one file of a checkpoint makes of its quantization, and the bounded reading of its fields.

Everything here was written by whoever made the checkpoint: each text is cut, each list is capped and counted, and a value
of the wrong type reads as absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from ...redact import redact

CONFIG = "config.json"
LEGACY = "hf_quant_config.json"
MODELOPT = "modelopt"
UNKNOWN = "UNKNOWN"
MIXED = "MIXED_PRECISION"
MAX_NAME = 60
"""Longest method or algorithm, in characters: names come from the checkpoint."""
MAX_MODULE = 1000
"""Longest module name or pattern that is kept, in characters."""
MAX_EXCLUDED = 20_000
"""Most exclusions that are kept; large models with experts list thousands."""
MAX_LAYERS = 200_000
MAX_GROUPS = 64
MAX_SHORT = 300
_MAX_DUMPED = 20_000


@dataclass(frozen=True)
class Evidence:
    """One field that was read: `file`, the dotted `field` in it, and its value as short text."""

    file: str
    field: str
    value: str


@dataclass(frozen=True)
class FormatGroup:
    """Modules that share one format.

    Attributes:
        algorithm: In upper case; `UNKNOWN` when its fields name no format that is known.
        bits: Bits per weight; 0 when not recorded.
        activation_bits: Bits of the activations, 16 when they are not quantized; 0 when not recorded.
        group_size: Weights per scale; 0 when not recorded or when a scale covers more than a group.
        tensors: Storage formats, in the words of `layer_formats`; empty: not known.
        targets: The first names, classes or patterns of the modules.
        count: How many targets there are.
    """

    algorithm: str
    bits: int = 0
    activation_bits: int = 0
    group_size: int = 0
    tensors: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    count: int = 0


@dataclass(frozen=True)
class Recorded:
    """The quantization that one file records.

    Attributes:
        file: Where it stands.
        method: `modelopt`, the foreign method's name in lower case, or `unknown`.
        algorithm: In upper case; empty when the weights are not quantized, `UNKNOWN` when that is not told.
        known: The method and every algorithm are in methods.yaml, or are schemes of a known method.
        kv_cache: The KV-cache algorithm in upper case, or empty; as written when `known_kv` is False.
        group_size: Weights per scale, of the layers that have groups; 0 when not recorded or when it differs.
        bits: Bits per weight; 0 when not recorded, or when it is no whole number (see `bits_per_weight`).
        excluded: Names and patterns of modules that are not quantized, as written, in any notation of `module_patterns`.
        layers: Exact module name to algorithm, for MIXED_PRECISION.
        producer: Name and version of the tool that wrote it.
        known_kv: False when a KV-cache record names no algorithm that is known.
        activation_bits: Bits of the activations; 0 when not recorded.
        bits_per_weight: Exact, for codebooks; 0 when not recorded.
        tensors: Storage formats that it allows, in the words of `layer_formats`; empty: not known.
        groups: The formats side by side, when there are several or when only a part of the model is named.
        layer_patterns: Pairs of a pattern and an algorithm: the entries of `layers` that are no exact names.
        targets: Modules, classes or patterns that alone are quantized; empty: all that are not excluded.
        packing: The container's own word for its layout (`pack-quantized`, `gptq_v2`, `gemm`).
        excluded_omitted: Exclusions beyond those kept in `excluded`.
        layers_omitted: Layers beyond those kept in `layers`.
        problems: What is malformed in the record, as sentences.
        written: The algorithm as the file spells it, where that is not its name.
    """

    file: str
    method: str
    algorithm: str
    known: bool
    kv_cache: str = ""
    group_size: int = 0
    bits: int = 0
    excluded: tuple[str, ...] = ()
    layers: Mapping[str, str] = field(default_factory=dict)
    producer: str = ""
    evidence: tuple[Evidence, ...] = ()
    known_kv: bool = True
    activation_bits: int = 0
    bits_per_weight: float = 0.0
    tensors: tuple[str, ...] = ()
    groups: tuple[FormatGroup, ...] = ()
    layer_patterns: tuple[tuple[str, str], ...] = ()
    targets: tuple[str, ...] = ()
    packing: str = ""
    excluded_omitted: int = 0
    layers_omitted: int = 0
    problems: tuple[str, ...] = ()
    written: str = ""


@dataclass(frozen=True)
class Place:
    """A block of JSON and where it stands: `file`, and the dotted path of the block in it."""

    file: str
    path: str
    block: Mapping[str, Any]

    def at(self, key: str) -> str:
        """The dotted path of a field of the block."""
        return f"{self.path}.{key}".lstrip(".")

    def evidence(self, *keys: str) -> list[Evidence]:
        """Evidence of those of these fields that are present and not null."""
        return [
            Evidence(self.file, self.at(key), short(self.block[key])) for key in keys if self.block.get(key) is not None
        ]

    def raw(self) -> Evidence:
        """The whole block as evidence, cut."""
        return Evidence(self.file, self.path or "(all)", short(self.block))


def normal(algorithm: str) -> str:
    """An algorithm's name in ModelOpt's own spelling."""
    return algorithm.strip().upper()[:MAX_NAME]


def short(value: object) -> str:
    """A value as JSON of at most 300 characters: untrusted text is quoted and bounded."""
    left = [_MAX_DUMPED]
    try:
        text = json.dumps(_cut(value, left), ensure_ascii=True, default=str)
    except ValueError:  # a number of thousands of digits
        return "(a value that cannot be shown)"
    text = redact(text)  # before it is cut
    return text if len(text) <= MAX_SHORT else text[: MAX_SHORT - 3] + "..."


def _cut(value: object, left: list[int], depth: int = 12) -> object:
    """A copy with only as much as can be shown; `left` counts down the characters that remain."""
    left[0] -= 1
    if isinstance(value, str):
        kept = value[: max(left[0], 0)]
        left[0] -= len(kept)
        # Without the word that the cut goes through: half a secret would not be recognised.
        return kept if len(kept) == len(value) else f"{' '.join(kept.split()[:-1])} ...".lstrip()
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    if depth == 0:
        return "..."
    if isinstance(value, Mapping):
        pairs = takewhile(lambda _: left[0] > 0, value.items())
        return {str(_cut(str(key), left)): _cut(item, left, depth - 1) for key, item in pairs}
    return [_cut(item, left, depth - 1) for item in takewhile(lambda _: left[0] > 0, value)]


def names(value: object) -> list[str]:
    """The strings of a list (or a lone string) that are short enough to be a module's name or pattern."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, (list, tuple)):
        return []
    return [v for v in value if isinstance(v, str) and 0 < len(v) <= MAX_MODULE]


def objects(value: object) -> dict[str, dict[str, Any]]:
    """The entries of an object that are objects themselves; empty when it is none."""
    if not isinstance(value, dict):
        return {}
    return {k: v for k, v in value.items() if isinstance(v, dict)}


def same(values: Iterable[int]) -> int:
    """The one positive number that all of these are; 0 when they differ or there is none."""
    found = set(values)
    return found.pop() if len(found) == 1 else 0
