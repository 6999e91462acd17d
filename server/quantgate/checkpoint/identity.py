"""The identity of a checkpoint: hashes that two calibrations of the same format do not share.

It covers the config files, every weight file's size and header, all small tensors up to a bound (scales are where
calibrations differ), and evenly spaced blocks of the weights. It does not depend on where the checkpoint lies.

A handle whose config files and headers were read from the hub is known by its commit and the hub's list of files instead:
a commit names every byte, and a header alone must not pass for the weights. A checkpoint on a cluster is known by its config
files and headers and by the size and time of every file there: a copy of it elsewhere has another identity.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import CheckpointError
from .config_json import open_regular, read_bytes
from .headers.gguf import read_gguf
from .headers.gguf_parts import part_names
from .headers.safetensors import MAX_HEADER_BYTES, ShardHeader, read_header
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
WEIGHTS, LAYOUT = "weights", "layout of the weights"


@dataclass(frozen=True)
class _FileDigest:
    """Of one file: everything that counts, and of a weight file its layout alone."""

    whole: bytes
    layout: bytes = b""


_known: dict[tuple[str | int, ...], _FileDigest] = {}
"""Digests of files that did not change since they were read, by path, device, inode, size and both times."""
MAX_KNOWN = 50_000
SETTLED_SECONDS = 2.0
"""A file that was changed more recently is read again: a change within one tick of its clock would not be seen."""


def identify(path: Path | str) -> dict[str, str]:
    """What a checkpoint is known by, by part, to say what differs between two.

    The parts are the name of each config file, "layout of the weights" (names, sizes and headers of the weight files) and
    "weights"; of a handle that was read on the hub its "handle", "revision" and "files". Each is a hash in hexadecimal digits.

    Neither the hub nor a cluster is asked: a handle must be in the local hub cache, or have been read from the hub before, and
    so must `host:/path`. A file that did not change since this process read it is not read again.

    Args:
        path: The directory, the GGUF file, the handle, or `host:/path`.

    Raises:
        CheckpointError: It does not exist, or a file in it is broken.
    """
    source = resolve_model(str(path))
    if source.remote:
        return _on_cluster(source)
    if source.listing is not None:
        return _on_hub(source)
    if source.gguf is not None:
        directory = source.gguf.parent
        files = [name for name in part_names(source.gguf) if os.path.lexists(directory / name)]
    else:
        directory, files = source.path, _megatron_files(source.path) if source.megatron else _files(source.path)
    data, layout = hashlib.sha256(VERSION), hashlib.sha256(VERSION)
    parts: dict[str, str] = {}
    for name in files:
        digest = _of_file(directory / name, weights=_suffix(name) in _WEIGHT_SUFFIXES | _MEGATRON_WEIGHTS)
        # A GGUF is known by its content alone: renaming it does not make it another model.
        label = b"" if source.gguf is not None else name.encode("utf-8", "surrogateescape")
        if digest.layout:
            data.update(digest.whole)
            layout.update(len(label).to_bytes(4, "big") + label + digest.layout)
            parts |= {WEIGHTS: data.hexdigest(), LAYOUT: layout.hexdigest()}
        else:
            parts[name] = digest.whole.hex()
    return parts


def _of_file(path: Path, *, weights: bool) -> _FileDigest:
    try:
        info = path.stat()
    except OSError:
        # Whoever opens it says what is wrong.
        return _read(path, weights=weights)
    key = (str(path), info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns, weights)
    if (known := _known.get(key)) is not None:
        return known
    digest = _read(path, weights=weights)
    if abs(time.time() - max(info.st_mtime, info.st_ctime)) > SETTLED_SECONDS:
        if len(_known) >= MAX_KNOWN:
            _known.clear()
        _known[key] = digest
    return digest


def _read(path: Path, *, weights: bool) -> _FileDigest:
    return _weight_file(path) if weights else _FileDigest(_config_file(path))


def _on_hub(source: ModelSource) -> dict[str, str]:
    texts = {
        "handle": source.handle,
        "revision": source.revision,
        "files": json.dumps(source.listing, sort_keys=True),
    }
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}


def _on_cluster(source: ModelSource) -> dict[str, str]:
    """Of the copy of its config files and headers; the name of the copy's directory stands for all names, sizes and times."""
    layout = hashlib.sha256()
    parts: dict[str, str] = {}
    for name in sorted(source.listing or {}):
        header = source.path / f"{name}.header"
        if header.exists():
            layout.update(
                f"{name}\0{(source.listing or {})[name]}\0".encode() + read_bytes(header, MAX_HEADER_BYTES + 8)
            )
        elif (source.path / name).exists():
            parts[name] = _config_file(source.path / name).hex()
    return parts | {LAYOUT: layout.hexdigest(), WEIGHTS: hashlib.sha256(source.path.name.encode()).hexdigest()}


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


def _weight_file(path: Path) -> _FileDigest:
    layout = hashlib.sha256(b"weights")
    start, small = 0, list[tuple[int, int]]()
    if path.suffix == ".safetensors":
        header = read_header(path)
        start, small = header.data_start, _small_ranges(header)
        layout.update(header.raw)
    elif path.suffix == ".gguf":
        start = read_gguf(path).data_start
    with open_regular(path) as (stream, size):
        layout.update(size.to_bytes(8, "big"))
        if path.suffix == ".gguf":
            _update(layout, stream, 0, min(start, MAX_CONFIG_BYTES))
        digest = layout.copy()
        for begin, end in small:
            _update(digest, stream, begin, end)
        span = max(0, size - start - BLOCK_BYTES)
        for block in range(BLOCKS):
            begin = start + span * block // max(1, BLOCKS - 1)
            _update(digest, stream, begin, min(size, begin + BLOCK_BYTES))
    return _FileDigest(digest.digest(), layout.digest())


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
