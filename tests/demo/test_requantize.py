"""The candidate's file: the same weights in fewer bits, a file that every reader of GGUF takes."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from quantgate.checkpoint.headers.gguf import read_gguf
from quantgate.checkpoint.quantization import detect
from quantgate.checkpoint.source import resolve_model
from quantgate.demo import requantize
from quantgate.demo.weights import CANDIDATE_NAME, candidate_path
from quantgate.errors import CheckpointError

ROWS, COLUMNS = 48, 256
KEPT = {"token_embd.weight": "Q8_0", "output_norm.weight": "F32", "blk.0.attn_norm.weight": "F32"}
CHANGED = ("blk.0.attn_q.weight", "blk.0.ffn_down.weight")


def _write(path: Path, linear: str = "Q8_0") -> Path:
    """A file as llama.cpp's converter lays it out: a vocabulary, an embedding, norms and the linear layers of one block."""
    writer = gguf.GGUFWriter(str(path), "gemma3")
    writer.add_name("tiny")
    writer.add_token_list([f"token{n}" for n in range(5000)])
    writer.add_file_type(7)
    random = np.random.default_rng(7)
    for name, kind in {**KEPT, **dict.fromkeys(CHANGED, linear)}.items():
        values = random.standard_normal((ROWS, COLUMNS) if "norm" not in name else COLUMNS).astype(np.float32)
        if kind == "F32":
            writer.add_tensor(name, values)
        else:
            qtype = gguf.GGMLQuantizationType[kind]
            writer.add_tensor(name, gguf.quants.quantize(values, qtype), raw_dtype=qtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _made(tmp_path: Path) -> tuple[Path, Path]:
    source, target = _write(tmp_path / "tiny-Q8_0.gguf"), tmp_path / "tiny-MXFP4.gguf"
    with target.open("wb") as stream:
        requantize.write(requantize.plan(source), stream)
    return source, target


def test_the_linear_layers_become_mxfp4_and_nothing_else_changes(tmp_path: Path) -> None:
    source, target = _made(tmp_path)
    before, after = (gguf.GGUFReader(path) for path in (source, target))
    old, new = ({t.name: t for t in reader.tensors} for reader in (before, after))
    assert list(old) == list(new)
    for name, kind in KEPT.items():
        assert new[name].tensor_type.name == kind
        assert bytes(new[name].data) == bytes(old[name].data)
    for name in CHANGED:
        assert new[name].tensor_type.name == "MXFP4"
        assert list(new[name].shape) == list(old[name].shape)
    fields = [{n: f.contents() for n, f in r.fields.items() if n != "general.file_type"} for r in (before, after)]
    assert fields[0] == fields[1]
    assert after.fields["general.file_type"].contents() == gguf.LlamaFileType.MOSTLY_MXFP4_MOE


def test_the_stored_numbers_are_those_of_the_source_rounded_once_more(tmp_path: Path) -> None:
    source, target = _made(tmp_path)
    for name in CHANGED:
        (old,), (new,) = ([t for t in gguf.GGUFReader(path).tensors if t.name == name] for path in (source, target))
        was, is_now = (gguf.quants.dequantize(t.data, t.tensor_type) for t in (old, new))
        # The largest step of E2M1 is 2 of 6: half of it, by the block's largest number.
        largest = np.abs(was).reshape(-1, 32).max(axis=1, keepdims=True)
        error = np.abs(was - is_now).reshape(-1, 32)
        assert (error <= largest / 3).all()
        assert 0.02 < float(np.sqrt(np.mean(error**2))) < 0.2


def test_the_planned_size_is_the_size_of_the_file_and_the_file_is_whole(tmp_path: Path) -> None:
    source, target = _made(tmp_path)
    planned = requantize.plan(source)
    assert target.stat().st_size == planned.size
    assert read_gguf(target).types["MXFP4"] == len(CHANGED)


def test_the_new_file_is_recognised_as_what_it_is_without_a_conflict(tmp_path: Path) -> None:
    _, target = _made(tmp_path)
    record = detect(resolve_model(str(target)))
    assert (record.algorithm, record.quantized, record.conflicts) == ("MXFP4_MOE", True, ())


@pytest.mark.parametrize("linear", ["F32", "MXFP4"])
def test_a_file_without_a_layer_to_store_anew_is_refused(tmp_path: Path, linear: str) -> None:
    with pytest.raises(CheckpointError, match="no quantized linear layer"):
        requantize.plan(_write(tmp_path / "tiny.gguf", linear))


def test_the_candidate_is_made_once_beside_the_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = _write(tmp_path / "tiny-Q8_0.gguf")
    made = candidate_path(source)
    assert made == tmp_path / CANDIDATE_NAME
    monkeypatch.setattr(requantize, "write", lambda *_: pytest.fail("made twice"))
    assert candidate_path(source) == made
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")) == [
        CANDIDATE_NAME,
        source.name,
    ]


def test_a_candidate_that_could_not_be_finished_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(planned: requantize.Plan, stream: object) -> None:
        raise KeyboardInterrupt

    source = _write(tmp_path / "tiny-Q8_0.gguf")
    monkeypatch.setattr(requantize, "write", cut)
    with pytest.raises(KeyboardInterrupt):
        candidate_path(source)
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")) == [source.name]
