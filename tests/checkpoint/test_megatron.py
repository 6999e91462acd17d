"""Megatron iterations. The directories are laid out as Megatron Bridge 0.3.1 writes them (training/checkpointing.py); the YAML is
made by PyYAML's safe dumper from mappings with the field names of its providers, as its own `to_yaml` does."""

from __future__ import annotations

import contextlib
import json
import pickle
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantgate.checkpoint.inspection import inspect_model
from quantgate.checkpoint.megatron import iteration as megatron
from quantgate.checkpoint.megatron.run_config import read_run_config
from quantgate.errors import CheckpointError

MODEL: dict[str, Any] = {
    "_target_": "megatron.bridge.models.llama.llama_provider.Llama31ModelProvider8B",
    "num_layers": 32,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_query_groups": 8,
    "kv_channels": None,
    "seq_length": 8192,
    "num_moe_experts": None,
    "bf16": True,
    "fp16": False,
    "fp8": None,
    "params_dtype": {"_target_": "torch.bfloat16", "_call_": False},
    "activation_func": {"_target_": "torch.nn.functional.silu", "_call_": False},
    "init_method": {"_target_": "torch.nn.init.normal_", "_partial_": True, "_args_": [], "std": 0.02},
    "multi_latent_attention": False,
    "kv_lora_rank": 512,
    "vocab_size": 128256,
    "hf_model_id": "meta-llama/Llama-3.1-8B",
    "restore_modelopt_state": False,
}


class Trap:
    """Unpickling it leaves a file: proof that nobody did."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def iteration(parent: Path, save_optim: bool = True, **model: Any) -> Path:
    directory = parent / "iter_0000100"
    directory.mkdir(parents=True)
    trap = pickle.dumps(Trap(parent / "unpickled"))
    for name in (".metadata", "common.pt", "train_state.pt"):
        (directory / name).write_bytes(trap)
    for rank in range(2):
        (directory / f"__{rank}_0.distcp").write_bytes(trap + b"\0" * 1000)
    written = {
        "sharded_backend": "torch_dist",
        "sharded_backend_version": 1,
        "common_backend": "torch",
        "common_backend_version": 1,
    }
    (directory / "metadata.json").write_text(json.dumps(written))
    config = {
        "_target_": "megatron.bridge.training.config.ConfigContainer",
        "model": MODEL | model,
        "checkpoint": {"save_optim": save_optim, "ckpt_format": "torch_dist", "save": "/results/ckpt"},
        "mixed_precision": "bf16_mixed",
        "tokenizer": {"tokenizer_type": "HuggingFaceTokenizer", "tokenizer_model": "meta-llama/Llama-3.1-8B"},
    }
    (directory / "run_config.yaml").write_text(yaml.safe_dump(config, default_flow_style=False))
    tokenizer = directory / "tokenizer"
    tokenizer.mkdir()
    (tokenizer / "tokenizer.json").write_text("{}")
    (tokenizer / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }} <think>"}))
    return directory


def test_an_iteration_is_read_from_its_run_config(tmp_path: Path) -> None:
    found = inspect_model(str(iteration(tmp_path)))
    facts = found.facts
    assert found.source.kind == "checkpoint"
    assert (facts.architecture, facts.model_type, facts.dtype) == ("Llama31ModelProvider8B", "megatron", "bfloat16")
    assert (facts.layers, facts.heads, facts.kv_heads, facts.head_dim) == (32, 32, 8, 128)
    assert (facts.max_position_embeddings, facts.experts, facts.mla_width) == (8192, 0, 0)
    assert (facts.template_file, facts.reasoning) == ("tokenizer_config.json", True)
    assert facts.missing_files == ()


def test_no_pickle_is_opened(tmp_path: Path) -> None:
    inspect_model(str(iteration(tmp_path)))
    assert not (tmp_path / "unpickled").exists()


def test_nothing_is_claimed_of_the_precision(tmp_path: Path) -> None:
    found = inspect_model(str(iteration(tmp_path)))
    assert (found.record.quantized, found.record.method, found.record.algorithm) == (False, "", "")
    assert found.record.producer == "Megatron Bridge"
    rows = {(e.file, e.field): e.value for e in found.record.evidence}
    assert rows["run_config.yaml", "model.hf_model_id"] == '"meta-llama/Llama-3.1-8B"'
    assert rows["run_config.yaml", "model.params_dtype"] == '"torch.bfloat16"'
    assert rows["run_config.yaml", "mixed_precision"] == '"bf16_mixed"'
    assert rows["metadata.json", "sharded_backend"] == '"torch_dist"'
    warnings = " ".join(found.warnings)
    assert "the stored precision is not confirmed" in warnings
    assert "vLLM, SGLang and TensorRT-LLM do not serve a Megatron checkpoint" in warnings
    assert "deployment: generic" in warnings


def test_a_state_of_modelopt_is_not_called_unquantized(tmp_path: Path) -> None:
    directory = iteration(tmp_path, restore_modelopt_state=True)
    (directory / "modelopt_state").mkdir()
    (directory / "modelopt_state" / "common.pt").write_bytes(pickle.dumps(Trap(tmp_path / "unpickled")))
    found = inspect_model(str(directory))
    assert (found.record.quantized, found.record.known, found.record.method) == (True, False, "megatron")
    assert found.record.algorithm == ""
    assert any("the precision is not known from here" in w for w in found.warnings)
    assert any(e.file == "modelopt_state/" for e in found.record.evidence)
    assert not (tmp_path / "unpickled").exists()


def test_training_in_fp8_is_not_taken_for_storage_in_fp8(tmp_path: Path) -> None:
    found = inspect_model(str(iteration(tmp_path, fp8="hybrid")))
    assert not found.record.quantized
    assert any("trained with FP8 or FP4 arithmetic" in w for w in found.warnings)


def test_experts_latent_attention_and_hybrid_layers_are_read(tmp_path: Path) -> None:
    more = {"num_moe_experts": 64, "multi_latent_attention": True, "kv_lora_rank": 512, "qk_pos_emb_head_dim": 64}
    facts = inspect_model(str(iteration(tmp_path, **more, hybrid_override_pattern="M*M-"))).facts
    assert (facts.experts, facts.mla_width, facts.attention_layers) == (64, 576, 1)


@pytest.mark.parametrize(("save_optim", "said"), [(True, True), (False, False)])
def test_the_optimizers_share_of_the_size_is_said(tmp_path: Path, save_optim: bool, said: bool) -> None:
    directory = iteration(tmp_path, save_optim)
    found = inspect_model(str(directory))
    assert found.record.weights_bytes == sum(p.stat().st_size for p in directory.glob("*.distcp"))
    assert any("optimizer" in w for w in found.warnings) is said


@pytest.mark.parametrize(
    ("gone", "missing"),
    [("__*", "weights"), (".metadata", ".metadata"), ("run_config.yaml", "run_config"), ("tokenizer/*", "tok")],
)
def test_what_a_whole_iteration_has_is_missed(tmp_path: Path, gone: str, missing: str) -> None:
    directory = iteration(tmp_path)
    for path in list(directory.glob(gone)):
        path.unlink()
    assert any(name.startswith(missing) for name in inspect_model(str(directory)).facts.missing_files)


def test_an_empty_iteration_is_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "iter_0000001").mkdir()
    facts = megatron.read(tmp_path / "iter_0000001")
    assert facts.shape == {}
    assert len(facts.missing) == 2


def _yaml(directory: Path, text: str) -> Path:
    path = directory / "run_config.yaml"
    path.write_text(text)
    return path


def test_tags_and_targets_stay_data(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    text = (
        f"model: !!python/object/apply:os.system ['touch {mark}']\n"
        f"other: {{_target_: os.system, _args_: ['touch {mark}']}}\n"
        f"count: !!python/name:os.system ''\nnumber: !!int '3'\nquoted: '3'\nplain: 3\non: true\nnone: ~\n"
    )
    read = read_run_config(_yaml(tmp_path, text))
    assert not mark.exists()
    assert read["model"] == [f"touch {mark}"]
    assert read["other"]["_target_"] == "os.system"
    assert (read["number"], read["quoted"], read["plain"], read["on"], read["none"]) == ("3", "3", 3, True, None)


def test_a_bomb_of_aliases_stays_small(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]
    began = time.monotonic()
    read = read_run_config(_yaml(tmp_path, "\n".join(lines) + "\nmodel: *a39\n"))
    assert time.monotonic() - began < 2
    assert read["model"] is read["a39"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000, "nested deeper than 64 levels"),
        ("a: " * 3, "not valid YAML"),
        ("- 1\n- 2\n", "does not hold a mapping"),
        ("", "does not hold a mapping"),
        ("{" + "a: 1, " * 60_000 + "}", "more than 100000 values"),
        ("x" * 3_000_000, "at most 2097152"),
        ("a: *nobody", "has an alias of nothing"),
        ("a: \x01", "not valid YAML"),
        ("&a [*a]", "does not hold a mapping"),
    ],
)
def test_a_hostile_run_config_is_a_clear_error(tmp_path: Path, text: str, says: str) -> None:
    began = time.monotonic()
    with pytest.raises(CheckpointError, match=says):
        read_run_config(_yaml(tmp_path, text))
    assert time.monotonic() - began < 5


def test_values_of_the_wrong_kind_are_passed_over(tmp_path: Path) -> None:
    wrong: dict[str, Any] = {key: ["x", {"y": 1}] for key in MODEL}
    found = inspect_model(str(iteration(tmp_path, **wrong)))
    assert (found.facts.layers, found.facts.dtype, found.facts.architecture) == (0, "", "")


@given(text=st.text(alphabet="ab:-[]{}&*!|>'\"#%@ \n\t?,0", max_size=200))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    with contextlib.suppress(CheckpointError):
        assert isinstance(read_run_config(_yaml(tmp_path, text)), dict)
