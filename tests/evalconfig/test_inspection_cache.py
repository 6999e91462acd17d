"""A checkpoint that did not change is not read a second time; one that did is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from quantgate.checkpoint.inspection import Inspection, inspect_model
from quantgate.errors import CheckpointError
from quantgate.evalconfig.lint import check, inspection_cache
from quantgate.evalconfig.lint.inspection_cache import MAX_KEPT, inspect_cached

from ..checkpoint.made import checkpoint as make
from .made import SLURM, write

FP8: dict[str, Any] = {"quant_method": "modelopt", "quant_algo": "FP8"}
LAYER = "model.layers.0.mlp.up_proj.weight"
SOUND = {LAYER: ("F8_E4M3", (4, 4)), LAYER + "_scale": ("F32", ())}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that were really read."""
    inspection_cache.forget()
    seen: list[str] = []

    def counted(model: str) -> Inspection:
        seen.append(model)
        return inspect_model(model)

    monkeypatch.setattr(inspection_cache, "inspect_model", counted)
    return seen


def test_a_second_check_of_an_unchanged_directory_reads_no_header_again(tmp_path: Path, reads: list[str]) -> None:
    path = make(tmp_path / "m-FP8", FP8, SOUND)
    config = write(tmp_path, SLURM.replace("/shared/models/m-NVFP4", str(path)))
    first, second = check(config), check(config)
    assert reads == [str(path)]
    assert first.findings == second.findings


@pytest.mark.parametrize(
    "changed", ["model.safetensors", "config.json", "tokenizer.json", "additional_chat_templates/a.jinja"]
)
def test_a_changed_file_is_seen(tmp_path: Path, reads: list[str], changed: str) -> None:
    path = make(tmp_path / "m", FP8, SOUND)
    (path / "additional_chat_templates").mkdir()
    (path / "additional_chat_templates" / "a.jinja").write_text("a")
    inspect_cached(str(path))
    file = path / changed
    if file.exists():
        file.write_bytes(file.read_bytes())
        os.utime(file, ns=(1, 1))
    else:
        file.write_text("{}")
    inspect_cached(str(path))
    assert len(reads) == 2


def test_a_shard_behind_a_link_is_looked_at_itself(tmp_path: Path, reads: list[str]) -> None:
    path = make(tmp_path / "m", FP8, SOUND)
    blob = (path / "model.safetensors").rename(tmp_path / "blob")
    (path / "model.safetensors").symlink_to(blob)
    inspect_cached(str(path))
    os.utime(blob, ns=(1, 1))
    inspect_cached(str(path))
    assert len(reads) == 2


def test_what_cannot_be_read_is_tried_again_and_little_is_kept(tmp_path: Path, reads: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    for _ in range(2):
        with pytest.raises(CheckpointError):
            inspect_cached(str(tmp_path / "empty"))
    assert len(reads) == 2
    for number in range(MAX_KEPT + 1):
        inspect_cached(str(make(tmp_path / f"m{number}", FP8, SOUND)))
    inspect_cached(str(tmp_path / "m0"))
    assert len(reads) == 2 + MAX_KEPT + 2
