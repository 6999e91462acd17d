"""The rules about the checkpoint: each is broken by one export and kept by a sound one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from quantgate.evalconfig.lint import Finding, check
from quantgate.evalconfig.lint import checkpoint as about_checkpoints

from ..checkpoint.made import SAMPLES
from ..checkpoint.made import checkpoint as make
from .made import PROCESS, SLURM, write

LOCAL = PROCESS.replace("  type: process # no container\n", "")
FP8: dict[str, Any] = {"quant_method": "modelopt", "quant_algo": "FP8"}
LAYER = "model.layers.0.mlp.up_proj.weight"
SOUND = {LAYER: ("F8_E4M3", (4, 4)), LAYER + "_scale": ("F32", ())}
TOWER = {
    "model.visual.blocks.0.mlp.up_proj.weight": ("F8_E4M3", (4, 4)),
    "model.visual.blocks.0.mlp.up_proj.weight_scale": ("F32", ()),
}
RULES = {rule.id for rule in about_checkpoints.RULES}


def findings(directory: Path, checkpoint: Path, key: str = "deployment") -> list[Finding]:
    """What the rules about checkpoints say of a config that evaluates one."""
    if key == "deployment":
        config = SLURM.replace("/shared/models/m-NVFP4", str(checkpoint))
    else:
        config = LOCAL + f"quantgate:\n  checkpoint: {checkpoint}\n"
    return [f for f in check(write(directory, config)).findings if f.rule in RULES]


def with_tokenizer(checkpoint: Path) -> Path:
    (checkpoint / "tokenizer.json").write_text("{}")
    return checkpoint


def test_a_sound_checkpoint_breaks_none_of_them(tmp_path: Path) -> None:
    assert findings(tmp_path, with_tokenizer(make(tmp_path / "m-FP8", FP8, SOUND))) == []


@pytest.mark.parametrize(
    ("name", "quantization", "tensors", "rule", "says"),
    [
        ("m-NVFP4", None, {LAYER: ("BF16", (4, 4))}, "D12", "claims NVFP4"),
        ("m-BF16", FP8, SOUND, "D12", "claims 16 bits"),
        ("m-0.001M", FP8, SOUND, "D12", "claims 0.001M"),
        ("qwen3", FP8, SOUND, "D12", "claims qwen"),
        ("m", FP8, SOUND | TOWER, "D13", "visual.blocks.0"),
        ("m", FP8, {LAYER: ("BF16", (4, 4))}, "D38", "hold no FP8"),
        ("m", None, SOUND, "D38", "no quantization is recorded"),
    ],
)
@pytest.mark.parametrize(
    ("key", "path"), [("deployment", "deployment.checkpoint_path"), ("quantgate", "quantgate.checkpoint")]
)
def test_a_wrong_checkpoint_is_an_error(
    tmp_path: Path, name: str, quantization: Any, tensors: Any, rule: str, says: str, key: str, path: str
) -> None:
    (found,) = findings(tmp_path, with_tokenizer(make(tmp_path / name, quantization, tensors)), key)
    assert (found.rule, found.severity, found.path) == (rule, "error", path)
    assert says in found.message


def test_two_causes_at_one_key_are_both_reported(tmp_path: Path) -> None:
    found = findings(tmp_path, make(tmp_path / "m-NVFP4", FP8, SOUND | TOWER))
    assert {f.rule for f in found} == {"D12", "D13", "D38"}


def test_a_missing_tokenizer_stops_a_deployment_and_not_a_server_that_runs(tmp_path: Path) -> None:
    checkpoint = make(tmp_path / "m", FP8, SOUND)
    (deployed,) = findings(tmp_path, checkpoint)
    assert (deployed.rule, deployed.severity) == ("D38", "error")
    assert "tokenizer" in deployed.message
    (declared,) = findings(tmp_path, checkpoint, "quantgate")
    assert declared.severity == "warning"


def test_a_missing_shard_and_a_truncated_file_are_errors(tmp_path: Path) -> None:
    checkpoint = with_tokenizer(make(tmp_path / "m", FP8, SOUND))
    (checkpoint / "model.safetensors").rename(checkpoint / "model-00001-of-00002.safetensors")
    (found,) = findings(tmp_path, checkpoint)
    assert "model-00002-of-00002.safetensors" in found.message
    shutil.copytree(SAMPLES / "fp8_default", tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    (found,) = findings(tmp_path, tmp_path / "cut")
    assert (found.rule, "cut short" in found.message) == ("D38", True)


def test_the_parent_of_megatron_iterations_is_an_error(tmp_path: Path) -> None:
    for number in (100, 200):
        (tmp_path / "run" / f"iter_{number:07d}").mkdir(parents=True)
    (found,) = findings(tmp_path, tmp_path / "run")
    assert found.rule == "D39"
    assert "iter_0000200" in found.message


def test_a_format_of_releases_is_a_note_on_the_baseline(tmp_path: Path) -> None:
    released = tmp_path / "m"
    shutil.copytree(SAMPLES / "hf_mxfp4config_0", released)
    (found,) = [f for f in findings(tmp_path, with_tokenizer(released)) if f.rule == "D36"]
    assert (found.severity, found.path) == ("note", "deployment.checkpoint_path")
    assert "its own baseline" in found.message


def test_a_path_on_a_cluster_is_not_judged_from_here(tmp_path: Path) -> None:
    assert findings(tmp_path, Path("/shared/models/m-NVFP4")) == []


def test_a_handle_is_judged_by_its_cached_copy_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    config = SLURM.replace("checkpoint_path: /shared/models/m-NVFP4", "checkpoint_path: null")
    config = config.replace("hf_model_handle: null", "hf_model_handle: org/m-NVFP4")
    path = write(tmp_path, config)
    assert [f for f in check(path).findings if f.rule in RULES] == []
    make(tmp_path / "hub" / "models--org--m-NVFP4" / "snapshots" / ("0" * 40), None, {LAYER: ("BF16", (4, 4))})
    found = {f.rule: f for f in check(path).findings if f.rule in RULES}
    assert set(found) == {"D12", "D38"}
    assert found["D12"].path == "deployment.hf_model_handle"
