"""The tool that wrote a checkpoint and its version, in all the places where tools leave them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config_json import text_field
from .fields import names

MAX_PRODUCER = 80

_VERSIONS = {"compressed-tensors": "compressed-tensors", "quark": "quark"}
"""Methods whose block has the tool's version in `version`; AutoAWQ, for one, keeps its kernel's layout there."""


def read_producer(block: Mapping[str, Any], producer: object = None, method: str = "") -> str:
    """Name and version of the tool, at most 80 characters; empty when nothing says.

    Args:
        block: The quantization block.
        producer: The value of a `producer` beside the block, if there is one.
        method: The method in lower case.
    """
    return _text(block, producer if producer is not None else block.get("producer"), method)[:MAX_PRODUCER]


def _text(block: Mapping[str, Any], producer: object, method: str) -> str:
    if isinstance(producer, dict) and producer:
        return f"{text_field(producer, 'name')[:MAX_PRODUCER]} {text_field(producer, 'version')}".strip()
    if isinstance(producer, str) and producer:
        return producer
    if version := text_field(block, "autoround_version"):  # also in GPTQ and AWQ layouts that AutoRound wrote
        return f"auto-round {version}"
    meta = block.get("meta")
    if isinstance(meta, dict) and (tools := names(meta.get("quantizer"))):
        return ", ".join(tool[:MAX_PRODUCER].replace(":", " ") for tool in tools[:3])
    if method in _VERSIONS and (version := text_field(block, "version")):
        return f"{_VERSIONS[method]} {version}"
    return ""
