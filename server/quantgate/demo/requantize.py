"""The demo's candidate: the same GGUF file with its linear layers in MXFP4, everything else byte for byte as it was.

The header keeps its length, because names and shapes stay: only types and offsets in it are written over, and the
vocabulary of 262,144 words need not be parsed. Layout of the file: ggml's docs/gguf.md.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..checkpoint.headers.gguf import GgufTensor, read_gguf
from ..errors import CheckpointError

_MXFP4 = 39
"""ggml's number of the tensor type."""

_FILE_TYPE = 38
"""llama.cpp's only file type for MXFP4 tensors. Its name, MXFP4_MOE, is of the models that it was first used for."""

_BLOCK, _BLOCK_BYTES = 32, 17
_FILE_TYPE_ENTRY = struct.pack("<Q", 17) + b"general.file_type" + struct.pack("<I", 4)
_QUANTIZED = frozenset({"Q4_0", "Q5_0", "Q8_0", "Q4_K", "Q5_K", "Q6_K"})


@dataclass(frozen=True)
class _Piece:
    """The bytes of one tensor in the source, and how many they become."""

    tensor: GgufTensor
    type_id: int
    start: int
    changes: bool
    size: int


@dataclass(frozen=True)
class Plan:
    """What the new file will be.

    Attributes:
        source: The file to be read.
        header: All bytes before the weights, with the new types and offsets.
        pieces: The tensors in the order of the file.
        alignment: Each tensor begins at a multiple of this, in bytes.
    """

    source: Path
    header: bytes
    pieces: tuple[_Piece, ...]
    alignment: int

    @property
    def size(self) -> int:
        """Bytes of the new file."""
        return len(self.header) + sum(_padded(piece.size, self.alignment) for piece in self.pieces)


def plan(source: Path) -> Plan:
    """Lay the new file out, without reading a weight.

    Raises:
        CheckpointError: Not a whole GGUF file, or one that has no linear layer to store anew.
    """
    read = read_gguf(source)
    alignment = read.number("general.alignment") or 32
    with source.open("rb") as stream:
        header = bytearray(stream.read(read.data_start))
    at = header.find(_FILE_TYPE_ENTRY, 0, read.infos_start)
    if at >= 0:
        struct.pack_into("<I", header, at + len(_FILE_TYPE_ENTRY), _FILE_TYPE)
    pieces, offset = [], 0
    for tensor, place in zip(read.tensors, _infos(header, read.infos_start, len(read.tensors)), strict=True):
        type_id, start = struct.unpack_from("<IQ", header, place)
        changes = _is_linear(tensor)
        size = tensor.shape[0] // _BLOCK * _BLOCK_BYTES * tensor.shape[1] if changes else tensor.bytes
        struct.pack_into("<IQ", header, place, _MXFP4 if changes else type_id, offset)
        pieces.append(_Piece(tensor, type_id, read.data_start + start, changes, size))
        offset += _padded(size, alignment)
    if not any(piece.changes for piece in pieces):
        raise CheckpointError(f"{source.name} has no quantized linear layer to store in MXFP4", where=str(source))
    return Plan(source, bytes(header), tuple(pieces), alignment)


def write(planned: Plan, stream: BinaryIO) -> None:
    """Write the new file; one tensor at a time is held in memory.

    The weights are read as the numbers they stand for and rounded once more. MXFP4: blocks of 32 numbers of 4 bits
    (E2M1) with one power of two for each (OCP Microscaling Formats 1.0); the rounding is that of the package `gguf`.
    """
    stream.write(planned.header)
    with planned.source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        for piece in planned.pieces:
            raw = whole[piece.start : piece.start + piece.tensor.bytes]
            stream.write(_stored_anew(raw, piece) if piece.changes else raw)
            stream.write(bytes(_padded(piece.size, planned.alignment) - piece.size))


def _stored_anew(raw: bytes, piece: _Piece) -> Any:
    import numpy as np
    from gguf import GGMLQuantizationType, quants

    rows = np.frombuffer(raw, dtype=np.uint8).reshape(piece.tensor.shape[1], -1)
    numbers = quants.dequantize(rows, GGMLQuantizationType(piece.type_id))
    return quants.quantize(numbers, GGMLQuantizationType(_MXFP4)).tobytes()


def _infos(header: bytearray, at: int, count: int) -> Iterator[int]:
    """Where in the header the type and offset of each tensor stand; the lengths before them were checked by the reader."""
    for _ in range(count):
        (name,) = struct.unpack_from("<Q", header, at)
        (dimensions,) = struct.unpack_from("<I", header, at + 8 + name)
        at += 12 + name + 8 * dimensions
        yield at
        at += 12


def _is_linear(tensor: GgufTensor) -> bool:
    """A quantized matrix of a block; embeddings and norms stay, as is usual where weights are quantized."""
    return (
        tensor.name.startswith("blk.")
        and tensor.type in _QUANTIZED
        and len(tensor.shape) == 2
        and tensor.shape[0] % _BLOCK == 0
    )


def _padded(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment
