"""One record of how a model is quantized, from its files, its tensors and its name together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from . import conflicts, tables
from .config_json import read_optional, text_field
from .gguf import GgufHeader
from .gguf_parts import read_parts
from .layer_formats import FLOATS, Layer, read_layers
from .recorded import CONFIG, LEGACY, Evidence, Recorded, from_config, from_legacy, short
from .source import ModelSource
from .weights import Weights, read_weights

_PLAIN_GGUF = {"F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64"}


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
        parameters: Number of weights, unpacked; 0 when no weights are on disk.
        weights_bytes: Size of the weight files.
        missing_shards: Weight files that are called for and absent.
        gguf: The header that was read, for a GGUF file (all parts of a split one together).
    """

    quantized: bool
    method: str = ""
    algorithm: str = ""
    known: bool = True
    kv_cache_algorithm: str = ""
    group_size: int = 0
    bits: int = 0
    activation_bits: int = 0
    excluded_modules: tuple[str, ...] = ()
    layers: Mapping[str, int] = field(default_factory=dict)
    native: bool = False
    producer: str = ""
    evidence: tuple[Evidence, ...] = ()
    conflicts: tuple[str, ...] = ()
    parameters: int = 0
    weights_bytes: int = 0
    missing_shards: tuple[str, ...] = ()
    pickles: tuple[str, ...] = ()
    gguf: GgufHeader | None = None


def detect(source: ModelSource) -> QuantizationRecord:
    """Read how a model is quantized; weights are never read, only headers.

    Args:
        source: From `source.resolve_model`.

    Raises:
        CheckpointError: A file is missing, broken or hostile.
    """
    if source.gguf is not None:
        return _gguf(source.gguf)
    config = read_config(source)
    weights = read_weights(source.path)
    records = [r for r in (from_config(config), _legacy(source.path)) if r is not None]
    record = records[0] if records else None
    layers = read_layers(weights.tensors, record.bits if record else 0)
    found = conflicts.between_records(*records) if len(records) == 2 else []
    found += conflicts.with_tensors(record, layers, weights)
    stored = {layer.format for layer in layers if layer.matrix}
    claimed = stored or (conflicts.stored_formats(record) if record else set())
    if record is None or record.known:
        found += conflicts.with_name(source.claims, claimed, record.kv_cache if record else "")
    return _merge(records, layers, weights, config, found)


def read_config(source: ModelSource) -> dict[str, Any]:
    """The checkpoint's `config.json`.

    Raises:
        CheckpointError: There is none, or it cannot be read.
    """
    path = source.path / CONFIG
    config = read_optional(path)
    if config is not None:
        return config
    if source.megatron:
        raise CheckpointError(
            f"{source.path.name} is a Megatron iteration without config.json, a format not read by this version",
            where=str(source.path),
            fix="read the Hugging Face model that it was made from, or export it to Hugging Face format",
        )
    raise CheckpointError(
        "The directory has no config.json",
        where=str(path),
        fix="give the directory that holds config.json and the weights",
    )


def _legacy(directory: Path) -> Recorded | None:
    path = directory / LEGACY
    data = read_optional(path)
    return from_legacy(data) if data is not None else None


def _merge(
    records: list[Recorded],
    layers: list[Layer],
    weights: Weights,
    config: dict[str, Any],
    found: list[str],
) -> QuantizationRecord:
    record = records[0] if records else None
    matrices = [layer for layer in layers if layer.matrix]
    hidden = [layer for layer in matrices if layer.quantized] if record is None else []
    table = tables.methods()
    row = None
    if record:
        row = (table.modelopt if record.method == "modelopt" else table.foreign).get(
            record.algorithm if record.method == "modelopt" else record.method
        )
    formats = sorted({layer.format for layer in hidden})
    # The legacy file fills in what config.json leaves out; where both speak, config.json counts.
    kv_cache = next((r.kv_cache for r in records if r.kv_cache), "")
    dtype = text_field(config, "torch_dtype", "dtype")
    evidence = [e for r in records for e in r.evidence]
    if not records:
        evidence.append(Evidence(CONFIG, "quantization_config", "absent"))
        evidence += [Evidence(CONFIG, "dtype", dtype)] if dtype else []
    if weights.headers:
        evidence.append(Evidence("safetensors headers", "dtypes", short(dict(weights.dtypes.most_common()))))
    return QuantizationRecord(
        quantized=bool((record and (record.algorithm or kv_cache)) or hidden),
        method=record.method if record else "unrecorded" if hidden else "",
        algorithm=record.algorithm if record else "+".join(formats),
        known=record.known if record else True,
        kv_cache_algorithm=kv_cache,
        group_size=next((r.group_size for r in records if r.group_size), 0),
        bits=(record.bits if record else 0) or (row.bits if row else 0),
        activation_bits=row.activation_bits if row else 0,
        excluded_modules=next((r.excluded for r in records if r.excluded), ()),
        layers=_count(record, matrices),
        native=bool(row and row.native),
        producer=next((r.producer for r in records if r.producer), ""),
        evidence=tuple(evidence),
        conflicts=tuple(found),
        parameters=sum(layer.parameters for layer in layers),
        weights_bytes=weights.bytes,
        missing_shards=weights.missing_shards,
        pickles=weights.pickles,
    )


def _count(record: Recorded | None, matrices: list[Layer]) -> dict[str, int]:
    """Layers by format, by the record's own name of it where the tensors bear it out."""
    if not matrices:
        return dict(Counter(record.layers.values()).most_common()) if record else {}
    table = tables.methods().modelopt
    allowed = conflicts.stored_formats(record) if record else frozenset()
    counts: Counter[str] = Counter()
    for layer in matrices:
        label = layer.format
        if record and layer.format not in FLOATS.values():
            own = record.layers.get(layer.name, "")
            if own and own in table and layer.format in table[own].tensors:
                label = own
            elif not record.layers and layer.format in allowed and record.algorithm != "MIXED_PRECISION":
                label = record.algorithm
        counts[label] += 1
    return dict(counts.most_common())


def _gguf(path: Path) -> QuantizationRecord:
    header, missing = read_parts(path)
    name, main = header.file_type
    types = header.types
    quantized = {t for t in types if t not in _PLAIN_GGUF}
    evidence = [Evidence(path.name, "tensor types", short(dict(types.most_common())))]
    found = []
    if name:
        evidence.insert(0, Evidence(path.name, "general.file_type", f"{header.metadata['general.file_type']} ({name})"))
        if main and main not in types and not missing:
            found.append(f"general.file_type says {name}, but no tensor is {main}: {short(dict(types.most_common(3)))}")
        if name not in _PLAIN_GGUF and not quantized and main in types:
            found.append(f"general.file_type says {name}, but no tensor is quantized")
    algorithm = name if name and name not in _PLAIN_GGUF else _heaviest(header) if quantized else ""
    found += gguf_name_conflicts(path.name, name)
    return QuantizationRecord(
        quantized=bool(quantized),
        method="gguf",
        algorithm=algorithm,
        known=not any(t.startswith("TYPE_") for t in (*types, name)),
        layers=dict(types.most_common()),
        producer=header.text("general.quantized_by"),
        evidence=tuple(evidence),
        conflicts=tuple(found),
        parameters=header.parameters,
        weights_bytes=header.file_bytes,
        missing_shards=missing,
        gguf=header,
    )


def _heaviest(header: GgufHeader) -> str:
    """The tensor type that holds most bytes: all that can be said when no file type is recorded."""
    weight: Counter[str] = Counter()
    for tensor in header.tensors:
        if tensor.type not in _PLAIN_GGUF:
            weight[tensor.type] += tensor.bytes or 1
    return weight.most_common(1)[0][0]


def gguf_name_conflicts(file_name: str, file_type: str) -> list[str]:
    """A GGUF file's name usually ends in its type; it must be the recorded one."""
    types = {name for name, _ in tables.gguf_types().file_types.values()}
    words = {w.upper() for w in file_name.removesuffix(".gguf").replace(".", "-").split("-")}
    claimed = words & types
    if file_type and claimed and file_type not in claimed:
        return [
            f"the name {file_name[:120]!r} claims {', '.join(sorted(claimed))}, but general.file_type says {file_type}"
        ]
    return []
