"""The two parsers of binary headers under generated and damaged input: the right answer or a CheckpointError, within bounds.

A short run belongs to every test run; QUANTGATE_FUZZ_EXAMPLES makes it a long one.
"""

from __future__ import annotations

import json
import os
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantgate.checkpoint.headers.gguf import read_gguf
from quantgate.checkpoint.headers.layer_formats import read_layers
from quantgate.checkpoint.headers.safetensors import read_header
from quantgate.checkpoint.headers.weights import read_weights
from quantgate.errors import CheckpointError

from .made import SAMPLES, safetensors
from .test_gguf import write as write_gguf

EXAMPLES = int(os.environ.get("QUANTGATE_FUZZ_EXAMPLES", "150"))
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MEGABYTES = 1024 * 1024
sizes = st.integers(min_value=0, max_value=6)
tensors = st.dictionaries(
    st.text(max_size=30).filter(lambda name: name != "__metadata__"),
    st.tuples(st.sampled_from(["BF16", "F16", "F32", "F8_E4M3", "U8", "I8", "I32"]), st.lists(sizes, max_size=4)),
    max_size=12,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
damage = st.lists(
    st.tuples(st.integers(0, 4000), st.binary(min_size=0, max_size=12), st.integers(0, 12)), min_size=1, max_size=6
)


@contextmanager
def bounded(megabytes: int, seconds: float) -> Iterator[None]:
    """Memory and time that the block may take."""
    tracemalloc.start()
    started = time.monotonic()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * MEGABYTES
        assert time.monotonic() - started < seconds
    finally:
        tracemalloc.stop()


def read_or_refuse(read: Callable[[Path], object], path: Path) -> None:
    try:
        read(path)
    except CheckpointError as error:
        assert path.name in str(error)  # noqa: PT017


@fuzzed
@given(described=tensors)
def test_what_was_written_is_read_back(tmp_path: Path, described: dict[str, tuple[str, list[int]]]) -> None:
    path = safetensors(tmp_path / "x.safetensors", described)
    header = read_header(path)
    assert {name: (t.dtype, list(t.shape)) for name, t in header.tensors.items()} == described
    assert header.data_start + max((t.end for t in header.tensors.values()), default=0) == path.stat().st_size
    covered = [name for group in read_layers(header.tensors.items()) for name in group.names]
    assert len(covered) <= len(described)


@fuzzed
@given(value=st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_any_json_in_a_header_is_read_or_refused(tmp_path: Path, value: dict[str, object]) -> None:
    text = json.dumps(value).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(64))
    read_or_refuse(read_header, path)


@fuzzed
@given(changes=damage)
@pytest.mark.parametrize("kind", ["safetensors", "gguf"])
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, kind: str, changes: list[tuple[int, bytes, int]]) -> None:
    path = tmp_path / f"x.{kind}"
    if kind == "gguf":
        write_gguf(path)
        data = bytearray(path.read_bytes())
    else:
        data = bytearray((SAMPLES / "nvfp4_default" / "model.safetensors").read_bytes())
    for at, new, removed in changes:
        data[at : at + removed] = new
    path.write_bytes(data)
    with bounded(64, 10):
        read_or_refuse(read_gguf if kind == "gguf" else read_header, path)


@fuzzed
@given(value=json_values)
def test_any_json_as_an_index_is_read_or_refused(tmp_path: Path, value: object) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": value}))
    try:
        weights = read_weights(tmp_path)
        assert set(weights.missing_shards) == set(value.values() if isinstance(value, dict) else ())
    except CheckpointError as error:
        assert "model.safetensors.index.json" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "header",
    [
        b'{"a":' * 200_000,
        b"[" * 200_000,
        b'{"a":{"dtype":"U8","shape":[' + b"1," * 500_000 + b'1],"data_offsets":[0,1]}}',
        b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":' + b"[" * 200_000,
        b'{"a":' + b"9" * 100_000 + b"}",
        b'{"' + b"\xff" * 1000 + b'":1}',
        b'{"a\\ud800":1}',
    ],
    ids=["deep objects", "deep lists", "long shape", "deep extra field", "long number", "not UTF-8", "lone surrogate"],
)
def test_a_hostile_header_costs_little(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with bounded(64, 10), pytest.raises(CheckpointError, match=r"x\.safetensors"):
        read_header(path)


def test_a_header_of_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", 1_000_000_000) + b"{")
        stream.truncate(1_000_000_008)
    with bounded(8, 5), pytest.raises(CheckpointError, match="claims a header of 1000000000 bytes"):
        read_header(path)


def test_many_small_shards_with_large_headers_are_refused_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        safetensors(tmp_path / f"model-{number}.safetensors", {f"layer{number}.weight": ("BF16", (2, 2))})
    monkeypatch.setattr("quantgate.checkpoint.headers.weights.MAX_ALL_HEADERS_BYTES", 300)
    with pytest.raises(CheckpointError, match="more than 300 bytes together"):
        read_weights(tmp_path)
