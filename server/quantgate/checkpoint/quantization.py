"""One record of how a model is quantized, from its files, its tensors and its name together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from . import claims, conflicts, tables
from .config_json import read_optional, text_field
from .conflicts import Conflict
from .gguf_quantization import detect_gguf
from .headers.layer_formats import LayerGroup, read_layers
from .headers.weights import Weights, read_weights
from .quantization_record import QuantizationRecord
from .record.module_patterns import assigned, covers
from .record.recorded import CONFIG, LEGACY, Evidence, Recorded, from_config, from_legacy, short
from .source import ModelSource

__all__ = ["QuantizationRecord", "detect", "read_config"]

HEADERS = "safetensors headers"
_CODES = {"U8", "I16", "U16", "I32", "U32", "I64", "U64", "BOOL"}


def detect(source: ModelSource) -> QuantizationRecord:
    """Read how a model is quantized; weights are never read, only headers.

    Args:
        source: From `source.resolve_model`.

    Raises:
        CheckpointError: A file is missing, broken or hostile.
    """
    if source.gguf is not None:
        return detect_gguf(source.gguf)
    config = read_config(source)
    weights = read_weights(source.path, source.listing)
    written = [r for r in (from_config(config), _legacy(source.path)) if r is not None]
    # A malformed block in config.json must not hide a good legacy file; else the order of the files counts.
    records = sorted(written, key=lambda r: bool(r.problems) and not r.known)
    record = records[0] if records else None
    layers = read_layers(weights.tensors, record.bits if record else 0)
    found = [Conflict("records", f"{r.file}: {problem}") for r in written for problem in r.problems]
    found += conflicts.between_records(*records) if len(records) == 2 else []
    found += conflicts.with_tensors(record, layers, weights)
    found += [Conflict("name", text) for text in _claims(source.claims, config, record, layers, weights)]
    return _merge(records, layers, weights, config, found)


def _claims(
    name: str, config: dict[str, Any], record: Recorded | None, layers: list[LayerGroup], weights: Weights
) -> list[str]:
    """What the model's name claims and its files do not have."""
    stored = {group.kind.format for group in layers if group.kind.matrix}
    known = record is None or record.known
    have = stored or set(record.tensors if record else ())
    found = claims.of_precision(name, have, record.kv_cache if record else "") if known else []
    # Codes of a format that is not understood are not weights, and missing files hide some: then the size is not known.
    if known and not (weights.missing_shards or weights.missing_tensors or stored & _CODES):
        found += claims.of_size(name, _parameters(layers))
    architectures = config.get("architectures")
    architecture = architectures[0] if isinstance(architectures, list) and architectures else ""
    text = config.get("text_config")
    inner = (text_field(text, "model_type"),) if isinstance(text, dict) else ()
    return found + claims.of_family(name, text_field(config, "model_type"), str(architecture), also=inner)


def _parameters(layers: list[LayerGroup]) -> int:
    return sum(group.kind.parameters * len(group.names) for group in layers)


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
    layers: list[LayerGroup],
    weights: Weights,
    config: dict[str, Any],
    found: list[Conflict],
) -> QuantizationRecord:
    record = records[0] if records else None
    matrices = [group for group in layers if group.kind.matrix]
    hidden = [group for group in matrices if group.kind.quantized] if record is None else []
    table = tables.methods()
    row = None
    if record:
        row = (table.modelopt if record.method == "modelopt" else table.foreign).get(
            record.algorithm if record.method == "modelopt" else record.method
        )
    formats = sorted({group.kind.format for group in hidden})
    # The legacy file fills in what config.json leaves out; where both speak, config.json counts.
    kv_cache = next((r.kv_cache for r in records if r.kv_cache), "")
    vision = conflicts.vision_formats(layers)
    return QuantizationRecord(
        quantized=bool((record and (record.algorithm or kv_cache)) or hidden),
        method=record.method if record else "unrecorded" if hidden else "",
        algorithm=record.algorithm if record else "+".join(formats),
        known=record.known if record else True,
        kv_cache_algorithm=kv_cache,
        known_kv=all(r.known_kv for r in records),
        group_size=next((r.group_size for r in records if r.group_size), 0),
        bits=_bits(record, row.bits if row else 0),
        activation_bits=(record.activation_bits if record else 0) or (row.activation_bits if row else 0),
        excluded_modules=next((r.excluded for r in records if r.excluded), ()),
        layers=_count(record, matrices),
        native=bool(row and row.native),
        producer=next((r.producer for r in records if r.producer), ""),
        evidence=tuple(_evidence(records, weights, config, vision)),
        conflicts=tuple(found),
        parameters=_parameters(layers),
        weights_bytes=weights.bytes,
        missing_shards=weights.missing_shards,
        vision=vision,
        pickles=weights.pickles,
        excluded_omitted=record.excluded_omitted if record else 0,
        written=record.written if record else "",
        notes=tuple(_notes(record)),
    )


def _bits(record: Recorded | None, usual: int) -> int:
    """Bits per weight: as recorded, else as usual for the method; 0 where groups of layers differ."""
    if record is None:
        return 0
    if record.bits or record.bits_per_weight or len({group.bits for group in record.groups}) > 1:
        return record.bits
    return usual


def _notes(record: Recorded | None) -> Iterable[str]:
    if record is None:
        return
    if not record.known_kv:
        yield (
            f"{record.file} records a KV cache of an algorithm that is not known here: {record.kv_cache[:60]!r}; no flag "
            "is given for it"
        )
    if record.bits_per_weight and not record.bits:
        yield f"{record.bits_per_weight:g} bits per weight: codebooks"
    if record.layers_omitted:
        yield f"{record.layers_omitted} more layers are listed in {record.file} than were read"
    excluded = covers(record.excluded)
    if excluded.refused:
        yield f"exclusion patterns that were not applied (malformed or too expensive): {short(list(excluded.refused[:3]))}"


def _evidence(
    records: list[Recorded], weights: Weights, config: dict[str, Any], vision: dict[str, int]
) -> Iterable[Evidence]:
    for record in records:
        yield from record.evidence
    if not records:
        yield Evidence(CONFIG, "quantization_config", "absent")
        if dtype := text_field(config, "torch_dtype", "dtype"):
            yield Evidence(CONFIG, "dtype", dtype)
    if weights.headers:
        yield Evidence(HEADERS, "dtypes", short(dict(weights.dtypes.most_common())))
    if vision:
        yield Evidence(HEADERS, "layers of the vision or audio tower", short(vision))


def _count(record: Recorded | None, matrices: list[LayerGroup]) -> dict[str, int]:
    """Layers by format, by the record's own name of it where the tensors bear it out."""
    if not matrices:
        return dict(Counter(record.layers.values()).most_common()) if record else {}
    table = tables.methods().modelopt
    allowed = frozenset(record.tensors if record else ())
    own = assigned(record.layers, record.layer_patterns) if record else None
    counts: Counter[str] = Counter()
    for kind, names in matrices:
        if record is None or not kind.quantized:
            counts[kind.format] += len(names)
        elif own is not None and (record.layers or record.layer_patterns):
            named = [own(n) or next((a for n2 in conflicts.aliases(n) if (a := own(n2))), "") for n in names]
            counts.update(a if a in table and kind.format in table[a].tensors else kind.format for a in named)
        elif kind.format in allowed and record.algorithm != "MIXED_PRECISION":
            counts[record.algorithm] += len(names)
        else:
            counts[kind.format] += len(names)
    return dict(counts.most_common())
