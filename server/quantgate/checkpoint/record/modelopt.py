"""ModelOpt's record: `quantization_config` of config.json, or `quantization` of hf_quant_config.json.

Field names: ModelOpt 0.47.0 `export/quant_utils.py` (`get_quant_config`, `process_layer_quant_config`) and
`export/convert_hf_config.py`, which makes the former from the latter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .. import tables
from ..config_json import text_field, whole_field
from .compressed_tensors import Args, activation_args, is_class, read_groups, targets_of
from .excluded_modules import read_excluded
from .fields import (
    MAX_GROUPS,
    MAX_LAYERS,
    MAX_MODULE,
    MAX_NAME,
    MIXED,
    MODELOPT,
    UNKNOWN,
    Evidence,
    FormatGroup,
    Place,
    Recorded,
    normal,
    objects,
    same,
)
from .kv_cache import read_kv
from .module_patterns import is_pattern
from .producer import read_producer

_BY_GROUP = {
    "FP8": "FP8",
    "FP8_BLOCK": "FP8_PB_WO",
    "NVFP4": "NVFP4",
    "NVFP4A16": "W4A16_NVFP4",
    "NVFP4A8": "W4A8_NVFP4_FP8",
    "MXFP4XFP8": "W4A8_MXFP4_FP8",
    "MXFP8": "MXFP8",
    "W4A16": "W4A16_AWQ",
    "W8A16": "W8A16",
    "W8A8": "W8A8_SQ_PER_CHANNEL",
}
"""ModelOpt's algorithm by the scheme of a group that it writes (`_quant_algo_to_group_config`)."""
_DETAILS = ("pre_quant_scale", "has_zero_point", "lora_rank")


@dataclass(frozen=True)
class Layers:
    """What is recorded for single layers."""

    exact: dict[str, str] = field(default_factory=dict)
    patterns: tuple[tuple[str, str], ...] = ()
    groups: tuple[FormatGroup, ...] = ()
    omitted: int = 0

    @property
    def algorithms(self) -> set[str]:
        """All algorithms that a layer or a group has."""
        return {*self.exact.values(), *(a for _, a in self.patterns), *(g.algorithm for g in self.groups)}


def read_modelopt(place: Place, producer: object) -> Recorded:
    """The record of a block that ModelOpt wrote.

    Args:
        place: The block; one level of `quantization` inside it is followed (vLLM 0.33.0 and SGLang 0.5.23 do so).
        producer: The value of `producer` beside or inside the block.
    """
    if isinstance(inner := place.block.get("quantization"), dict):
        producer = place.block.get("producer", producer)
        place = Place(place.file, place.at("quantization"), inner)
    block, problems = place.block, []
    layers = _listed_layers(block.get("quantized_layers"))
    if not layers.algorithms:
        layers = _grouped_layers(block)
    algorithm = _algorithm(block, layers)
    if algorithm == UNKNOWN:
        problems.append(f"{place.at('quant_algo')} names no algorithm")
    kv = read_kv(place)
    excluded, omitted = read_excluded(block)
    table = tables.methods().modelopt
    used = {a for a in (algorithm, *layers.algorithms) if a}
    known = used <= table.keys()
    row = table.get(algorithm)
    written = place.evidence("quant_algo") or [Evidence(place.file, place.at("quant_algo"), "null")]
    evidence = [*written, *kv.evidence, *place.evidence(*_DETAILS)]
    return Recorded(
        file=place.file,
        method=MODELOPT,
        algorithm=algorithm,
        known=known,
        kv_cache=kv.algorithm,
        known_kv=kv.known,
        group_size=_group_size(block) or same(g.group_size for g in layers.groups if g.group_size),
        bits=row.bits if row else 0,
        activation_bits=row.activation_bits if row else 0,
        bits_per_weight=row.bits if row else 0,
        tensors=_tensors(used - {MIXED}),
        excluded=excluded,
        excluded_omitted=omitted,
        layers=layers.exact,
        layer_patterns=layers.patterns,
        layers_omitted=layers.omitted,
        groups=layers.groups,
        producer=read_producer(block, producer),
        evidence=tuple(evidence if known and kv.known else [*evidence, place.raw()]),
        problems=(*problems, *kv.problems),
        written=_other_spelling(block.get("quant_algo"), algorithm),
    )


def _other_spelling(value: object, algorithm: str) -> str:
    """The algorithm as the file spells it, when that is not its name."""
    return value[:MAX_NAME] if isinstance(value, str) and value != algorithm else ""


def _algorithm(block: Mapping[str, Any], layers: Layers) -> str:
    """The algorithm of the whole; empty when only the KV cache is quantized."""
    value = block.get("quant_algo")
    if isinstance(value, str) and value.strip():
        return normal(value)
    if value not in (None, ""):
        return UNKNOWN
    if len(layers.algorithms) > 1:
        return MIXED
    return next(iter(layers.algorithms), "")


def _group_size(block: Mapping[str, Any]) -> int:
    value = block.get("group_size")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:  # vLLM takes it, too
        return int(value)
    return whole_field(block, "group_size", "awq_block_size")


def _listed_layers(listed: object) -> Layers:
    """`quantized_layers`: an algorithm and a group size by the layer's name, which may be a pattern."""
    exact: dict[str, str] = {}
    patterns: list[tuple[str, str]] = []
    names: dict[tuple[str, int], list[str]] = {}
    omitted = 0
    for name, value in objects(listed).items():
        if len(name) > MAX_MODULE or len(exact) + len(patterns) >= MAX_LAYERS:
            omitted += 1
            continue
        algorithm = _algorithm(value, Layers()) or UNKNOWN
        if is_pattern(name):
            patterns.append((name, algorithm))
        else:
            exact[name] = algorithm
        names.setdefault((algorithm, _group_size(value)), []).append(name)
    groups = tuple(_row_group(a, size, found) for (a, size), found in list(names.items())[:MAX_GROUPS])
    return Layers(exact, tuple(patterns), groups, omitted)


def _grouped_layers(block: Mapping[str, Any]) -> Layers:
    """`config_groups`, where the layers are counted only when targets name them one by one."""
    exact: dict[str, str] = {}
    patterns: list[tuple[str, str]] = []
    found = []
    omitted = 0
    whole = normal(text_field(block, "quant_algo"))
    mixed = whole in ("", MIXED)
    for group, value in read_groups(block):
        # Where one algorithm is named for the whole, the group describes that one.
        algorithm = _from_group(group, value) if mixed else whole
        found.append(replace(group, algorithm=algorithm))
        for target in targets_of(value) if mixed else ():
            if is_class(target):
                continue
            if len(exact) + len(patterns) >= MAX_LAYERS:
                omitted += 1
            elif is_pattern(target):
                patterns.append((target, algorithm))
            else:
                exact[target] = algorithm
    return Layers(exact, tuple(patterns), tuple(found), omitted)


def _from_group(group: FormatGroup, value: object) -> str:
    """The algorithm that ModelOpt describes by such a group; `UNKNOWN` where it describes several so."""
    if not isinstance(value, dict):
        return UNKNOWN
    weights = value.get("weights")
    if weights is None:
        return normal(group.algorithm)
    inputs = activation_args(value)
    if group.algorithm == "NVFP4" and value.get("pre_quant_scale") is True:
        return "NVFP4_SVD"
    if group.algorithm in ("NVFP4A8", "MXFP4XFP8") and isinstance(inputs, Args) and inputs.group_size:
        return UNKNOWN  # NVFP4_AWQ and W4A8_AWQ
    channel = isinstance(weights, dict) and weights.get("strategy") == "channel"
    if channel and group.algorithm in ("FP8", "FP8_DYNAMIC"):
        return "FP8_PER_CHANNEL_PER_TOKEN"
    return _BY_GROUP.get(group.algorithm, UNKNOWN)


def _row_group(algorithm: str, size: int, names: list[str]) -> FormatGroup:
    row = tables.methods().modelopt.get(algorithm)
    return FormatGroup(
        algorithm,
        bits=row.bits if row else 0,
        activation_bits=row.activation_bits if row else 0,
        group_size=size,
        tensors=row.tensors if row else (),
        targets=tuple(names[:MAX_GROUPS]),
        count=len(names),
    )


def _tensors(algorithms: set[str]) -> tuple[str, ...]:
    """Storage formats of these algorithms; empty when one of them is not known."""
    table = tables.methods().modelopt
    if not algorithms <= table.keys():
        return ()
    return tuple(sorted({t for a in algorithms for t in table[a].tensors}))
