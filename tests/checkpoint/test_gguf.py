"""GGUF headers, on files written by the reference package."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest

from quantgate.checkpoint.headers.gguf import read_gguf
from quantgate.checkpoint.identity import identify
from quantgate.checkpoint.model_facts import from_gguf
from quantgate.checkpoint.quantization import detect
from quantgate.checkpoint.source import resolve_model
from quantgate.errors import CheckpointError

VOCABULARY = 5000


def write(path: Path, file_type: int | None = 15, main: str = "Q4_K", seed: int = 0) -> Path:
    writer = gguf.GGUFWriter(str(path), "gemma3")
    writer.add_name("tiny")
    writer.add_context_length(32768)
    writer.add_block_count(2)
    writer.add_embedding_length(256)
    writer.add_head_count(4)
    writer.add_head_count_kv([1, 1])
    writer.add_key_length(64)
    writer.add_chat_template("{% if tools %}{{ tools }}{% endif %}<think>")
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"token{n}" for n in range(VOCABULARY)])
    writer.add_token_scores([0.0] * VOCABULARY)
    if file_type is not None:
        writer.add_file_type(file_type)
    values = np.random.default_rng(seed).standard_normal((8, 256)).astype(np.float32)
    kind = gguf.GGMLQuantizationType[main]
    block, size = gguf.GGML_QUANT_SIZES[kind]
    raw = np.resize(values.view(np.uint8), (8, 256 // block * size)).copy()
    writer.add_tensor("blk.0.attn_q.weight", raw, raw_dtype=kind)
    writer.add_tensor("output_norm.weight", values[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_header_says_architecture_context_type_and_size(tmp_path: Path) -> None:
    source = resolve_model(str(write(tmp_path / "tiny.gguf")))
    record = detect(source)
    assert (record.method, record.algorithm, record.quantized) == ("gguf", "Q4_K_M", True)
    assert dict(record.layers) == {"Q4_K": 1, "F32": 1}
    assert record.parameters == 8 * 256 + 256
    assert record.kv_cache_algorithm == ""
    assert record.conflicts == ()
    assert record.gguf is not None
    facts = from_gguf(record.gguf)
    assert (facts.architecture, facts.max_position_embeddings, facts.layers) == ("gemma3", 32768, 2)
    assert (facts.heads, facts.kv_heads, facts.head_dim) == (4, 1, 64)
    assert (facts.reasoning, facts.tool_calling, facts.missing_files) == (True, True, ())


def test_the_header_agrees_with_the_reference_reader(tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.gguf")
    ours, theirs = read_gguf(path), gguf.GGUFReader(path)
    assert [(t.name, t.type, t.bytes) for t in ours.tensors] == [
        (t.name, t.tensor_type.name, t.n_bytes) for t in theirs.tensors
    ]
    assert ours.data_start == theirs.data_offset
    assert set(ours.metadata) == {key for key in theirs.fields if not key.startswith("GGUF.")}


def test_the_tables_agree_with_the_reference_package() -> None:
    from quantgate.checkpoint.tables import gguf_types

    table = gguf_types()
    for kind, (block, size) in gguf.GGML_QUANT_SIZES.items():
        assert table.tensor_types[kind.value] == (kind.name, block, size)
    for kind in gguf.LlamaFileType:
        if kind.name != "GUESSED":
            assert table.file_types[kind.value][0] == kind.name.removeprefix("MOSTLY_").removeprefix("ALL_")


def test_a_vocabulary_is_walked_over_not_kept(tmp_path: Path) -> None:
    header = read_gguf(write(tmp_path / "tiny.gguf"))
    assert header.metadata["tokenizer.ggml.tokens"] is None
    assert header.metadata["tokenizer.ggml.scores"] is None


def test_a_directory_with_one_gguf_is_that_file(tmp_path: Path) -> None:
    write(tmp_path / "tiny.gguf")
    (tmp_path / "mmproj-tiny.gguf").write_bytes(b"")
    assert resolve_model(str(tmp_path)).gguf == tmp_path / "tiny.gguf"
    write(tmp_path / "other.gguf")
    with pytest.raises(CheckpointError, match="holds 2 GGUF models"):
        resolve_model(str(tmp_path))


def test_without_a_file_type_the_heaviest_tensor_type_is_named(tmp_path: Path) -> None:
    record = detect(resolve_model(str(write(tmp_path / "x.gguf", file_type=None, main="Q6_K"))))
    assert record.algorithm == "Q6_K"
    assert all(e.field != "general.file_type" for e in record.evidence)


def test_an_unquantized_gguf_is_not_called_quantized(tmp_path: Path) -> None:
    record = detect(resolve_model(str(write(tmp_path / "x.gguf", file_type=1, main="F16"))))
    assert (record.quantized, record.algorithm) == (False, "")


def test_a_name_or_a_file_type_that_the_tensors_deny_is_a_conflict(tmp_path: Path) -> None:
    named = detect(resolve_model(str(write(tmp_path / "tiny-Q8_0.gguf"))))
    assert any("claims Q8_0" in c.text for c in named.conflicts)
    typed = detect(resolve_model(str(write(tmp_path / "tiny.gguf", file_type=7))))
    assert any("no tensor is Q8_0" in c.text for c in typed.conflicts)


def test_a_missing_part_of_a_split_model_is_named(tmp_path: Path) -> None:
    write(tmp_path / "big-00001-of-00002.gguf")
    record = detect(resolve_model(str(tmp_path)))
    assert record.missing_shards == ("big-00002-of-00002.gguf",)
    write(tmp_path / "big-00002-of-00002.gguf")
    assert detect(resolve_model(str(tmp_path))).parameters == 2 * record.parameters


START = b"GGUF" + struct.pack("<I", 3)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"GGML" + bytes(30), "not a GGUF file"),
        (b"GGUF" + struct.pack("<I", 1) + bytes(30), "version 1"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(30), "big-endian"),
        (START + struct.pack("<QQ", 2**63, 0), "impossible"),
        (START + struct.pack("<QQ", 0, 2**40), "impossible"),
        (START + struct.pack("<QQ", 0, 1) + struct.pack("<Q", 2**63), "string of 9223372036854775808 bytes"),
        (START + struct.pack("<QQ", 1000, 0), "cut short"),
        (START + struct.pack("<QQQ", 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 4, 2**61), "cut short"),
        (START + struct.pack("<QQQ", 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 8, 2**60), "cut short"),
        (
            START + struct.pack("<QQQ", 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 9, 1) * 1 + b"\x09\0\0\0" * 40,
            "GGUF|nests",
        ),
        (START + struct.pack("<QQQ", 0, 1, 1) + b"k" + struct.pack("<I", 77), "unknown type 77"),
    ],
)
def test_a_hostile_header_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=says) as caught:
        read_gguf(path)
    assert "bad.gguf" in str(caught.value)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.gguf")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(CheckpointError, match="cut short"):
        read_gguf(path)


def test_the_identity_follows_the_weights_not_the_name(tmp_path: Path) -> None:
    one, again, other = (write(tmp_path / n, seed=s) for n, s in (("a.gguf", 0), ("b.gguf", 0), ("c.gguf", 1)))
    assert identify(one) == identify(again)
    assert identify(one) != identify(other)
