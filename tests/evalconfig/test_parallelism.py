"""Sizes follow from the checkpoint and the GPUs, stand where the config keeps them, and agree with what depends on them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quantgate.errors import BadInput, UnknownName
from quantgate.evalconfig import capacity, serving_sizes
from quantgate.evalconfig.block_text import replace_text
from quantgate.evalconfig.document import ConfigDocument
from quantgate.evalconfig.layout import apply_layout
from quantgate.evalconfig.parallelism import size_to_gpus

from .made import PROCESS, SLURM, write

COMMAND = """\
  command: >-
    vllm serve /checkpoint
    --port ${deployment.port}
    --tensor-parallel-size 4
    --max-num-seqs 7
"""
GIB = 1024**3


def _checkpoint(directory: Path, heads: int = 8, kv_heads: int = 8, size: int = 100 * GIB) -> Path:
    """A checkpoint whose weights are `size` bytes of a file with a real header and nothing behind it (it is sparse)."""
    checkpoint = directory / "model"
    checkpoint.mkdir()
    shape = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_hidden_layers": 2,
        "hidden_size": 8 * heads,
        "head_dim": 8,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 16,
        "torch_dtype": "bfloat16",
    }
    (checkpoint / "config.json").write_text(json.dumps(shape))
    header = json.dumps({"w": {"dtype": "BF16", "shape": [size // 2], "data_offsets": [0, size]}}).encode()
    with (checkpoint / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    return checkpoint


def _config(directory: Path, checkpoint: Path | None = None, command: str = "", text: str = SLURM) -> ConfigDocument:
    if checkpoint is not None:
        text = text.replace("/shared/models/m-NVFP4", str(checkpoint))
    return ConfigDocument.load(write(directory, text.replace("  image:", command + "  image:")))


def test_a_model_that_fits_one_gpu_gets_replicas(tmp_path: Path) -> None:
    notes: list[str] = []
    sized = size_to_gpus(_config(tmp_path, _checkpoint(tmp_path, size=GIB)), 8, 80, "H100", notes)
    assert serving_sizes.read(sized) == serving_sizes.Sizes(1, 1, 8)
    assert sized.plain["deployment"]["extra_args"] == "--max-num-seqs 2"
    assert any("DP = floor(8/1) = 8" in note for note in notes)
    assert "--max-num-seqs = ceil(parallelism 16 / (DP 8 x 1 instance)) = 2" in notes


def test_tp_grows_until_the_weights_fit_and_never_beyond_the_node(tmp_path: Path) -> None:
    document = _config(tmp_path, _checkpoint(tmp_path))
    wanted = {141: 1, 80: 2, 40: 4, 20: 8}
    for memory, tensor in wanted.items():
        assert serving_sizes.read(size_to_gpus(document, 8, memory, "", [])).tensor == tensor
    notes: list[str] = []
    assert size_to_gpus(document, 8, 10, "", notes).text == document.text
    assert any("does not fit on 8 GPUs" in note for note in notes)
    assert any('layout="ray:2"' in note for note in notes)


def test_tp_divides_the_heads(tmp_path: Path) -> None:
    document = _config(tmp_path, _checkpoint(tmp_path, heads=6, kv_heads=6))
    sized = size_to_gpus(document, 8, 80, "", [])
    assert serving_sizes.read(sized) == serving_sizes.Sizes(2, 1, 4)


def test_ray_takes_whole_nodes_when_one_is_too_small(tmp_path: Path) -> None:
    notes: list[str] = []
    document = apply_layout(_config(tmp_path, _checkpoint(tmp_path)), "ray:2", notes)
    sized = size_to_gpus(document, 8, 10, "", notes)
    assert serving_sizes.read(sized) == serving_sizes.Sizes(8, 2, 1)
    assert any("PP = 2 nodes x 8 GPUs / TP 8 = 2; DP = floor(16/(8 x 2)) = 1" in note for note in notes)
    assert sum(note.startswith("--max-num-seqs") for note in notes) == 1


def test_where_the_heads_allow_less_tp_the_pipeline_takes_the_other_gpus(tmp_path: Path) -> None:
    document = apply_layout(_config(tmp_path, _checkpoint(tmp_path, heads=4, kv_heads=4)), "ray:2")
    assert serving_sizes.read(size_to_gpus(document, 8, 10, "", [])) == serving_sizes.Sizes(4, 4, 1)


def test_ray_for_a_model_that_one_node_holds_is_spoken_of(tmp_path: Path) -> None:
    notes: list[str] = []
    document = apply_layout(_config(tmp_path, _checkpoint(tmp_path, size=GIB)), "ray:2")
    size_to_gpus(document, 8, 80, "", notes)
    assert any("one node is enough" in note and "haproxy:2" in note for note in notes)


def test_ray_sizes_without_the_checkpoint_are_the_nodes_and_their_gpus(tmp_path: Path) -> None:
    document = apply_layout(_config(tmp_path), "ray:4")
    assert serving_sizes.read(size_to_gpus(document, 4, 0, "", [])) == serving_sizes.Sizes(4, 4, 1)


def test_sizes_are_written_into_the_users_command_and_its_lines_stay(tmp_path: Path) -> None:
    notes: list[str] = []
    document = _config(tmp_path, _checkpoint(tmp_path, size=GIB), COMMAND)
    sized = size_to_gpus(document, 8, 80, "", notes)
    wanted = COMMAND.replace("size 4", "size 1").replace("seqs 7", "seqs 2\n    --data-parallel-size 8")
    assert sorted(sized.text.splitlines()) == sorted(document.text.replace(COMMAND, wanted).splitlines())
    assert "tensor_parallel_size" not in sized.text
    assert any("had TP 4, PP 1, DP 1; it now has TP 1, PP 1, DP 8" in note for note in notes)
    assert any("(was 7)" in note for note in notes)


def test_a_script_of_the_users_is_left_as_it_is(tmp_path: Path) -> None:
    notes: list[str] = []
    document = _config(tmp_path, _checkpoint(tmp_path), "  command: bash serve.sh --tensor-parallel-size 4\n")
    assert size_to_gpus(document, 8, 80, "", notes).text == document.text
    assert any("left as they are" in note or "left as they were" in note for note in notes)


def test_gres_asks_for_the_gpus_of_one_node(tmp_path: Path) -> None:
    notes: list[str] = []
    typed = SLURM.replace("  account:", "  gres: gpu:a100:8\n  account:")
    for text, wanted in ((SLURM, "gpu:4"), (typed, "gpu:a100:4")):
        document = apply_layout(_config(tmp_path, text=text), "haproxy:3")
        assert size_to_gpus(document, 4, 0, "", notes).plain["execution"]["gres"] == wanted
    assert "gres" not in size_to_gpus(_config(tmp_path), 8, 0, "", notes).text


def test_trtllm_has_tp_and_no_dp(tmp_path: Path) -> None:
    notes: list[str] = []
    text = SLURM.replace("deployment: vllm", "deployment: trtllm")
    sized = size_to_gpus(_config(tmp_path, _checkpoint(tmp_path, size=GIB), text=text), 8, 80, "", notes)
    assert sized.plain["deployment"]["tensor_parallel_size"] == 1
    assert "data_parallel_size" not in sized.text
    assert "max-num-seqs" not in sized.text
    assert any("7 GPUs stay idle" in note for note in notes)


def test_sglang_has_sizes_and_no_flag_of_vllm(tmp_path: Path) -> None:
    text = SLURM.replace("deployment: vllm", "deployment: sglang")
    sized = size_to_gpus(_config(tmp_path, _checkpoint(tmp_path, size=GIB), text=text), 8, 80, "", [])
    assert serving_sizes.read(sized) == serving_sizes.Sizes(1, 1, 8)
    assert "max-num-seqs" not in sized.text


def test_numbers_and_gpus_that_cannot_be_are_refused(tmp_path: Path) -> None:
    document = _config(tmp_path)
    for gpus, memory in ((-1, 80), (5000, 80), (8, -1), (8, 1e9), (8, float("nan"))):
        with pytest.raises(BadInput, match="out of range"):
            size_to_gpus(document, gpus, memory, "", [])
    with pytest.raises(UnknownName, match="GPU"):
        size_to_gpus(document, 8, 80, "Z9000", [])


def test_parallelism_is_lowered_to_the_requests_there_are(tmp_path: Path) -> None:
    text = SLURM.replace("parallelism: 16", "parallelism: 90000")
    notes: list[str] = []
    settled = capacity.settle(_config(tmp_path, text=text), notes)
    assert capacity.largest_parallelism(settled) == 12032
    assert serving_sizes.get_flag(settled, "--max-num-seqs") == "12032"
    repeated = text + "      nemo_evaluator_config: {config: {params: {extra: {num_repeats: 3}}}}\n"
    assert capacity.largest_parallelism(capacity.settle(_config(tmp_path, text=repeated), notes)) == 36096


def test_repeats_that_only_the_catalogue_has_count_as_requests(tmp_path: Path) -> None:
    text = SLURM.replace("parallelism: 16", "parallelism: 256").replace(
        "nemo_skills.ns_mmlu_pro", "simple_evals.AIME_2025_aa_v2"
    )
    assert capacity.largest_parallelism(capacity.settle(_config(tmp_path, text=text), [])) == 256


def test_a_shared_parallelism_stays_where_one_task_is_of_unknown_size(tmp_path: Path) -> None:
    text = SLURM.replace("parallelism: 16", "parallelism: 20000") + "    - name: simple_evals.humaneval\n"
    assert capacity.largest_parallelism(capacity.settle(_config(tmp_path, text=text), [])) == 20000


def test_the_largest_parallelism_of_all_tasks_counts(tmp_path: Path) -> None:
    own = "    - name: nemo_skills.ns_gpqa\n      nemo_evaluator_config: {config: {params: {parallelism: 50}}}\n"
    settled = capacity.settle(_config(tmp_path, text=SLURM + own), [])
    assert serving_sizes.get_flag(settled, "--max-num-seqs") == "50"


def test_an_endpoint_of_somebody_else_gets_no_flag(tmp_path: Path) -> None:
    document = _config(tmp_path, text=PROCESS)
    assert capacity.settle(document, []).text == document.text
    assert size_to_gpus(document, 8, 80, "H100", []).text == document.text


def test_a_plain_text_on_several_lines_keeps_its_lines_too(tmp_path: Path) -> None:
    command = "  command: vllm serve /checkpoint\n    --port 8000\n    --max-num-seqs 4\n"
    document = _config(tmp_path, command=command)
    edited = serving_sizes.set_flag(document, "--max-num-seqs", "16")
    assert edited.text == document.text.replace("seqs 4", "seqs 16")
    added = serving_sizes.set_flag(document, "--trust-remote-code", "")
    assert added.text == document.text.replace("seqs 4\n", "seqs 4\n    --trust-remote-code\n")


def test_other_styles_of_text_are_edited_by_value(tmp_path: Path) -> None:
    for style in (
        '"vllm serve /c --port 1"',
        "'vllm serve /c --port 1'",
        "vllm serve /c --port 1",
        "|\n    vllm serve /c --port 1",
    ):
        document = _config(tmp_path, command=f"  command: {style}\n")
        edited = serving_sizes.set_flag(document, "--port", "2")
        assert edited.plain["deployment"]["command"].rstrip() == "vllm serve /c --port 2"


def test_every_edit_of_a_text_on_several_lines_gives_exactly_that_text(tmp_path: Path) -> None:
    document = _config(tmp_path, command=COMMAND)
    old = document.plain["deployment"]["command"]
    words = old.split()
    for at in range(len(words)):
        for new in (
            words[:at] + words[at + 1 :],
            [*words[:at], "--new", "1", *words[at:]],
            [*words[:at], "x", *words[at + 1 :]],
        ):
            text = " ".join(new)
            assert replace_text(document, "deployment.command", text).plain["deployment"]["command"] == text
