"""The header of a safetensors file: every tensor's dtype, shape and place, without reading a weight.

Format: 8 bytes little-endian length, that many bytes of JSON, then the data that `data_offsets` index
(huggingface/safetensors, README "Format"; its reader also refuses headers above 100 MB).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Annotated

import msgspec

from ...errors import CheckpointError
from ..config_json import open_regular

MAX_HEADER_BYTES = 100_000_000
MAX_TENSORS = 2_000_000
"""Most tensors of one file; the largest mixtures of experts have some hundred thousand in all files together."""
_MAX_DIMENSIONS = 32
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
_Size = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Tensor(msgspec.Struct, frozen=True, gc=False):
    """One tensor as the header describes it; `data_offsets` are its first byte and the one after its last, of the data.

    The defaults are there for `__metadata__`, which stands among the tensors; no tensor may rely on them.
    """

    dtype: str = ""
    shape: tuple[_Size, ...] = ()
    data_offsets: tuple[_Size, _Size] | None = None

    @property
    def begin(self) -> int:
        """Its first byte, from the start of the data."""
        return self.data_offsets[0] if self.data_offsets else 0

    @property
    def end(self) -> int:
        """The byte after its last one, from the start of the data."""
        return self.data_offsets[1] if self.data_offsets else 0

    @property
    def elements(self) -> int:
        """The product of the shape (1 for a scalar)."""
        return prod(self.shape)


_DECODER = msgspec.json.Decoder(dict[str, Tensor])
_PIECES = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ONE = msgspec.json.Decoder(Tensor)


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


def read_header(path: Path, file_bytes: int | None = None) -> ShardHeader:
    """Read and check the header of one safetensors file.

    Args:
        path: The file.
        file_bytes: The size of the whole file, where `path` holds no more than its header (one that was fetched from
            the hub); None for a whole file.

    Raises:
        CheckpointError: The file is cut short, its header is hostile or broken, or its tensors lie outside the file or
            overlap.
    """
    with open_regular(path) as (stream, here):
        size = here if file_bytes is None else file_bytes
        start = stream.read(8)
        if len(start) < 8:
            raise _broken(path, f"has {here} bytes, too few for a safetensors file")
        (length,) = struct.unpack("<Q", start)
        if length > MAX_HEADER_BYTES or length < 2:
            raise _broken(path, f"claims a header of {length} bytes; at most {MAX_HEADER_BYTES} are read")
        if length > min(size, here) - 8:
            raise _broken(path, f"is cut short: its header has {length} bytes, the file {min(size, here)}")
        raw = stream.read(length)
    if len(raw) != length:
        raise _broken(path, "became shorter while it was read")
    tensors = _decode(raw, path)
    _check(tensors, path, size - 8 - length)
    return ShardHeader(path, size, 8 + length, tensors, raw)


def _broken(path: Path, what: str) -> CheckpointError:
    return CheckpointError(f"{path.name} {what}", where=str(path), fix="copy or export that file again")


def _decode(raw: bytes, path: Path) -> dict[str, Tensor]:
    try:
        tensors = _DECODER.decode(raw)
    except msgspec.ValidationError:
        raise _strange(_misfit(raw), path) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _broken(path, f"is not valid JSON: {str(error)[:200]}") from None
    except RecursionError:
        raise _broken(path, "is nested too deeply") from None
    tensors.pop("__metadata__", None)
    if len(tensors) > MAX_TENSORS:
        raise _broken(path, f"describes {len(tensors)} tensors; at most {MAX_TENSORS} are read")
    return tensors


def _strange(name: str, path: Path) -> CheckpointError:
    return _broken(path, f"describes the tensor {name[:200]!r} in a way that is not the format's")


def _misfit(raw: bytes) -> str:
    """The first tensor that does not fit the format, for the message."""
    try:
        for name, piece in _PIECES.decode(raw).items():
            try:
                _ONE.decode(piece)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return name
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return "?"


def _check(tensors: dict[str, Tensor], path: Path, data_bytes: int) -> None:
    """Refuse tensors that lie outside the data, overlap, or have a size that is not their shape's."""
    sizes: dict[tuple[str, tuple[int, ...]], int] = {}
    for name, tensor in tensors.items():
        dtype, shape, offsets = tensor.dtype, tensor.shape, tensor.data_offsets
        if offsets is None or not dtype or len(shape) > _MAX_DIMENSIONS:
            raise _strange(name, path)
        size = sizes.get((dtype, shape))
        if size is None:
            bits = _BITS.get(dtype)
            size = sizes[dtype, shape] = (prod(shape) * bits + 7) // 8 if bits else -1
        begin, end = offsets
        # A dtype that is not known here says nothing of the size.
        if end > data_bytes:
            raise _broken(path, f"is cut short: the tensor {name[:200]!r} ends after the {data_bytes} bytes of data")
        if end - begin != size and (size >= 0 or begin > end):
            what = "impossible offsets" if begin > end else "a size that its shape and dtype do not have"
            raise _broken(path, f"gives the tensor {name[:200]!r} {what}")
    _refuse_gaps(tensors, path, data_bytes)


def _refuse_gaps(tensors: dict[str, Tensor], path: Path, data_bytes: int) -> None:
    """The format wants every byte of the data indexed, once; safetensors' own reader refuses anything else."""
    last = 0
    for begin, end in sorted(filter(None, (t.data_offsets for t in tensors.values()))):
        if begin < last:
            raise _broken(path, f"has overlapping tensors: {', '.join(_at(tensors.items(), begin, last))}")
        if begin > last:
            raise _broken(path, f"has a gap of {begin - last} bytes between its tensors")
        last = end
    if last != data_bytes:
        raise _broken(path, f"has {data_bytes - last} bytes after its last tensor")


def _at(items: Iterable[tuple[str, Tensor]], begin: int, end: int) -> list[str]:
    """The first two tensors that reach into a range of bytes."""
    return [repr(name[:200]) for name, tensor in items if tensor.begin < end and tensor.end > begin][:2]
