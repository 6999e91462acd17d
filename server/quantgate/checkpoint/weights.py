"""All safetensors files of a checkpoint as one set of tensors, with what is missing from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CheckpointError
from .config_json import read_object
from .safetensors_header import ShardHeader, Tensor, read_header

INDEX = "model.safetensors.index.json"
MAX_SHARDS = 5000
# The index of a large mixture of experts names several hundred thousand tensors.
MAX_INDEX_BYTES = 200_000_000
_NUMBERED = re.compile(r"(?P<stem>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.safetensors\Z", re.ASCII)


@dataclass(frozen=True)
class Weights:
    """The tensors of a checkpoint's safetensors files.

    Attributes:
        headers: One per file, by name; empty when there is no safetensors file.
        missing_shards: Files that the index or the numbering of the others calls for.
        missing_tensors: Tensors that the index places in a file that does not hold them.
        pickles: `.bin`, `.pt` or `.pth` weight files, which are never read.
    """

    headers: tuple[ShardHeader, ...] = ()
    missing_shards: tuple[str, ...] = ()
    missing_tensors: tuple[str, ...] = ()
    pickles: tuple[str, ...] = ()
    tensors: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Size of the weight files on disk, in bytes."""
        return sum(h.file_bytes for h in self.headers)

    @property
    def dtypes(self) -> Counter[str]:
        """Number of tensors by stored dtype."""
        return Counter(t.dtype for t in self.tensors.values())


def read_weights(directory: Path) -> Weights:
    """Read the header of every safetensors file of a checkpoint; never a weight.

    Raises:
        CheckpointError: A file or the index is broken, or there are more than `MAX_SHARDS` files.
    """
    try:
        names = {p.name for p in directory.iterdir()}
    except OSError as error:
        raise CheckpointError(f"The directory cannot be read: {error.strerror}", where=str(directory)) from None
    weight_map = _weight_map(directory / INDEX) if INDEX in names else {}
    wanted = set(weight_map.values()) or _unindexed(names)
    if len(wanted) > MAX_SHARDS:
        raise CheckpointError(f"{len(wanted)} weight files; at most {MAX_SHARDS} are read", where=str(directory))
    headers = tuple(read_header(directory / name) for name in sorted(wanted & names))
    tensors: dict[str, Tensor] = {}
    homes: dict[str, set[str]] = {}
    for header in headers:
        tensors.update(header.tensors)
        homes[header.path.name] = set(header.tensors)
    astray = [t for t, home in weight_map.items() if home in homes and t not in homes[home]]
    return Weights(
        headers=headers,
        missing_shards=tuple(sorted(wanted - names)),
        missing_tensors=tuple(sorted(astray)),
        pickles=tuple(sorted(n for n in names if n.endswith((".bin", ".pt", ".pth")) and n != "training_args.bin")),
        tensors=tensors,
    )


def _weight_map(path: Path) -> dict[str, str]:
    weight_map = read_object(path, MAX_INDEX_BYTES).get("weight_map")
    if not isinstance(weight_map, dict):
        raise CheckpointError(f"{path.name} has no weight_map", where=str(path), fix="export the index again")
    for tensor, home in weight_map.items():
        # A file name only: an index must not send the reader elsewhere on the disk.
        if not isinstance(home, str) or "/" in home or "\0" in home or not home.endswith(".safetensors"):
            raise CheckpointError(
                f"{path.name} places the tensor {tensor[:200]!r} in {str(home)[:200]!r}, which is not a file beside it",
                where=str(path),
                fix="export the index again",
            )
    return weight_map


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
