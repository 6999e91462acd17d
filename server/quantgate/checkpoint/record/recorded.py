"""What a checkpoint's own files say about its quantization: `config.json` first, then ModelOpt's legacy file.

Nothing is concluded here that is not written there; the tensors are asked elsewhere (`layer_formats`, `conflicts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config_json import text_field
from ..shape.text_settings import NESTED
from .fields import (
    CONFIG,
    LEGACY,
    MAX_NAME,
    MODELOPT,
    UNKNOWN,
    Evidence,
    FormatGroup,
    Place,
    Recorded,
    normal,
    short,
)
from .foreign import read_foreign
from .modelopt import read_modelopt

__all__ = [
    "CONFIG",
    "LEGACY",
    "MAX_NAME",
    "MODELOPT",
    "UNKNOWN",
    "Evidence",
    "FormatGroup",
    "Recorded",
    "from_config",
    "from_legacy",
    "normal",
    "short",
]

_KEYS = ("quantization_config", "compression_config")


def from_config(config: Mapping[str, Any]) -> Recorded | None:
    """The record in `config.json`, at the top or inside the language model's part; None when there is none.

    A record that is empty or no object is reported as unknown, in case no other is there.
    """
    broken = None
    for prefix in ("", *NESTED):
        part = config.get(prefix) if prefix else config
        if not isinstance(part, Mapping):
            continue
        for key in _KEYS:
            if (value := part.get(key)) is None:
                continue
            path = f"{prefix}.{key}".lstrip(".")
            if isinstance(value, dict) and value:
                return _read(Place(CONFIG, path, value), value.get("producer"))
            broken = broken or _broken(CONFIG, path, value)
    # TensorRT-LLM's own checkpoints (ModelOpt 0.47.0 `export/tensorrt_llm_utils.py`).
    block = config.get("quantization")
    if isinstance(block, dict) and isinstance(block.get("quant_algo"), str):
        return _read(Place(CONFIG, "quantization", block), config.get("producer"))
    return broken


def from_legacy(data: Mapping[str, Any]) -> Recorded | None:
    """The record in `hf_quant_config.json`; None when it has none."""
    block = data.get("quantization")
    if isinstance(block, dict) and block:
        return _read(Place(LEGACY, "quantization", block), data.get("producer"))
    if "quant_algo" in data or "kv_cache_quant_algo" in data:  # flat, as SGLang 0.5.23 reads it, too
        return _read(Place(LEGACY, "", data), data.get("producer"))
    return None if block is None else _broken(LEGACY, "quantization", block)


def _read(place: Place, producer: object) -> Recorded:
    block = place.block
    method = text_field(block, "quant_method").strip().lower()[:MAX_NAME]
    if method.startswith(MODELOPT) or (block.get("quant_method") in (None, "") and _is_modelopt(place, producer)):
        return read_modelopt(place, producer)
    return read_foreign(place, method)


def _is_modelopt(place: Place, producer: object) -> bool:
    """Whether a block without a method is ModelOpt's: by its file, its fields, or its producer (as in vLLM 0.33.0)."""
    named = isinstance(producer, dict) and producer.get("name") == MODELOPT
    return named or place.file == LEGACY or "quant_algo" in place.block


def _broken(file: str, path: str, value: object) -> Recorded:
    kind = "empty" if value in ({}, [], "") else f"a JSON {type(value).__name__}, not an object"
    return Recorded(
        file=file,
        method="unknown",
        algorithm="" if value in ({}, [], "", False) else UNKNOWN,
        known=False,
        evidence=(Evidence(file, path, short(value)),),
        problems=(f"{path} is {kind}",),
    )
