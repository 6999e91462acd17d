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


def test_an_iteration_of_megatron_is_known_by_its_shards_and_settings(tmp_path: Path) -> None:
    iteration = tmp_path / "iter_0000100"
    (iteration / "modelopt_state").mkdir(parents=True)
    parts = ["__0_0.distcp", "run_config.yaml", ".metadata", "common.pt", "modelopt_state/common.pt"]
    for name in parts:
        (iteration / name).write_bytes(b"\x80\x04.")
    seen = {identity(iteration)}
    for name in parts:
        (iteration / name).write_bytes(b"\x80\x05.")
        seen.add(identity(iteration))
    assert len(seen) == 1 + len(parts)


def test_files_of_megatron_do_not_change_the_identity_of_other_checkpoints(tmp_path: Path) -> None:
    before = identity(checkpoint(tmp_path))
    (tmp_path / "notes.yaml").write_text("a: 1")
    (tmp_path / ".metadata").write_text("x")
    assert identity(tmp_path) == before
