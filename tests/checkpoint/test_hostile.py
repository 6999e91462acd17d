"""A checkpoint from anywhere: every broken or hostile file ends in a clear error."""

from __future__ import annotations

import json
import os
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantgate.checkpoint import config_json, identity
from quantgate.checkpoint.headers.gguf import read_gguf
from quantgate.checkpoint.headers.safetensors import read_header
from quantgate.checkpoint.quantization import detect
from quantgate.checkpoint.source import resolve_model
from quantgate.errors import CheckpointError

from .made import SAMPLES, checkpoint, safetensors


def refusal(directory: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        detect(resolve_model(str(directory)))
    return str(caught.value)


def test_broken_json_is_refused_with_file_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{\n  "model_type": "llama",\n  oops\n}\n')
    assert f"{tmp_path / 'config.json'}:3:3" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[1, 2]", "list, not an object"),
        (b'{"a": "\xff\xfe"}', "not UTF-8 text (byte 7)"),
        (b"", "not valid JSON"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", "impossible number"),
    ],
)
def test_a_config_that_is_not_a_json_object_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    assert says in refusal(tmp_path)


def test_a_config_above_the_limit_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as stream:
        stream.truncate(config_json.MAX_JSON_BYTES + 1)
    assert "at most 20971520" in refusal(tmp_path)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_fifo, "not a regular file"),
        (Path.mkdir, "directory"),
        (_loop, "loop of symbolic links"),
        (_dangling, "does not exist"),
    ],
)
@pytest.mark.parametrize("name", ["config.json", "hf_quant_config.json", "model.safetensors"])
def test_a_file_that_is_no_file_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None], says: str, name: str
) -> None:
    checkpoint(tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    make(tmp_path / name)
    started = time.monotonic()
    message = refusal(tmp_path)
    assert name in message
    assert says in message
    assert time.monotonic() - started < 2


def test_a_directory_without_config_names_the_file(tmp_path: Path) -> None:
    assert "no config.json" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"abc", "too few"),
        (struct.pack("<Q", 2**63) + b"{}", "claims a header of 9223372036854775808 bytes"),
        (struct.pack("<Q", 1_000_000_000) + b"{}", "claims a header of 1000000000 bytes"),
        (struct.pack("<Q", 5000) + b'{"a": 1}', "cut short"),
        (struct.pack("<Q", 8) + b"notjson!", "not valid JSON"),
    ],
)
def test_a_hostile_safetensors_header_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    checkpoint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(content)
    message = refusal(tmp_path)
    assert "model.safetensors" in message
    assert says in message


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 400]}}, "ends after"),
        ({"a": {"dtype": "U8", "shape": [4], "data_offsets": [4, 0]}}, "impossible offsets"),
        ({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 4]}}, "shape and dtype"),
        ({"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 4]}}, "not the format's"),
        ({"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}, "not the format's"),
        ({"a": [1]}, "not the format's"),
        ({"a": {"dtype": "U8", "shape": [2**62, 2**62], "data_offsets": [0, 4]}}, "shape and dtype"),
        (
            {
                "a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},
                "b": {"dtype": "U8", "shape": [4], "data_offsets": [2, 6]},
            },
            "overlapping",
        ),
        ({"a": {"dtype": "U8", "shape": [4], "data_offsets": [2, 6]}}, "gap of 2 bytes"),
        ({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}, "4 bytes after its last"),
    ],
)
def test_impossible_tensors_are_refused(tmp_path: Path, tensors: dict[str, object], says: str) -> None:
    text = json.dumps(tensors).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(8))
    with pytest.raises(CheckpointError, match=says):
        read_header(path)


def test_a_truncated_real_checkpoint_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "fp8_default"
    shutil.copytree(SAMPLES / "fp8_default", copy)
    data = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(data[:-1])
    assert "cut short" in refusal(copy)


def test_an_index_may_not_lead_out_of_the_directory(tmp_path: Path) -> None:
    checkpoint(tmp_path)
    safetensors(tmp_path.parent / "secret.safetensors", {"w": ("BF16", (2, 2))})
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": "../secret.safetensors"}}))
    assert "not a file beside it" in refusal(tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_random_bytes_never_give_another_error(tmp_path: Path, data: bytes) -> None:
    for name, read, start in (
        ("a.safetensors", read_header, struct.pack("<Q", max(2, len(data)))),
        ("a.gguf", read_gguf, b"GGUF" + struct.pack("<I", 3)),
    ):
        path = tmp_path / name
        for content in (data, start + data):
            path.write_bytes(content)
            try:
                read(path)
            except CheckpointError as error:
                assert name in str(error)  # noqa: PT017


def test_the_identity_of_a_broken_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    with pytest.raises(CheckpointError, match="too few"):
        identity.identify(tmp_path)
