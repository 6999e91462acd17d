"""What a checkpoint records about its KV cache, in all the ways in which tools write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..config_json import whole_field
from .fields import MAX_NAME, UNKNOWN, Evidence, Place, normal, objects, short
from .module_patterns import covers

KNOWN = frozenset({"FP8", "INT8", "NVFP4", "NVFP4_AFFINE", "NVFP4_ROTATE"})
"""ModelOpt 0.47.0 `export/model_config.py` writes the first four. Its preset `nvfp4_rotate` is recorded as NVFP4 by that
version; the name is here for tools that write it."""
_SPELLINGS = {"FP8_E4M3": "FP8"}
"""Quark's `dtype`, and vLLM 0.33.0's name of what ModelOpt calls FP8 (`utils/torch_utils.py`)."""
_KEYS = ("kv_cache_scheme", "kv_cache_quant_algo")


class KvCache(NamedTuple):
    """The KV cache's algorithm (empty: not quantized), whether it is known, and where it stands."""

    algorithm: str = ""
    known: bool = True
    evidence: tuple[Evidence, ...] = ()
    problems: tuple[str, ...] = ()


def read_kv(place: Place) -> KvCache:
    """The KV-cache record of a quantization block.

    `kv_cache_scheme` (ModelOpt's config.json, compressed-tensors) counts before `kv_cache_quant_algo` (ModelOpt's
    hf_quant_config.json), as in vLLM 0.33.0 `utils/torch_utils.py`; either may be an object or a string.
    """
    found = []
    for key in _KEYS:
        if (value := place.block.get(key)) not in (None, "", {}) and not _says_none(value):
            algorithm, known = _scheme(value, ours=place.block.get("quant_method") != "compressed-tensors")
            found.append((algorithm, known, Evidence(place.file, place.at(key), short(value))))
    if not found:
        return KvCache()
    problems: tuple[str, ...] = ()
    if len({algorithm for algorithm, _, _ in found}) > 1:
        problems = (f"{_KEYS[0]} gives the KV cache {found[0][0]!r}, {_KEYS[1]} {found[1][0]!r}",)
    algorithm, known, _ = found[0]
    return KvCache(algorithm, known, tuple(e for _, _, e in found), problems)


def _says_none(value: object) -> bool:
    """Words for a KV cache that is not quantized, or is decided by the server."""
    return isinstance(value, str) and value.strip().lower() in {"none", "auto", "null"}


def read_quark_kv(place: Place) -> KvCache:
    """Quark's KV-cache record: the output format of the layers that `export.kv_cache_group` names.

    It stands in `layer_quant_config` (read there by vLLM 0.33.0 `quark/quark.py`); newer versions of Quark repeat it in
    `kv_cache_quant_config`.
    """
    block = place.block
    groups = block.get("export")
    listed = groups.get("kv_cache_group") if isinstance(groups, dict) else None
    wanted = [n for n in listed if isinstance(n, str)] if isinstance(listed, list) else []
    within = covers(wanted[:100])
    for key in ("kv_cache_quant_config", "layer_quant_config"):
        for name, entry in objects(block.get(key)).items():
            if key == "layer_quant_config" and name not in wanted and not within(name):
                continue
            if (value := entry.get("output_tensors")) not in (None, {}):
                algorithm, known = _scheme(value, ours=False)
                path = place.at(f"{key}.{name[:MAX_NAME]}.output_tensors")
                return KvCache(algorithm, known, (Evidence(place.file, path, short(value)),))
    return KvCache()


def _scheme(value: object, *, ours: bool) -> tuple[str, bool]:
    """The algorithm that a value names and whether it is known; `ours` where ModelOpt's meaning of 4 bits holds."""
    if isinstance(value, str):
        name = normal(value)
        name = _SPELLINGS.get(name, name)
        return (name, True) if name in KNOWN else (value.strip()[:MAX_NAME] or UNKNOWN, False)
    if not isinstance(value, Mapping):
        return UNKNOWN, False
    if isinstance(named := value.get("quant_algo") or value.get("dtype"), str):
        return _scheme(named, ours=ours)
    return _by_bits(value, ours)


def _by_bits(value: Mapping[str, Any], ours: bool) -> tuple[str, bool]:
    bits, kind = whole_field(value, "num_bits"), value.get("type")
    if not bits or kind not in ("float", "int"):
        return UNKNOWN, False
    if kind == "int":
        return f"INT{bits}", bits == 8
    if bits == 8:
        return "FP8", True
    # vLLM 0.33.0 reads 4 bits of ModelOpt's as NVFP4; elsewhere the block of 16 must say so.
    if bits == 4 and (ours or whole_field(value, "group_size") == 16):
        return "NVFP4", True
    return f"FLOAT{bits}", False
