from __future__ import annotations

from pathlib import Path

import pytest

from quantgate.checkpoint.quantization import detect
from quantgate.checkpoint.source import resolve_model
from quantgate.errors import CheckpointError

from .made import SAMPLES, checkpoint


def test_a_path_is_a_checkpoint_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint(tmp_path / "org" / "model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in (str(tmp_path / "org/model"), "./org/model", "org/model", "org/model/", "~/org/model"):
        source = resolve_model(given)
        assert source.kind == "checkpoint"
        assert source.path.resolve() == tmp_path / "org" / "model"


def test_a_bare_name_that_exists_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    assert resolve_model("model").kind == "checkpoint"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "No model was named"),
        ("/no/such/dir", "no such file or directory"),
        ("./nowhere/model", "no such file or directory"),
        ("~nosuchuser/model", "no such file or directory"),
        ("bare-name", "no such file or directory"),
        ("a/b/c", "no such file or directory"),
        ("x" * 5000, "no such file or directory"),
        ("https://huggingface.co/org/name", "URL"),
        ("cluster:/lustre/models/x", "remote checkpoints are not read by this version"),
        ("user@login.cluster:/lustre/models/x", "lies on user@login.cluster"),
    ],
)
def test_what_is_no_model_is_refused_with_the_reason(given: str, says: str) -> None:
    with pytest.raises(CheckpointError, match=says):
        resolve_model(given)


def test_a_handle_that_is_not_cached_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match="org/name is not on this machine") as caught:
        resolve_model("org/name")
    assert "model card" in str(caught.value)


def test_a_handle_is_found_in_the_hub_cache_through_its_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = tmp_path / "hub" / "models--org--name-FP8"
    snapshot = repo / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("0" * 40)
    for file in (SAMPLES / "fp8_default").iterdir():
        (snapshot / file.name).symlink_to(file)
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    source = resolve_model("org/name-FP8")
    assert (source.kind, source.handle) == ("hf_handle", "org/name-FP8")
    assert detect(source).algorithm == "FP8"
    assert detect(source).conflicts == ()


def test_the_parent_of_megatron_iterations_is_refused_naming_them(tmp_path: Path) -> None:
    for step in (100, 200):
        (tmp_path / f"iter_{step:07d}").mkdir()
    with pytest.raises(CheckpointError, match="parent of 2 Megatron iterations") as caught:
        resolve_model(str(tmp_path))
    assert str(tmp_path / "iter_0000200") in str(caught.value)


def test_a_megatron_iteration_is_recognised_and_its_reading_refused(tmp_path: Path) -> None:
    (tmp_path / "iter_0000100").mkdir()
    source = resolve_model(str(tmp_path / "iter_0000100"))
    assert source.megatron
    with pytest.raises(CheckpointError, match="Megatron iteration without"):
        detect(source)


def test_a_weight_file_is_refused_with_its_directory(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="neither a directory") as caught:
        resolve_model(str(tmp_path / "model.safetensors"))
    assert f"give the checkpoint's directory, {tmp_path}" in str(caught.value)


def test_a_link_that_loops_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(CheckpointError, match="loop of"):
        resolve_model(str(tmp_path / "loop"))
