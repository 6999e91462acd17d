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
        ("cluster:/lustre/models/x", "lies on cluster and was not read yet"),
        ("user@login.cluster:/lustre/models/x", "lies on user@login.cluster"),
        ("cluster:/lustre/../etc", "without `..`"),
        ("-oProxyCommand=x:/lustre", "no such file or directory"),
        ("-x:/lustre", "no checkpoint on a cluster"),
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


def test_the_iterations_are_named_the_latest_first_and_by_number(tmp_path: Path) -> None:
    for name in ("iter_0000900", "iter_10000000", "iter_0001000", "release"):
        (tmp_path / name).mkdir()
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("1000\n")
    with pytest.raises(CheckpointError, match="names iter_0001000 as the latest, which is here") as caught:
        resolve_model(str(tmp_path))
    named = [
        str(caught.value).index(n + end)
        for n, end in zip(
            ("iter_10000000", "iter_0001000", "iter_0000900", "release"), (",", ",", ",", "."), strict=True
        )
    ]
    assert named == sorted(named)


@pytest.mark.parametrize("tracker", ["latest_checkpointed_iteration.txt", "latest_train_state.pt"])
def test_a_parent_whose_iterations_are_gone_is_refused(tmp_path: Path, tracker: str) -> None:
    (tmp_path / tracker).write_bytes(b"500")
    with pytest.raises(CheckpointError, match="parent of Megatron iterations, but none is in it"):
        resolve_model(str(tmp_path))


def test_a_tracker_that_names_a_missing_iteration_is_reported(tmp_path: Path) -> None:
    (tmp_path / "iter_0000100").mkdir()
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("200")
    with pytest.raises(CheckpointError, match="names iter_0000200 as the latest, which is not here"):
        resolve_model(str(tmp_path))


@pytest.mark.parametrize("text", [b"\xff\xfe", b"9" * 70, b"../../etc", b"-5", b""])
def test_a_hostile_tracker_is_passed_over(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "iter_0000100").mkdir()
    (tmp_path / "latest_checkpointed_iteration.txt").write_bytes(text)
    with pytest.raises(CheckpointError, match=r"parent of 1 Megatron iterations, not a checkpoint\. Where"):
        resolve_model(str(tmp_path))


def test_a_renamed_iteration_is_known_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "__0_0.distcp").write_bytes(b"x")
    assert resolve_model(str(tmp_path / "final")).megatron


def test_a_hugging_face_export_in_an_iteration_directory_is_read_as_one(tmp_path: Path) -> None:
    assert not resolve_model(str(checkpoint(tmp_path / "iter_0000100"))).megatron


def test_a_revision_in_a_handle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="without a revision"):
        resolve_model("org/name@v2")


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
