from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from quantgate.checkpoint import identity as module
from quantgate.checkpoint.identity import LAYOUT, WEIGHTS, identify

from .made import SAMPLES, checkpoint, safetensors


def test_a_copy_elsewhere_is_the_same_checkpoint(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "fp8_default", tmp_path / "copy")
    (tmp_path / "copy" / "README.md").write_text("a card is not the model")
    assert identify(tmp_path / "copy") == identify(SAMPLES / "fp8_default")


def test_samples_differ_from_each_other() -> None:
    names = sorted(SAMPLES.iterdir())
    assert len({str(identify(p)) for p in names}) == len(names)


def test_one_calibrated_scale_makes_another_checkpoint(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "fp8_default", tmp_path / "copy")
    before = identify(tmp_path / "copy")
    path = tmp_path / "copy" / "model.safetensors"
    data = bytearray(path.read_bytes())
    at = 8 + int.from_bytes(data[:8], "little") + 20
    data[at] ^= 1
    path.write_bytes(data)
    assert identify(tmp_path / "copy") != before


def test_a_small_scale_between_the_sampled_blocks_counts(tmp_path: Path) -> None:
    tensors = {"a.weight": ("U8", (1_000_000,)), "a.weight_scale": ("F32", ()), "b.weight": ("U8", (1_300_000,))}
    checkpoint(tmp_path)
    path = safetensors(tmp_path / "model.safetensors", tensors)
    before = identify(tmp_path)
    data = bytearray(path.read_bytes())
    data[8 + int.from_bytes(data[:8], "little") + 1_000_001] = 9
    path.write_bytes(data)
    assert identify(tmp_path) != before


def test_a_changed_config_makes_another_checkpoint(tmp_path: Path) -> None:
    before = identify(checkpoint(tmp_path))
    assert identify(checkpoint(tmp_path, max_position_embeddings=8192)) != before


def test_an_iteration_of_megatron_is_known_by_its_shards_and_settings(tmp_path: Path) -> None:
    iteration = tmp_path / "iter_0000100"
    (iteration / "modelopt_state").mkdir(parents=True)
    parts = ["__0_0.distcp", "run_config.yaml", ".metadata", "common.pt", "modelopt_state/common.pt"]
    for name in parts:
        (iteration / name).write_bytes(b"\x80\x04.")
    seen = {str(identify(iteration))}
    for name in parts:
        (iteration / name).write_bytes(b"\x80\x05.")
        seen.add(str(identify(iteration)))
    assert len(seen) == 1 + len(parts)


def test_files_of_megatron_do_not_change_the_identity_of_other_checkpoints(tmp_path: Path) -> None:
    before = identify(checkpoint(tmp_path))
    (tmp_path / "notes.yaml").write_text("a: 1")
    (tmp_path / ".metadata").write_text("x")
    assert identify(tmp_path) == before


def test_a_changed_block_of_a_tensor_is_seen_and_a_touched_file_is_not(tmp_path: Path) -> None:
    checkpoint(tmp_path, tensors={"a.weight": ("U8", (2_000_000,))})
    path = tmp_path / "model.safetensors"
    before = identify(tmp_path)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert identify(tmp_path) == before
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    after = identify(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"weights"}


def test_parts_tell_a_config_file_a_layout_and_the_weights_apart(tmp_path: Path) -> None:
    tensors = {"a.weight": ("U8", (1000,))}
    before = identify(checkpoint(tmp_path, tensors=tensors))
    assert set(before) == {"config.json", LAYOUT, WEIGHTS}

    def differing() -> set[str]:
        now = identify(tmp_path)
        return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}

    checkpoint(tmp_path, tensors=tensors, max_position_embeddings=8192)
    assert differing() == {"config.json"}
    checkpoint(tmp_path, tensors={"a.weight": ("U8", (1001,))})
    assert differing() == {LAYOUT, WEIGHTS}
    checkpoint(tmp_path, tensors=tensors)
    (tmp_path / "tokenizer.json").write_text("{}")
    assert differing() == {"tokenizer.json"}


def test_settled_files_are_read_once_and_a_replaced_one_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint(tmp_path, tensors={"a.weight": ("U8", (1000,))})
    before = identify(tmp_path)
    # As if some seconds had passed: younger files are not remembered.
    monkeypatch.setattr(module, "SETTLED_SECONDS", -1.0)
    read: list[str] = []
    original = module._read

    def counting(path: Path, *, weights: bool) -> module._FileDigest:
        read.append(path.name)
        return original(path, weights=weights)

    monkeypatch.setattr(module, "_read", counting)
    assert identify(tmp_path) == before
    assert sorted(read) == ["config.json", "model.safetensors"]
    assert identify(tmp_path) == before
    assert len(read) == 2
    replacement = tmp_path / "new"
    replacement.write_bytes((tmp_path / "model.safetensors").read_bytes()[:-1] + b"\x01")
    replacement.replace(tmp_path / "model.safetensors")
    assert identify(tmp_path) != before
    assert read[2:] == ["model.safetensors"]


def test_a_file_that_was_just_written_is_read_again(tmp_path: Path) -> None:
    checkpoint(tmp_path)
    path = tmp_path / "tokenizer.json"
    seen = set()
    for text in "abcdefgh":
        # All within one tick of a coarse clock, all of one size.
        path.write_text(text)
        os.utime(path)
        seen.add(str(identify(tmp_path)))
    assert len(seen) == 8
