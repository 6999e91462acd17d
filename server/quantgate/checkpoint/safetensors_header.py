"""The header of a safetensors file: every tensor's dtype, shape and place, without reading a weight.

Format: 8 bytes little-endian length, that many bytes of JSON, then the data that `data_offsets` index
(huggingface/safetensors, README "Format"; its reader also refuses headers above 100 MB).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import NamedTuple

from ..errors import CheckpointError
from .config_json import decode, open_regular, parse_object

MAX_HEADER_BYTES = 100_000_000
_BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
    "C64": 64,
}


class Tensor(NamedTuple):
    """One tensor as the header describes it; `begin` and `end` are bytes from the start of the data."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def elements(self) -> int:
        """The product of the shape (1 for a scalar)."""
        return prod(self.shape)


@dataclass(frozen=True)
class ShardHeader:
    """The header of one file.

    Attributes:
        path: The file.
        file_bytes: Its size.
        data_start: Where the data begins, in bytes from the start of the file.
        tensors: By name.
        raw: The header's JSON as it stands in the file.
    """

    path: Path
    file_bytes: int
    data_start: int
    tensors: dict[str, Tensor]
    raw: bytes


def read_header(path: Path) -> ShardHeader:
    """Read and check the header of one safetensors file.

    Raises:
        CheckpointError: The file is cut short, its header is hostile or broken, or its tensors lie outside the file or
            overlap.
    """
    with open_regular(path) as (stream, size):
        start = stream.read(8)
        if len(start) < 8:
            raise _broken(path, f"has {size} bytes, too few for a safetensors file")
        (length,) = struct.unpack("<Q", start)
        if length > MAX_HEADER_BYTES or length < 2:
            raise _broken(path, f"claims a header of {length} bytes; at most {MAX_HEADER_BYTES} are read")
        if length > size - 8:
            raise _broken(path, f"is cut short: its header has {length} bytes, the file {size}")
        raw = stream.read(length)
    if len(raw) != length:
        raise _broken(path, "became shorter while it was read")
    fields = parse_object(decode(raw, path), path)
    tensors = _tensors(fields, path, size - 8 - length)
    return ShardHeader(path, size, 8 + length, tensors, raw)


def _broken(path: Path, what: str) -> CheckpointError:
    return CheckpointError(f"{path.name} {what}", where=str(path), fix="copy or export that file again")


def _tensors(fields: dict[str, object], path: Path, data_bytes: int) -> dict[str, Tensor]:
    fields.pop("__metadata__", None)
    tensors: dict[str, Tensor] = {}
    for name, value in fields.items():
        try:
            tensor = _tensor(value)
        except (TypeError, KeyError, ValueError):
            raise _broken(path, f"describes the tensor {name[:200]!r} in a way that is not the format's") from None
        if not 0 <= tensor.begin <= tensor.end:
            raise _broken(path, f"gives the tensor {name[:200]!r} impossible offsets")
        if tensor.end > data_bytes:
            raise _broken(path, f"is cut short: the tensor {name[:200]!r} ends after the {data_bytes} bytes of data")
        bits = _BITS.get(tensor.dtype)
        if bits and (tensor.elements * bits + 7) // 8 != tensor.end - tensor.begin:
            raise _broken(path, f"gives the tensor {name[:200]!r} a size that its shape and dtype do not have")
        tensors[name] = tensor
    _refuse_overlaps(tensors, path)
    return tensors


def _tensor(value: object) -> Tensor:
    if not isinstance(value, dict):
        raise TypeError
    begin, end = value["data_offsets"]
    shape = tuple(value["shape"])
    dtype = value["dtype"]
    if not isinstance(dtype, str) or len(shape) > 32:
        raise TypeError
    if not all(type(n) is int and 0 <= n < 2**63 for n in shape) or type(begin) is not int or type(end) is not int:
        raise TypeError
    return Tensor(dtype, shape, begin, end)


def _refuse_overlaps(tensors: dict[str, Tensor], path: Path) -> None:
    last_end, last_name = 0, ""
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin < last_end:
            raise _broken(path, f"has overlapping tensors: {last_name[:200]!r} and {name[:200]!r}")
        last_end, last_name = tensor.end, name
