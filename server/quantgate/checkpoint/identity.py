"""The identity of a checkpoint: one hash that two calibrations of the same format do not share.

It covers the config files, every weight file's size and header, all small tensors up to a bound (scales are where
calibrations differ), and evenly spaced blocks of the weights. It does not depend on where the checkpoint lies.

A handle whose config files and headers were read from the hub is known by its commit and the hub's list of files instead:
a commit names every byte, and a header alone must not pass for the weights.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import BinaryIO

from ..errors import CheckpointError
from .config_json import open_regular
from .headers.gguf import read_gguf
from .headers.gguf_parts import part_names
from .headers.safetensors import ShardHeader, read_header
from .source import ModelSource, resolve_model

VERSION = b"quantgate-checkpoint-1"
BLOCKS = 8
BLOCK_BYTES = 16 * 1024
SMALL_TENSOR_BYTES = 4096
MAX_SMALL_BYTES = 16 * 1024 * 1024
_MERGE_GAP = 32 * 1024
_CONFIG_SUFFIXES = {".json", ".jinja", ".py", ".model", ".tiktoken", ".txt"}
_WEIGHT_SUFFIXES = {".safetensors", ".gguf", ".bin", ".pt", ".pth"}
_MEGATRON_CONFIGS, _MEGATRON_WEIGHTS = {".yaml"}, {".distcp", ".metadata"}
_MODELOPT_STATE = "modelopt_state"
MAX_CONFIG_BYTES = 64 * 1024 * 1024
MAX_FILES = 10_000


def identity(path: Path | str) -> str:
    """The identity of a checkpoint directory, a GGUF file or a handle, as 64 hexadecimal digits.

    The hub is not asked: a handle must be in the local hub cache, or have been read from the hub before.

    Args:
        path: The directory, the file, or the handle.

    Raises:
        CheckpointError: It does not exist, or a file in it is broken.
    """
    source = resolve_model(str(path))
    if source.listing is not None:
        return _on_hub(source)
    if source.gguf is not None:
        directory = source.gguf.parent
        files = [name for name in part_names(source.gguf) if os.path.lexists(directory / name)]
    else:
        directory, files = source.path, _megatron_files(source.path) if source.megatron else _files(source.path)
    total = hashlib.sha256(VERSION)
    weights = _WEIGHT_SUFFIXES | _MEGATRON_WEIGHTS
    for name in files:
        digest = _weight_file(directory / name) if _suffix(name) in weights else _config_file(directory / name)
        # A GGUF is known by its content alone: renaming it does not make it another model.
        label = b"" if source.gguf is not None else name.encode("utf-8", "surrogateescape")
        total.update(len(label).to_bytes(4, "big") + label + digest)
    return total.hexdigest()


def _on_hub(source: ModelSource) -> str:
    total = hashlib.sha256(VERSION + b"-hub")
    for text in (source.handle, source.revision, json.dumps(source.listing, sort_keys=True)):
        data = text.encode()
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()


def _files(directory: Path, more: frozenset[str] = frozenset()) -> list[str]:
    try:
        names = sorted(p.name for p in directory.iterdir())
    except OSError as error:
        raise CheckpointError(f"The directory cannot be read: {error.strerror}", where=str(directory)) from None
    if len(names) > MAX_FILES:
        raise CheckpointError(f"{len(names)} files; at most {MAX_FILES} are read", where=str(directory))
    wanted = _CONFIG_SUFFIXES | _WEIGHT_SUFFIXES | more
    hidden = more & set(names)
    return [
        n
        for n in names
        if _suffix(n) in wanted and (not n.startswith(".") or n in hidden) and not (directory / n).is_dir()
    ]


def _megatron_files(directory: Path) -> list[str]:
    """Its files and those of ModelOpt's state; pickles are hashed as bytes, never opened."""
    more = frozenset(_MEGATRON_CONFIGS | _MEGATRON_WEIGHTS)
    found = _files(directory, more)
    if (directory / _MODELOPT_STATE).is_dir():
        found += [f"{_MODELOPT_STATE}/{name}" for name in _files(directory / _MODELOPT_STATE, more)]
    return found


def _suffix(name: str) -> str:
    """The suffix; `.metadata` is one itself."""
    return Path(name).suffix or Path(name).name


def _config_file(path: Path) -> bytes:
    digest = hashlib.sha256(b"config")
    with open_regular(path) as (stream, size):
        digest.update(size.to_bytes(8, "big"))
        left = min(size, MAX_CONFIG_BYTES)
        while left > 0 and (piece := stream.read(min(left, 1 << 20))):
            digest.update(piece)
            left -= len(piece)
    return digest.digest()


def _weight_file(path: Path) -> bytes:
    digest = hashlib.sha256(b"weights")
    start, small = 0, list[tuple[int, int]]()
    if path.suffix == ".safetensors":
        header = read_header(path)
        start, small = header.data_start, _small_ranges(header)
        digest.update(header.raw)
    elif path.suffix == ".gguf":
        start = read_gguf(path).data_start
    with open_regular(path) as (stream, size):
        digest.update(size.to_bytes(8, "big"))
        if path.suffix == ".gguf":
            _update(digest, stream, 0, min(start, MAX_CONFIG_BYTES))
        for begin, end in small:
            _update(digest, stream, begin, end)
        span = max(0, size - start - BLOCK_BYTES)
        for block in range(BLOCKS):
            begin = start + span * block // max(1, BLOCKS - 1)
            _update(digest, stream, begin, min(size, begin + BLOCK_BYTES))
    return digest.digest()


def _small_ranges(header: ShardHeader) -> list[tuple[int, int]]:
    """Byte ranges of the small tensors in file order, joined where they nearly touch, up to `MAX_SMALL_BYTES`."""
    ranges: list[tuple[int, int]] = []
    total = 0
    for tensor in sorted(header.tensors.values(), key=lambda t: t.begin):
        length = tensor.end - tensor.begin
        if length > SMALL_TENSOR_BYTES or total + length > MAX_SMALL_BYTES:
            continue
        begin, end = header.data_start + tensor.begin, header.data_start + tensor.end
        if ranges and begin - ranges[-1][1] <= _MERGE_GAP:
            total += end - ranges[-1][1]
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((begin, end))
            total += length
    return ranges


def _update(digest: hashlib._Hash, stream: BinaryIO, begin: int, end: int) -> None:
    stream.seek(begin)
    left = end - begin
    while left > 0 and (piece := stream.read(min(left, 1 << 20))):
        digest.update(piece)
        left -= len(piece)
