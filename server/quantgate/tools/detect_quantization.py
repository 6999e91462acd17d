"""The tool detect_quantization: how a model is quantized and what that asks of its serving."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ..checkpoint import recommend, serving
from ..checkpoint.inspection import inspect_model
from ..checkpoint.quantization import QuantizationRecord
from ..redact import redact, redact_value
from .spec import ToolResult, ToolSpec

MAX_MODULES = 30
MAX_EVIDENCE = 20
MAX_FORMATS = 40


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EvidenceRow(_Row):
    """A field that was read."""

    file: str
    field: str
    value: str


class ServingAdvice(_Row):
    """What serving this format needs."""

    flags: list[str]
    env_vars: dict[str, str]
    supported: bool | None = Field(description="null: no source says.")
    reason: str
    served_by: list[str]


class BenchmarkRow(_Row):
    """A benchmark that shows damage."""

    recipe: str
    task: str
    sensitivity: str
    because: str
    suitable: bool = Field(description="false: the model's context is too short.")


class Quantization(ToolResult):
    """How a model is quantized."""

    quantized: bool
    known: bool = Field(description="false: a format this version does not know; see evidence.")
    method: str
    algorithm: str
    kv_cache_algorithm: str
    group_size: int
    bits: int = Field(description="Per weight; 0: mixed or not known.")
    excluded_modules: list[str]
    layers: dict[str, int] = Field(description="Layers (GGUF: tensors) by format.")
    producer: str
    evidence: list[EvidenceRow]
    conflicts: list[str]
    serving: ServingAdvice
    benchmarks: list[BenchmarkRow]
    baseline_note: str
    omitted: int = Field(description="Excluded modules not listed.")


def detect_quantization(
    model: Annotated[
        str, Field(description="Checkpoint directory, .gguf file, or hub handle that is in the local cache.")
    ],
    framework: Annotated[str, Field(description="vllm, sglang, trtllm, nim or llamacpp.")] = "vllm",
    gpu_arch: Annotated[str, Field(description="Such as H100, B200 or sm_90; empty: not known.")] = "",
) -> Quantization:
    """Say how a checkpoint is quantized, from its config files and the tensors themselves, and what serves it.

    Use it for every checkpoint before building a config; stop and ask the user when `conflicts` is not empty. Not for
    context, size or fit: that is `read_model_config`. An unknown format is reported as unknown, never guessed.
    Example: detect_quantization(model="/models/Qwen3-8B-NVFP4", framework="vllm", gpu_arch="B200")
    """
    wanted = serving.check_framework(framework)
    gpu = serving.find_gpu(gpu_arch)
    inspected = inspect_model(model)
    record = inspected.record
    advice = serving.advise(record, wanted, gpu)
    excluded = list(record.excluded_modules)
    warnings = [*advice.warnings, *_warnings(record)]
    return Quantization(
        quantized=record.quantized,
        known=record.known,
        method=redact(record.method),
        algorithm=redact(record.algorithm),
        kv_cache_algorithm=redact(record.kv_cache_algorithm),
        group_size=record.group_size,
        bits=record.bits,
        excluded_modules=[redact(name[:200]) for name in excluded[:MAX_MODULES]],
        layers={redact(k): n for k, n in list(record.layers.items())[:MAX_FORMATS]},
        producer=redact(record.producer),
        evidence=[
            EvidenceRow(file=e.file, field=e.field, value=redact(e.value)) for e in record.evidence[:MAX_EVIDENCE]
        ],
        conflicts=redact_value(list(record.conflicts)),
        serving=_serving(advice),
        benchmarks=[_benchmark(row) for row in recommend.recommend(inspected.facts, record)],
        baseline_note=recommend.baseline_note(record),
        omitted=max(0, len(excluded) - MAX_MODULES),
        warnings=redact_value(warnings),
        next_step=_next_step(record, advice.supported, model),
    )


def _serving(advice: serving.Advice) -> ServingAdvice:
    return ServingAdvice(
        flags=list(advice.flags),
        env_vars=dict(advice.env_vars),
        supported=advice.supported,
        reason=redact(advice.reason),
        served_by=list(advice.served_by),
    )


def _benchmark(row: recommend.Recommendation) -> BenchmarkRow:
    return BenchmarkRow(
        recipe=row.recipe, task=row.task, sensitivity=row.sensitivity, because=row.because, suitable=row.suitable
    )


def _warnings(record: QuantizationRecord) -> list[str]:
    found = []
    if not record.known:
        found.append("the method or algorithm is not one that this version knows; its raw fields are in `evidence`")
    if record.method == "unrecorded":
        found.append("the algorithm is read from the tensors alone: no file records it")
    if record.missing_shards:
        found.append(f"{len(record.missing_shards)} weight files are missing, such as {record.missing_shards[0]}")
    if record.pickles and not record.weights_bytes:
        found.append(f"the weights are pickles ({record.pickles[0]}): their formats are not read")
    elif not record.weights_bytes:
        found.append("there are no weights on disk: nothing confirms the record")
    if any(c.startswith("the name ") for c in record.conflicts):
        found.append("make sure that this is the checkpoint that was meant")
    return found


def _next_step(record: QuantizationRecord, supported: bool | None, model: str) -> str:
    if record.conflicts:
        return (
            "Show the conflicts to the user and ask which precision is meant; do not evaluate before that is settled."
        )
    if not record.known:
        return "Ask the user what wrote this checkpoint and what serves it; then read_model_config."
    if supported is False and record.method != "gguf":
        return (
            "This framework does not serve the format: ask the user for another framework or export, then call again."
        )
    return (
        f"read_model_config(model={json.dumps(model)}) for flags and fit; show the user the benchmarks above and ask "
        "which to include, then build_config."
    )


TOOL = ToolSpec(function=detect_quantization, step="3", title="Detect quantization", read_only=True)
