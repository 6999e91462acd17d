"""How a GGUF file is quantized: its tensors' types, and the file type that it records."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from . import claims, tables
from .conflicts import Conflict
from .headers.gguf import GgufHeader
from .headers.gguf_parts import read_parts
from .quantization_record import QuantizationRecord
from .record.recorded import Evidence, short

_PLAIN_GGUF = {"F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64"}


def detect_gguf(path: Path) -> QuantizationRecord:
    """Read how a GGUF file (all parts of a split one) is quantized, from its header.

    Raises:
        CheckpointError: A part is broken.
    """
    header, missing = read_parts(path)
    name, main = header.file_type
    types = header.types
    quantized = {t for t in types if t not in _PLAIN_GGUF}
    evidence = [Evidence(path.name, "tensor types", short(dict(types.most_common())))]
    found: list[str] = []
    if name:
        evidence.insert(0, Evidence(path.name, "general.file_type", f"{header.metadata['general.file_type']} ({name})"))
        if main and main not in types and not missing:
            found.append(f"general.file_type says {name}, but no tensor is {main}: {short(dict(types.most_common(3)))}")
        if name not in _PLAIN_GGUF and not quantized and main in types:
            found.append(f"general.file_type says {name}, but no tensor is quantized")
    algorithm = name if name and name not in _PLAIN_GGUF else _heaviest(header) if quantized else ""
    names = [*gguf_name_conflicts(path.name, name), *claims.of_family(path.name, header.architecture, "")]
    if not missing:
        names += claims.of_size(path.name, header.parameters)
    return QuantizationRecord(
        quantized=bool(quantized),
        method="gguf",
        algorithm=algorithm,
        known=not any(t.startswith("TYPE_") for t in (*types, name)),
        layers=dict(types.most_common()),
        producer=header.text("general.quantized_by"),
        evidence=tuple(evidence),
        conflicts=(*(Conflict("tensors", text) for text in found), *(Conflict("name", text) for text in names)),
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
