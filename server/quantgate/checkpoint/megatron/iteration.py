"""What a Megatron iteration (`iter_*`) says about itself without its pickles being opened.

Megatron Bridge 0.3.1 writes `run_config.yaml` (training/checkpointing.py, `cfg.to_yaml`): plain YAML in which a dtype, an
enum or a function is a mapping with `_target_`. The names are read as data; nothing is imported or called. The shapes of the
weights stand only in pickles (`.metadata`, `common.pt`), so the precision of the weights cannot be seen from here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import CheckpointError
from .. import model_facts
from ..config_json import read_optional, text_field, whole_field
from ..model_facts import ModelFacts
from ..quantization_record import QuantizationRecord
from ..record.recorded import Evidence, short
from .layout import RUN_CONFIG
from .run_config import read_run_config

MAX_ENTRIES = 200_000
SERVING = (
    "vLLM, SGLang and TensorRT-LLM do not serve a Megatron checkpoint: export it to Hugging Face format (Megatron Bridge, "
    "AutoBridge.export_ckpt), or serve it as it is behind `deployment: generic`, giving the path of this iteration"
)
"""What serves it."""
SOURCE = "Megatron Bridge 0.3.1 models/conversion/auto_bridge.py; Nemotron's step eval/model_eval, default.yaml"
_MODELOPT_STATE = "modelopt_state"
_TOKENIZER = "tokenizer"
_SHAPES = (
    ("num_hidden_layers", "num_layers"),
    ("hidden_size", "hidden_size"),
    ("num_attention_heads", "num_attention_heads"),
    ("num_key_value_heads", "num_query_groups"),
    ("head_dim", "kv_channels"),
    ("max_position_embeddings", "seq_length"),
    ("num_experts", "num_moe_experts"),
    ("kv_lora_rank", "kv_lora_rank"),
    ("qk_rope_head_dim", "qk_pos_emb_head_dim"),
    ("hybrid_override_pattern", "hybrid_override_pattern"),
    ("vocab_size", "vocab_size"),
)
"""Keys of a Hugging Face config, and those of the `model` section that mean the same."""
_LATENT = {"kv_lora_rank", "qk_rope_head_dim"}
_SHOWN = ("hf_model_id", "params_dtype", "bf16", "fp16", "fp8", "fp8_param", "fp4", "restore_modelopt_state")


@dataclass(frozen=True)
class MegatronFacts:
    """One iteration.

    Attributes:
        directory: Where it lies.
        target: The class that makes the model, as written (`_target_`).
        shape: The model section in the words of a Hugging Face config.
        dtype: `params_dtype`, such as `bfloat16`; empty when not recorded.
        shard_bytes: Their size; with the optimizer's state when `with_optimizer` is not False.
        with_optimizer: Whether the optimizer's state was saved with the weights; None when not recorded.
        modelopt: There is a `modelopt_state/`: ModelOpt changed the model (quantization, pruning, speculative decoding).
        tokenizer: The folder with the tokenizer's files, or None.
        evidence: What was read, and where.
        missing: Files that a whole iteration has and this one has not.
        warnings: What an agent must know before it evaluates.
    """

    directory: Path
    target: str = ""
    shape: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = ""
    shard_bytes: int = 0
    with_optimizer: bool | None = None
    modelopt: bool = False
    tokenizer: Path | None = None
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read(directory: Path) -> MegatronFacts:
    """Read an iteration: its YAML and JSON, and the names and sizes of the rest.

    Raises:
        CheckpointError: The directory, `run_config.yaml` or `metadata.json` cannot be read.
    """
    names, files, size = _shards(directory)
    config = read_run_config(directory / RUN_CONFIG) if RUN_CONFIG in names else {}
    model, saved = _section(config, "model"), _section(config, "checkpoint")
    backend = read_optional(directory / "metadata.json") if "metadata.json" in names else None
    with_optimizer = saved.get("save_optim")
    facts = MegatronFacts(
        directory=directory,
        target=text_field(model, "_target_")[:200],
        shape=_shape(model),
        dtype=_dtype(model),
        shard_bytes=size,
        with_optimizer=with_optimizer if isinstance(with_optimizer, bool) else None,
        modelopt=_MODELOPT_STATE in names,
        tokenizer=directory / _TOKENIZER if (directory / _TOKENIZER).is_dir() else None,
        evidence=_evidence(config, model, backend, files, size),
        missing=_missing(names, files),
    )
    return replace(facts, evidence=(*facts.evidence, *_modelopt_evidence(facts)), warnings=_warnings(facts, model))


def record(facts: MegatronFacts) -> QuantizationRecord:
    """What can be said of its quantization: nothing is claimed that the files do not show.

    With a `modelopt_state/` it is reported as changed by ModelOpt in a way that is not known, not as unquantized.
    """
    return QuantizationRecord(
        quantized=facts.modelopt,
        # Not "modelopt": the rules for ModelOpt's exports do not hold for its state in a Megatron checkpoint.
        method="megatron" if facts.modelopt else "",
        known=not facts.modelopt,
        producer="Megatron Bridge" if facts.target.startswith("megatron.bridge.") else "",
        evidence=facts.evidence,
        weights_bytes=facts.shard_bytes,
        missing_shards=tuple(name for name in facts.missing if name.startswith("weights")),
    )


def model_facts_of(facts: MegatronFacts) -> ModelFacts:
    """Its shape in the common form; the chat template is the one of its tokenizer folder.

    Raises:
        CheckpointError: A file of the tokenizer folder is broken.
    """
    shaped = {"model_type": "megatron", "architectures": [facts.target.rpartition(".")[2]], **facts.shape}
    common = model_facts.from_config(shaped, facts.tokenizer or facts.directory)
    missing = [
        *facts.missing,
        *(name for name in common.missing_files if name.startswith(("tokenizer", "chat template"))),
    ]
    return replace(common, dtype=facts.dtype, missing_files=tuple(missing))


def _shards(directory: Path) -> tuple[set[str], int, int]:
    """The names in a directory, and number and size of the weight files."""
    names: set[str] = set()
    files = size = 0
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if len(names) >= MAX_ENTRIES:
                    raise CheckpointError(f"More than {MAX_ENTRIES} files in one iteration", where=str(directory))
                names.add(entry.name)
                if entry.name.endswith(".distcp"):
                    files += 1
                    size += entry.stat().st_size
    except OSError as error:
        raise CheckpointError(f"The directory cannot be read: {error.strerror}", where=str(directory)) from None
    return names, files, size


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = config.get(name)
    return value if isinstance(value, Mapping) else {}


def _shape(model: Mapping[str, Any]) -> dict[str, Any]:
    shape: dict[str, Any] = {}
    for ours, theirs in _SHAPES:
        if ours in _LATENT and model.get("multi_latent_attention") is not True:
            continue  # Providers carry these fields with defaults that only latent attention uses.
        value: object = model.get(theirs)
        if isinstance(value, str):
            shape[ours] = value[:10_000]
        elif whole := whole_field(model, theirs):
            shape[ours] = whole
    return shape


def _dtype(model: Mapping[str, Any]) -> str:
    dtype = model.get("params_dtype")
    named = text_field(dtype, "_target_") if isinstance(dtype, Mapping) else dtype
    if isinstance(named, str) and named:
        return named.rpartition(".")[2][:40]
    return "bfloat16" if model.get("bf16") is True else "float16" if model.get("fp16") is True else ""


def _evidence(
    config: Mapping[str, Any], model: Mapping[str, Any], backend: Mapping[str, Any] | None, files: int, size: int
) -> tuple[Evidence, ...]:
    rows = []
    if target := text_field(model, "_target_"):
        rows.append(Evidence(RUN_CONFIG, "model._target_", target[:200]))
    for key in _SHOWN:
        value = model.get(key)
        if isinstance(value, Mapping):
            value = text_field(value, "_target_")
        if isinstance(value, (str, int)) and value not in {"", False}:
            rows.append(Evidence(RUN_CONFIG, f"model.{key}", short(value)))
    for section, key in (("mixed_precision", ""), ("checkpoint", "save_optim"), ("peft", "_target_")):
        value = config.get(section)
        if key and isinstance(value, Mapping):
            value = value.get(key)
        if isinstance(value, (str, bool)):
            rows.append(Evidence(RUN_CONFIG, f"{section}.{key}".rstrip("."), short(value)))
    if backend is not None:
        rows.append(Evidence("metadata.json", "sharded_backend", short(backend.get("sharded_backend"))))
    rows.append(Evidence("*.distcp", "files", f"{files} files, {size} bytes"))
    return tuple(rows)


def _modelopt_evidence(facts: MegatronFacts) -> tuple[Evidence, ...]:
    if not facts.modelopt:
        return ()
    return (Evidence(f"{_MODELOPT_STATE}/", "present", "changed by ModelOpt; its state is a pickle and was not read"),)


def _missing(names: set[str], files: int) -> tuple[str, ...]:
    found = []
    if not files and not any(n.startswith("mp_rank_") for n in names):
        found.append("weights (*.distcp)")
    if files and ".metadata" not in names:
        found.append(".metadata (without it the shards cannot be loaded: the save may not have ended)")
    if RUN_CONFIG not in names:
        found.append(f"{RUN_CONFIG} (Megatron Bridge writes it; Megatron-LM keeps its arguments in a pickle)")
    return tuple(found)


def _warnings(facts: MegatronFacts, model: Mapping[str, Any]) -> tuple[str, ...]:
    found = [SERVING]
    if facts.modelopt:
        found.append(
            f"{_MODELOPT_STATE}/ shows that ModelOpt quantized, pruned or otherwise changed this model; its state is a pickle "
            "and was not read, so the precision is not known from here: ask the user, or read the exported checkpoint"
        )
    else:
        found.append(
            "the stored precision is not confirmed: the shapes and dtypes of the weights stand in pickles, which are not read"
        )
    if model.get("fp8") or model.get("fp4"):
        found.append(
            "it was trained with FP8 or FP4 arithmetic (fp8, fp4 of the model); that says nothing of how it is stored"
        )
    if facts.shard_bytes and facts.with_optimizer is not False:
        found.append(
            "the size of the shards may include the optimizer's state: it is an upper bound of the weights' size"
        )
    if facts.shape.get("max_position_embeddings"):
        found.append("the context is the sequence length that it was trained with (seq_length)")
    return tuple(found)
