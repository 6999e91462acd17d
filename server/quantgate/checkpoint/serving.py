"""What serving a model needs: flags with the reason for each, and what must not be set."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import UnknownName
from . import tables
from .model_facts import ModelFacts
from .quantization import QuantizationRecord

_SPACING = str.maketrans("", "", " -_")


@dataclass(frozen=True)
class Flag:
    """A serving flag, its value (empty for a switch), and the reason with the file it comes from."""

    flag: str
    value: str
    because: str


@dataclass(frozen=True)
class Advice:
    """How a framework serves a format.

    Attributes:
        supported: None when no source says.
        served_by: Frameworks that a source says serve it.
    """

    supported: bool | None
    reason: str
    flags: tuple[str, ...] = ()
    env_vars: Mapping[str, str] = field(default_factory=dict)
    served_by: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def find_gpu(name: str) -> tables.Gpu | None:
    """A GPU by its name (`H100`, `hopper`) or compute capability (`sm_90`, `9.0`); None for an empty name.

    Raises:
        UnknownName: The table has no such GPU.
    """
    if not name.strip():
        return None
    wanted = name.lower().translate(_SPACING).removeprefix("nvidia")
    digits = wanted.removeprefix("sm").replace(".", "").removesuffix("a")
    gpus = tables.serving().gpus
    for gpu in gpus:
        if wanted in gpu.names or digits == str(gpu.sm):
            return gpu
    near = difflib.get_close_matches(wanted, [n for gpu in gpus for n in gpu.names], 3)
    raise UnknownName("GPU architecture", name, near, fix="" if near else "give a name such as H100, B200 or sm_90")


def check_framework(name: str) -> str:
    """A framework's name as in methods.yaml.

    Raises:
        UnknownName: No such framework.
    """
    wanted = name.lower().translate(_SPACING).replace(".", "")
    wanted = {"tensorrtllm": "trtllm", "vllmray": "vllm"}.get(wanted, wanted)
    known = sorted(tables.methods().frameworks)
    if wanted in known:
        return wanted
    raise UnknownName(
        "serving framework", name, difflib.get_close_matches(wanted, known, 2), fix="one of " + ", ".join(known)
    )


def advise(record: QuantizationRecord, framework: str, gpu: tables.Gpu | None) -> Advice:
    """How a framework serves a quantized model, and on a GPU what it makes of it.

    Args:
        record: From `quantization.detect`.
        framework: From `check_framework`.
        gpu: From `find_gpu`, or None when it is not known.
    """
    table = tables.methods()
    name = table.frameworks[framework]
    if not record.quantized:
        return Advice(
            True if framework in {"vllm", "sglang"} else None, "not quantized: no quantization flag is needed"
        )
    row = (table.modelopt if record.method == "modelopt" else table.foreign).get(
        record.algorithm if record.method == "modelopt" else record.method
    )
    served_by = tuple(table.frameworks[f] for f, s in row.serving.items() if s.supported) if row else ()
    if record.method == "modelopt" and not record.algorithm:
        support = tables.Support(supported=True, reason="only the KV cache is quantized")
    else:
        support = row.serving.get(framework, tables.Support()) if row else tables.Support()
    what = record.algorithm if record.method in {"modelopt", "gguf", ""} else f"{record.method} ({record.algorithm})"
    reason = f"{what} on {name}: {support.reason or 'no source says; verify before a run'}"
    flags = list(support.flags)
    if framework == "vllm" and record.method == "modelopt" and support.supported is not False:
        reason += "; do not pass --quantization, vLLM selects ModelOpt's backend itself"
    flags += _kv_flags(record, framework)
    warnings = list(_gpu_warnings(record, gpu, what))
    return Advice(support.supported, reason, tuple(flags), {}, served_by, tuple(warnings))


def _kv_flags(record: QuantizationRecord, framework: str) -> list[str]:
    kind = record.kv_cache_algorithm
    if kind != "FP8":
        return []
    return {"vllm": ["--kv-cache-dtype fp8"], "sglang": ["--kv-cache-dtype fp8_e4m3"]}.get(framework, [])


def _gpu_warnings(record: QuantizationRecord, gpu: tables.Gpu | None, what: str) -> list[str]:
    if gpu is None:
        return []
    found = []
    formats = set(record.layers) | {record.algorithm}
    four = any("NVFP4" in f for f in formats)
    if four and not gpu.fp4 and record.activation_bits in {0, 4}:
        found.append(
            f"sm_{gpu.sm} has no FP4 units: {what} is served weight-only (W4A16), so the quantization of activations "
            "is not measured; take a Blackwell GPU or report it as W4A16"
        )
    if any(f.startswith(("FP8", "MXFP8")) for f in formats) and not gpu.fp8:
        found.append(f"sm_{gpu.sm} has no FP8 units: FP8 weights are served weight-only or not at all")
    if four:
        found.extend(gpu.notes)
    return found


def serving_flags(facts: ModelFacts, record: QuantizationRecord) -> list[Flag]:
    """Flags for `vllm serve` (for llama.cpp's server where the model is a GGUF file), each with its reason."""
    if record.gguf is not None:
        length = facts.max_position_embeddings
        because = f"{facts.architecture}.context_length in {record.gguf.path.name}"
        return [Flag("--ctx-size", str(length), because)] if length else []
    flags = []
    if facts.max_position_embeddings:
        flags.append(Flag("--max-model-len", str(facts.max_position_embeddings), _context_reason(facts)))
    if facts.needs_trust_remote_code:
        flags.append(
            Flag("--trust-remote-code", "", "auto_map in config.json: the model has its own code; review it first")
        )
    if record.kv_cache_algorithm == "FP8":
        flags.append(Flag("--kv-cache-dtype", "fp8", "an FP8 KV cache is recorded with the quantization"))
    if facts.moe:
        flags.append(
            Flag(
                "--enable-expert-parallel", "", f"{facts.experts} experts in config.json; of use with more than one GPU"
            )
        )
    return flags + _parsers(facts)


def _context_reason(facts: ModelFacts) -> str:
    reason = "max_position_embeddings in config.json"
    factor = facts.rope_scaling.get("factor")
    if isinstance(factor, (int, float)) and factor > 1:
        kind = facts.rope_scaling.get("rope_type") or facts.rope_scaling.get("type")
        reason += (
            f"; rope scaling {str(kind)[:20]} with factor {factor}: see the model card for the length it was made for"
        )
    return reason


def _parsers(facts: ModelFacts) -> list[Flag]:
    row = next((r for r in tables.serving().parsers if facts.model_type in r.model_types), None)
    if row is None:
        return []
    flags = []
    source = f"vLLM's parser for {facts.model_type}; markers in {facts.template_file}. Confirm with the model card"
    if row.reasoning and any(mark in facts.chat_template for mark in row.reasoning_markers):
        flags.append(Flag("--reasoning-parser", row.reasoning, source))
    if row.tools and facts.tool_calling:
        flags.append(Flag("--enable-auto-tool-choice", "", "the chat template renders tools"))
        flags.append(Flag("--tool-call-parser", row.tools, source))
    return flags
