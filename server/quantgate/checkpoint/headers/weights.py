"""All safetensors files of a checkpoint as one set of tensors, with what is missing from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from pathlib import Path

import msgspec

from ...errors import CheckpointError
from ..config_json import read_bytes
from .safetensors import ShardHeader, Tensor, read_header

INDEX = "model.safetensors.index.json"
MAX_SHARDS = 5000
MAX_ALL_HEADERS_BYTES = 400_000_000
# The index of a large mixture of experts names several hundred thousand tensors.
MAX_INDEX_BYTES = 200_000_000
_NUMBERED = re.compile(r"(?P<stem>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.safetensors\Z", re.ASCII)


class _Index(msgspec.Struct, gc=False):
    weight_map: dict[str, str]


_INDEX = msgspec.json.Decoder(_Index)


@dataclass(frozen=True)
class Weights:
    """The tensors of a checkpoint's safetensors files.

    Attributes:
        headers: One per file, by name; empty when there is no safetensors file.
        missing_shards: Files that the index or the numbering of the others calls for.
        missing_tensors: Tensors that the index places in a file that does not hold them.
        doubled_tensors: Tensors that stand in more than one file.
        pickles: `.bin`, `.pt` or `.pth` weight files, which are never read.
    """

    headers: tuple[ShardHeader, ...] = ()
    missing_shards: tuple[str, ...] = ()
    missing_tensors: tuple[str, ...] = ()
    doubled_tensors: tuple[str, ...] = ()
    pickles: tuple[str, ...] = ()

    @property
    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """All tensors with their names, file after file."""
        return chain.from_iterable(header.tensors.items() for header in self.headers)

    @property
    def bytes(self) -> int:
        """Size of the weight files on disk, in bytes."""
        return sum(h.file_bytes for h in self.headers)

    @property
    def dtypes(self) -> Counter[str]:
        """Number of tensors by stored dtype."""
        tensors = chain.from_iterable(header.tensors.values() for header in self.headers)
        return Counter(map(attrgetter("dtype"), tensors))


def read_weights(directory: Path, listing: Mapping[str, int] | None = None) -> Weights:
    """Read the header of every safetensors file of a checkpoint; never a weight.

    Args:
        directory: Where the files lie.
        listing: File names and sizes in bytes of a model that lies on the hub; its headers are then in
            `directory`, each as `<name>.header`.

    Raises:
        CheckpointError: A file or the index is broken, or there are more than `MAX_SHARDS` files.
    """
    names = set(listing) if listing is not None else _names(directory)
    weight_map = _weight_map(directory / INDEX) if INDEX in names else {}
    wanted = set(weight_map.values()) or _unindexed(names)
    if len(wanted) > MAX_SHARDS:
        raise CheckpointError(f"{len(wanted)} weight files; at most {MAX_SHARDS} are read", where=str(directory))
    headers: dict[str, ShardHeader] = {}
    left = MAX_ALL_HEADERS_BYTES
    for name in sorted(wanted & names):
        header = (
            read_header(directory / name)
            if listing is None
            else read_header(directory / f"{name}.header", listing[name])
        )
        headers[name] = header
        left -= len(header.raw)
        if left < 0:
            raise CheckpointError(
                f"The headers of the weight files have more than {MAX_ALL_HEADERS_BYTES} bytes together",
                where=str(directory),
                fix="check that this is a checkpoint",
            )
    astray = _astray(weight_map, headers)
    count = sum(len(header.tensors) for header in headers.values())
    # As many tensors as the index has, each where it says: then none stands in two files.
    doubled = () if weight_map and not astray and count == len(weight_map) else _doubled(headers)
    return Weights(
        headers=tuple(headers.values()),
        missing_shards=tuple(sorted(wanted - names)),
        missing_tensors=astray,
        doubled_tensors=doubled,
        pickles=tuple(sorted(n for n in names if n.endswith((".bin", ".pt", ".pth")) and n != "training_args.bin")),
    )


def _astray(weight_map: Mapping[str, str], headers: Mapping[str, ShardHeader]) -> tuple[str, ...]:
    """Tensors that the index places in a file that does not hold them; those of a missing file are not known."""
    held: dict[str, Collection[str]] = dict.fromkeys(set(weight_map.values()), weight_map)
    held |= {home: header.tensors for home, header in headers.items()}
    return tuple(sorted([tensor for tensor, home in weight_map.items() if tensor not in held[home]]))


def _names(directory: Path) -> set[str]:
    try:
        return {path.name for path in directory.iterdir()}
    except OSError as error:
        raise CheckpointError(f"The directory cannot be read: {error.strerror}", where=str(directory)) from None


def _weight_map(path: Path) -> dict[str, str]:
    try:
        weight_map = _INDEX.decode(read_bytes(path, MAX_INDEX_BYTES)).weight_map
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CheckpointError(
            f"{path.name} is not an index with a weight_map of names: {str(error)[:200]}",
            where=str(path),
            fix="export the index again",
        ) from None
    for home in set(weight_map.values()):
        # A file name only: an index must not send the reader elsewhere on the disk.
        if "/" in home or "\0" in home or not home.endswith(".safetensors"):
            tensor = next(name for name, place in weight_map.items() if place == home)
            raise CheckpointError(
                f"{path.name} places the tensor {tensor[:200]!r} in {home[:200]!r}, which is not a file beside it",
                where=str(path),
                fix="export the index again",
            )
    return weight_map


def _doubled(headers: Mapping[str, ShardHeader]) -> tuple[str, ...]:
    counts = Counter(name for header in headers.values() for name in header.tensors)
    return tuple(sorted(name for name, count in counts.items() if count > 1))


def _unindexed(names: set[str]) -> set[str]:
    found = {n for n in names if n.endswith(".safetensors")}
    # Some releases hold the same weights twice, in their own layout as `consolidated*`.
    found = {n for n in found if n.startswith("model")} or found
    called_for = {
        f"{m['stem']}-{part:05d}-of-{m['parts']}.safetensors"
        for m in map(_NUMBERED.match, found)
        if m and int(m["parts"]) <= MAX_SHARDS
        for part in range(1, int(m["parts"]) + 1)
    }
    return found | called_for
