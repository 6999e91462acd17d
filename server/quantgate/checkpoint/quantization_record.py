"""What is known of how a model is quantized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .conflicts import Conflict
from .headers.gguf import GgufHeader
from .record.recorded import Evidence


@dataclass(frozen=True)
class QuantizationRecord:
    """How a model is quantized.

    Attributes:
        quantized: The weights or the KV cache are quantized, by the record or by the tensors.
        method: `modelopt`, a foreign method's name, `gguf`, `unrecorded` when only the tensors show it, or empty.
        algorithm: In upper case; empty when none.
        known: False for a method or an algorithm that methods.yaml does not have: its raw fields are in `evidence`.
        kv_cache_algorithm: In upper case; empty when the KV cache is not quantized.
        group_size: Weights per scale; 0 when not recorded.
        bits: Bits per weight; 0 when they differ or are not known.
        activation_bits: Bits of the activations; 0 when not known.
        layers: Number of layers (of tensors for GGUF) by format.
        native: The model may have been released in this format.
        producer: Name and version of the tool that wrote it.
        known_kv: False when the KV cache's record names no known algorithm.
        excluded_omitted: Excluded modules beyond those that were kept.
        parameters: Number of weights, unpacked; 0 when no weights are on disk.
        weights_bytes: Size of the weight files.
        missing_shards: Weight files that are called for and absent.
        vision: Layers of a vision or audio tower by format; empty without one.
        written: ModelOpt's algorithm as the file spells it, where that is not its name.
        notes: What could not be read or decided about the record.
        gguf: The header that was read, for a GGUF file (all parts of a split one together).
    """

    quantized: bool
    method: str = ""
    algorithm: str = ""
    known: bool = True
    kv_cache_algorithm: str = ""
    known_kv: bool = True
    group_size: int = 0
    bits: int = 0
    activation_bits: int = 0
    excluded_modules: tuple[str, ...] = ()
    layers: Mapping[str, int] = field(default_factory=dict)
    native: bool = False
    producer: str = ""
    evidence: tuple[Evidence, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    parameters: int = 0
    weights_bytes: int = 0
    missing_shards: tuple[str, ...] = ()
    vision: Mapping[str, int] = field(default_factory=dict)
    pickles: tuple[str, ...] = ()
    excluded_omitted: int = 0
    written: str = ""
    notes: tuple[str, ...] = ()
    gguf: GgufHeader | None = None
