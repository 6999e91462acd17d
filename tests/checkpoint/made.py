"""Checkpoints made for one test: real files in the real formats, with small tensors."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "checkpoints"
_BYTES = {"BF16": 2, "F16": 2, "F32": 4, "F8_E4M3": 1, "U8": 1, "I8": 1, "I32": 4}
LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "torch_dtype": "bfloat16",
    "hidden_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 1,
    "max_position_embeddings": 4096,
}


def safetensors(path: Path, tensors: Mapping[str, tuple[str, Sequence[int]]], fill: int = 0) -> Path:
    """Write a safetensors file of `name -> (dtype, shape)` whose bytes are all `fill`."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (dtype, shape) in tensors.items():
        size = _BYTES[dtype]
        for n in shape:
            size *= n
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes([fill]) * at)
    return path


def checkpoint(
    directory: Path,
    quantization: Mapping[str, Any] | None = None,
    tensors: Mapping[str, tuple[str, Sequence[int]]] | None = None,
    legacy: Mapping[str, Any] | None = None,
    **config: Any,
) -> Path:
    """Write a checkpoint directory and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    whole = LLAMA | config | ({"quantization_config": dict(quantization)} if quantization else {})
    (directory / "config.json").write_text(json.dumps(whole))
    if legacy:
        (directory / "hf_quant_config.json").write_text(json.dumps({"quantization": dict(legacy)}))
    if tensors:
        safetensors(directory / "model.safetensors", tensors)
    return directory
