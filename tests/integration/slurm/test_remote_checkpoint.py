"""A checkpoint on a cluster is read like one here, through SFTP, and only once for each time that it changes."""

from __future__ import annotations

import json
import os
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quantgate import workspace
from quantgate.checkpoint import identity
from quantgate.checkpoint.inspection import inspect_model
from quantgate.checkpoint.source import resolve_model
from quantgate.cluster import connection, folder
from quantgate.errors import CheckpointError, QuantgateError, Unreachable
from quantgate.tools.detect_quantization import detect_quantization
from quantgate.tools.edit_config import edit_config
from quantgate.tools.read_model_config import read_model_config
from tests.checkpoint.made import SAMPLES, checkpoint
from tests.evalconfig.made import SLURM

from .cluster import Cluster

ALL = sorted(p.name for p in SAMPLES.iterdir() if p.is_dir())


@pytest.fixture
def place(reached: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of the cluster's user; what is read is kept in a cache of the test's own."""
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    made = reached.home / "models" / tmp_path.name
    made.mkdir(parents=True)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the remote files that were opened."""
    opened: list[str] = []
    real = folder.OpenFile.__init__

    def counted(self: folder.OpenFile, file: object, entry: folder.Entry) -> None:
        opened.append(entry.name)
        real(self, file, entry)  # type: ignore[arg-type]

    monkeypatch.setattr(folder.OpenFile, "__init__", counted)
    return opened


def _copied(place: Path, name: str) -> Path:
    return Path(shutil.copytree(SAMPLES / name, place / name))


def _refusal(reached: Cluster, path: Path) -> str:
    with pytest.raises(QuantgateError) as caught:
        inspect_model(f"{reached.alias}:{path}", reach_hub=True)
    assert str(workspace.cache_dir()) not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ALL)
def test_a_checkpoint_there_is_read_as_the_same_one_here(reached: Cluster, place: Path, name: str) -> None:
    there = _copied(place, name)
    far, near = inspect_model(f"{reached.alias}:{there}", reach_hub=True), inspect_model(str(SAMPLES / name))
    assert far.record == near.record
    assert far.facts == near.facts
    assert [c.text for c in far.conflicts] == [c.text for c in near.conflicts]
    assert far.source.claims == near.source.claims == name


def test_the_tools_name_the_clusters_path_and_say_that_weights_were_not_read(reached: Cluster, place: Path) -> None:
    there = f"{reached.alias}:{_copied(place, 'nvfp4_default')}"
    quantization = detect_quantization(there)
    assert (quantization.quantized, quantization.algorithm) == (True, "NVFP4")
    config = read_model_config(there, gpus=8, gpu_memory_gb=80)
    assert config.path == there
    assert config.weights_bytes == (SAMPLES / "nvfp4_default" / "model.safetensors").stat().st_size
    assert any("its weights were not read" in warning for warning in config.warnings)


def test_a_second_look_opens_no_file_and_a_changed_file_is_read_again(
    reached: Cluster, place: Path, read_files: list[str]
) -> None:
    there = _copied(place, "fp8_default")
    address = f"{reached.alias}:{there}"
    first = inspect_model(address, reach_hub=True)
    assert "model.safetensors" in read_files
    assert "config.json" in read_files
    read_files.clear()
    assert inspect_model(address, reach_hub=True).record == first.record
    assert read_files == []
    before = (there / "config.json").stat()
    os.utime(there / "config.json", ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    inspect_model(address, reach_hub=True)
    assert "config.json" in read_files


def test_of_a_weight_file_only_the_header_travels(reached: Cluster, place: Path) -> None:
    there = checkpoint(place / "m")
    tensors = {"w": {"dtype": "U8", "shape": [3_000_000_000], "data_offsets": [0, 3_000_000_000]}}
    head = json.dumps(tensors).encode()
    with (there / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        file.truncate(8 + len(head) + 3_000_000_000)
    started = time.monotonic()
    assert inspect_model(f"{reached.alias}:{there}", reach_hub=True).record.weights_bytes > 3_000_000_000
    assert time.monotonic() - started < 5
    kept = sum(p.stat().st_size for p in workspace.cache_dir().rglob("*") if p.is_file())
    assert kept < 2_000_000


def test_a_long_header_is_read_in_full(reached: Cluster, place: Path) -> None:
    there = checkpoint(place / "m")
    tensors = {
        f"model.layers.{i}.weight": {"dtype": "U8", "shape": [1], "data_offsets": [i, i + 1]} for i in range(9000)
    }
    head = json.dumps(tensors).encode()
    assert len(head) > 5 * 128 * 1024
    (there / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + bytes(9000))
    near = inspect_model(str(there)).record
    assert inspect_model(f"{reached.alias}:{there}", reach_hub=True).record == near


def test_a_checkpoint_made_of_links_is_read_through_them(reached: Cluster, place: Path) -> None:
    blobs = _copied(place, "fp8_default")
    linked = place / "m-FP8"
    linked.mkdir()
    for file in blobs.iterdir():
        (linked / file.name).symlink_to(file)
    alias = place / "newest"
    alias.symlink_to(linked)
    found = inspect_model(f"{reached.alias}:{alias}", reach_hub=True)
    assert (found.record.algorithm, found.source.claims) == ("FP8", "m-FP8")


def _fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_fifo, "not a regular file"),
        (Path.mkdir, "directory"),
        (lambda p: p.symlink_to(p), "loop of symbolic links"),
        (lambda p: p.symlink_to(p.with_name("nowhere")), "does not exist"),
        (lambda p: p.symlink_to("/dev/zero"), "not a regular file"),
        (lambda p: (p.write_bytes(b"{}"), p.chmod(0)), "may not be read"),
        (lambda p: p.write_bytes(b"abc"), "model.safetensors"),
        (lambda p: p.write_bytes(struct.pack("<Q", 2**63) + b"{}"), "claims a header of 9223372036854775808 bytes"),
        (lambda p: p.write_bytes(struct.pack("<Q", 5000) + b'{"a": 1}'), "cut short"),
        (lambda p: p.write_bytes(struct.pack("<Q", 8) + b"notjson!"), "not valid JSON"),
    ],
)
def test_a_hostile_weight_file_is_refused_at_once(
    reached: Cluster, place: Path, make: Callable[[Path], object], says: str
) -> None:
    there = checkpoint(place / "m")
    (there / "model.safetensors").unlink(missing_ok=True)
    make(there / "model.safetensors")
    started = time.monotonic()
    message = _refusal(reached, there)
    assert "model.safetensors" in message
    assert says in message
    assert time.monotonic() - started < 10
    assert ".header" not in message


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"[1, 2]", "list, not an object"), (b"{\n oops\n}", ":2:2"), (b'{"a":' * 100_000, "nested too deeply")],
)
def test_a_broken_config_is_refused_naming_the_place_on_the_cluster(
    reached: Cluster, place: Path, content: bytes, says: str
) -> None:
    there = checkpoint(place / "m")
    (there / "config.json").write_bytes(content)
    message = _refusal(reached, there)
    assert f"{reached.alias}:{there}/config.json" in message
    assert says in message


def test_a_config_above_the_limit_is_refused_unread(reached: Cluster, place: Path, read_files: list[str]) -> None:
    there = checkpoint(place / "m")
    os.truncate(there / "config.json", 30 << 20)
    assert "at most 20971520" in _refusal(reached, there)
    assert read_files == []


def test_what_is_no_checkpoint_is_told_apart(reached: Cluster, place: Path) -> None:
    assert "there is no such directory" in _refusal(reached, place / "nowhere" / "deeper")
    (place / "x.bin").write_bytes(b"x")
    assert "it is a file" in _refusal(reached, place / "x.bin")
    assert "no config.json" in _refusal(reached, place)
    (place / "iter_0000100").mkdir()
    assert "parent of 1 Megatron iterations" in _refusal(reached, place)
    assert "is a Megatron iteration" in _refusal(reached, place / "iter_0000100")
    (place / "g").mkdir()
    (place / "g" / "m.gguf").write_bytes(b"GGUF")
    assert "GGUF" in _refusal(reached, place / "g")
    assert "GGUF" in _refusal(reached, place / "g" / "m.gguf")
    shut = place / "shut"
    shut.mkdir(mode=0)
    if not os.access(shut, os.X_OK):
        assert "may not enter" in _refusal(reached, shut)
    shut.rmdir()


def test_a_name_that_could_be_read_as_something_else_is_left_alone(reached: Cluster, place: Path) -> None:
    there = _copied(place, "fp8_default")
    for name in ("-rf.json", "a\nb.json", "$(id).json", ".hidden.json"):
        (there / name).write_text("not json", "utf-8")
    assert inspect_model(f"{reached.alias}:{there}", reach_hub=True).record.algorithm == "FP8"


@pytest.mark.parametrize("path", ["/../etc", "/a/../b", "/", "/a\nb"])
def test_an_address_that_leads_elsewhere_is_refused_without_a_connection(path: str) -> None:
    with pytest.raises(CheckpointError):
        resolve_model(f"nohost:{path}", reach_hub=True)


def test_without_the_cluster_what_was_read_before_is_given_and_said_to_be_old(
    reached: Cluster, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = f"{reached.alias}:{_copied(place, 'fp8_default')}"
    inspect_model(there, reach_hub=True)
    connection.close_all()
    config = tmp_path / "ssh_config"
    config.write_text(f"Host {reached.alias}\n HostName 127.0.0.1\n Port 9\n", "utf-8")
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(config))
    found = inspect_model(there, reach_hub=True)
    assert found.record.algorithm == "FP8"
    assert any("cannot be reached" in w and "may have changed since" in w for w in found.warnings)
    with pytest.raises(Unreachable):
        inspect_model(f"{reached.alias}:{place}/other", reach_hub=True)


def test_the_identity_follows_the_files_of_the_cluster(reached: Cluster, place: Path) -> None:
    there = _copied(place, "fp8_default")
    address = f"{reached.alias}:{there}"
    with pytest.raises(CheckpointError, match="was not read yet"):
        identity.identify(address)
    inspect_model(address, reach_hub=True)
    first = identity.identify(address)
    assert {"config.json", identity.WEIGHTS, identity.LAYOUT} <= set(first)
    data = bytearray((there / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (there / "model.safetensors").write_bytes(data)  # another calibration: the same shapes
    inspect_model(address, reach_hub=True)
    second = identity.identify(address)
    assert {k for k in first if first[k] != second[k]} == {identity.WEIGHTS}


def test_a_link_that_breaks_in_the_middle_is_told_and_leaves_nothing_behind(
    reached: Cluster, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = _copied(place, "fp8_default")
    real = folder.OpenFile.read

    def cut(self: folder.OpenFile, begin: int, end: int) -> bytes:
        reached.run("pkill", "-f", "^sshd: tester")
        return real(self, begin, end)

    monkeypatch.setattr(folder.OpenFile, "read", cut)
    with pytest.raises(Unreachable):
        inspect_model(f"{reached.alias}:{there}", reach_hub=True)
    assert not [p for p in (workspace.cache_dir() / "remote").rglob("*") if p.is_file()]
    monkeypatch.setattr(folder.OpenFile, "read", real)
    assert inspect_model(f"{reached.alias}:{there}", reach_hub=True).record.algorithm == "FP8"


def test_many_callers_at_once_get_the_same_whole_copy(reached: Cluster, place: Path) -> None:
    there = f"{reached.alias}:{_copied(place, 'nvfp4_default')}"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: inspect_model(there, reach_hub=True), range(8)))
    assert len({f.source.path for f in found}) == 1
    assert {f.record.algorithm for f in found} == {"NVFP4"}
    assert not list((workspace.cache_dir() / "remote").rglob(".partial-*"))


def test_copies_that_were_not_seen_for_long_are_removed(reached: Cluster, place: Path) -> None:
    old = inspect_model(f"{reached.alias}:{_copied(place, 'fp8_default')}", reach_hub=True).source.path
    month = time.time() - 40 * 86_400
    os.utime(old / "listing.json", (month, month))
    inspect_model(f"{reached.alias}:{_copied(place, 'nvfp4_default')}", reach_hub=True)
    assert not old.exists()


def test_a_config_that_names_the_cluster_is_edited_with_what_was_read_there(
    reached: Cluster, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "somebody-here")
    there = _copied(place, "bf16_dense")
    inspect_model(f"{reached.alias}:{there}", reach_hub=True)
    there.rename(place / "away")  # not on this machine either: the two share their files
    config = tmp_path / "eval.yaml"
    text = SLURM.replace("hostname: login.cluster", f"hostname: {reached.alias}")
    config.write_text(text, "utf-8")
    answer = edit_config(str(config), model=f"{reached.alias}:{there}", gpus=8, gpu_memory_gb=80)
    assert f"checkpoint_path: {there}" in config.read_text("utf-8")
    assert "--max-model-len" in config.read_text("utf-8")
    assert not any("was not read" in warning for warning in answer.warnings)
