from __future__ import annotations

import shutil
from pathlib import Path

from quantgate.checkpoint.identity import identity

from .made import SAMPLES, checkpoint, safetensors


def test_a_copy_elsewhere_is_the_same_checkpoint(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "fp8_default", tmp_path / "copy")
    (tmp_path / "copy" / "README.md").write_text("a card is not the model")
    assert identity(tmp_path / "copy") == identity(SAMPLES / "fp8_default")


def test_samples_differ_from_each_other() -> None:
    names = sorted(SAMPLES.iterdir())
    assert len({identity(p) for p in names}) == len(names)


def test_one_calibrated_scale_makes_another_checkpoint(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "fp8_default", tmp_path / "copy")
    before = identity(tmp_path / "copy")
    path = tmp_path / "copy" / "model.safetensors"
    data = bytearray(path.read_bytes())
    at = 8 + int.from_bytes(data[:8], "little") + 20
    data[at] ^= 1
    path.write_bytes(data)
    assert identity(tmp_path / "copy") != before


def test_a_small_scale_between_the_sampled_blocks_counts(tmp_path: Path) -> None:
    tensors = {"a.weight": ("U8", (1_000_000,)), "a.weight_scale": ("F32", ()), "b.weight": ("U8", (1_300_000,))}
    checkpoint(tmp_path)
    path = safetensors(tmp_path / "model.safetensors", tensors)
    before = identity(tmp_path)
    data = bytearray(path.read_bytes())
    data[8 + int.from_bytes(data[:8], "little") + 1_000_001] = 9
    path.write_bytes(data)
    assert identity(tmp_path) != before


def test_a_changed_config_makes_another_checkpoint(tmp_path: Path) -> None:
    before = identity(checkpoint(tmp_path))
    assert identity(checkpoint(tmp_path, max_position_embeddings=8192)) != before
