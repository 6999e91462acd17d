"""What a checkpoint's own files say about its quantization: `config.json` first, then ModelOpt's legacy file.

Nothing is concluded here that is not written there; the tensors are asked elsewhere (`layer_formats`, `conflicts`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..redact import redact
from . import tables
from .config_json import text_field, whole_field

CONFIG = "config.json"
LEGACY = "hf_quant_config.json"
MODELOPT = "modelopt"
MAX_NAME = 60
"""Longest method or algorithm, in characters: names come from the checkpoint."""
_EXCLUSIONS = (
    "ignore",
    "exclude_modules",
    "modules_to_not_convert",
    "llm_int8_skip_modules",
    "skip_modules",
    "ignored_layers",
    "exclude",
)
_BITS = ("bits", "w_bit", "nbits", "weight_bits", "wbits", "num_bits", "nbits_per_codebook")
_GROUPS = ("group_size", "q_group_size", "bnb_4bit_blocksize")
_NESTED = ("text_config", "llm_config", "language_config", "thinker_config")


@dataclass(frozen=True)
class Evidence:
    """One field that was read: `file`, the dotted `field` in it, and its value as short text."""

    file: str
    field: str
    value: str


@dataclass(frozen=True)
class Recorded:
    """The quantization that one file records.

    Attributes:
        file: Where it stands.
        method: `modelopt`, or the foreign method's name in lower case.
        algorithm: In upper case; empty when the weights are not quantized.
        known: The method and the algorithm are in methods.yaml.
        kv_cache: The KV-cache algorithm in upper case, or empty.
        layers: Module to algorithm, for MIXED_PRECISION.
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


def from_config(config: Mapping[str, Any]) -> Recorded | None:
    """The record in `config.json`, at the top or inside the language model's part; None when there is none."""
    for prefix in ("", *_NESTED):
        part = config.get(prefix) if prefix else config
        if not isinstance(part, dict):
            continue
        for key in ("quantization_config", "compression_config"):
            if isinstance(block := part.get(key), dict) and block:
                return _read(CONFIG, f"{prefix}.{key}".lstrip("."), block, block.get("producer"))
    return None


def from_legacy(data: Mapping[str, Any]) -> Recorded | None:
    """The record in `hf_quant_config.json`; None when it has none."""
    block = data.get("quantization")
    if not isinstance(block, dict) or not block:
        return None
    return _read(LEGACY, "quantization", block, data.get("producer"))


def normal(algorithm: str) -> str:
    """An algorithm's name in ModelOpt's own spelling."""
    upper = algorithm.strip().upper()[:MAX_NAME]
    return tables.methods().aliases.get(upper, upper)


def _read(file: str, where: str, block: dict[str, Any], producer: object) -> Recorded:
    method = text_field(block, "quant_method").lower()[:MAX_NAME]
    if method.startswith(MODELOPT) or (not method and (file == LEGACY or "quant_algo" in block)):
        return _modelopt(file, where, block, producer)
    return _foreign(file, where, block, method)


def _modelopt(file: str, where: str, block: dict[str, Any], producer: object) -> Recorded:
    algorithm = normal(text_field(block, "quant_algo"))
    layers = {}
    listed = block.get("quantized_layers")
    if isinstance(listed, dict):
        layers = {n: normal(text_field(v, "quant_algo")) for n, v in listed.items() if isinstance(v, dict)}
    kv_key = "kv_cache_scheme" if "kv_cache_scheme" in block else "kv_cache_quant_algo"
    kv_cache = _kv_cache(block.get(kv_key))
    evidence = [Evidence(file, f"{where}.quant_algo", short(block.get("quant_algo")))]
    if kv_cache:
        evidence.append(Evidence(file, f"{where}.{kv_key}", short(block[kv_key])))
    known = (not algorithm or algorithm in tables.methods().modelopt) and all(
        a in tables.methods().modelopt for a in layers.values()
    )
    if not known:
        evidence.append(Evidence(file, where, short(block)))
    return Recorded(
        file=file,
        method=MODELOPT,
        algorithm=algorithm,
        known=known,
        kv_cache=kv_cache,
        group_size=whole_field(block, "group_size") or _group_size(block),
        excluded=_excluded(block),
        layers=layers,
        producer=_producer(producer),
        evidence=tuple(evidence),
    )


def _foreign(file: str, where: str, block: dict[str, Any], method: str) -> Recorded:
    row = tables.methods().foreign.get(method)
    bits = whole_field(block, *_BITS) or (row.bits if row else 0)
    kv_cache = _kv_cache(block.get("kv_cache_scheme"))
    evidence = [Evidence(file, f"{where}.quant_method", short(block.get("quant_method")))]
    algorithm, group = method.upper().replace("-", "_"), whole_field(block, *_GROUPS)
    if method == "compressed-tensors":
        algorithm, bits, group = _scheme(block)
        evidence.append(Evidence(file, f"{where}.config_groups", short(block.get("config_groups"))))
    elif method == "bitsandbytes":
        four = block.get("load_in_4bit") is True
        algorithm = normal(text_field(block, "bnb_4bit_quant_type")) or "FP4" if four else "INT8"
        bits = 4 if four else 8
    elif isinstance(size := block.get("weight_block_size"), list) and size:
        group = size[0] if isinstance(size[0], int) else group
        evidence.append(Evidence(file, f"{where}.weight_block_size", short(size)))
    elif method in {"torchao", "quark"} or row is None:
        evidence.append(Evidence(file, where, short(block)))
    return Recorded(
        file=file,
        method=method or "unknown",
        algorithm="FP8" if method == "fbgemm_fp8" else algorithm or "UNKNOWN",
        known=row is not None,
        kv_cache=kv_cache,
        group_size=group,
        bits=bits,
        excluded=_excluded(block),
        producer=_producer(block.get("producer")),
        evidence=tuple(evidence),
    )


def _scheme(block: dict[str, Any]) -> tuple[str, int, int]:
    """The scheme of a compressed-tensors record: its name, bits per weight and group size."""
    groups = block.get("config_groups")
    parts = [g for g in groups.values() if isinstance(g, dict)] if isinstance(groups, dict) else []
    schemes = [_group_scheme(g) for g in parts]
    names = sorted({name for name, _, _ in schemes})
    if not names:
        return "UNKNOWN", 0, 0
    if len(names) > 1:
        return "MIXED_PRECISION", 0, 0
    return schemes[0]


def _group_scheme(group: dict[str, Any]) -> tuple[str, int, int]:
    weights = group["weights"] if isinstance(group.get("weights"), dict) else {}
    inputs = group["input_activations"] if isinstance(group.get("input_activations"), dict) else {}
    bits, size = whole_field(weights, "num_bits"), whole_field(weights, "group_size")
    inner = whole_field(inputs, "num_bits") or 16
    floats = weights.get("type") == "float"
    names = {
        (True, 8, 8, False): "FP8",
        (True, 8, 16, False): "FP8_W8A16",
        (True, 4, 4, False): "NVFP4",
        (True, 4, 16, False): "NVFP4A16",
        (True, 4, 4, True): "MXFP4",
        (True, 4, 16, True): "MXFP4A16",
        (True, 8, 8, True): "MXFP8",
    }
    name = names.get((floats, bits, inner, floats and size == 32), f"W{bits}A{inner}")
    return name, bits, size


def _kv_cache(value: object) -> str:
    if isinstance(value, str):
        return value.strip().upper()[:MAX_NAME]
    if not isinstance(value, dict):
        return ""
    bits, kind = whole_field(value, "num_bits"), value.get("type")
    if kind == "float":
        return {8: "FP8", 4: "NVFP4"}.get(bits, f"FLOAT{bits}")
    if kind == "int":
        return f"INT{bits}"
    return normal(text_field(value, "quant_algo", "algorithm")) or ("UNKNOWN" if value else "")


def _group_size(block: dict[str, Any]) -> int:
    groups = block.get("config_groups")
    sizes = set()
    for group in groups.values() if isinstance(groups, dict) else ():
        weights = group.get("weights") if isinstance(group, dict) else None
        if isinstance(weights, dict):
            sizes.add(whole_field(weights, "group_size"))
    sizes.discard(0)
    return sizes.pop() if len(sizes) == 1 else 0


def _excluded(block: dict[str, Any]) -> tuple[str, ...]:
    for key in _EXCLUSIONS:
        if isinstance(value := block.get(key), list) and value:
            return tuple(v for v in value if isinstance(v, str))
    return ()


def _producer(value: object) -> str:
    if not isinstance(value, dict):
        return value[:80] if isinstance(value, str) else ""
    return f"{text_field(value, 'name')} {text_field(value, 'version')}".strip()[:80]


def short(value: object) -> str:
    """A value as JSON of at most 300 characters: untrusted text is quoted and bounded."""
    try:
        text = json.dumps(value, ensure_ascii=True)
    except RecursionError:
        return "(nested too deeply to quote)"
    # Masked before it is cut: half a secret would not be recognised.
    text = redact(text)
    return text if len(text) <= 300 else text[:297] + "..."
