"""The tool detect_quantization: how a model is quantized, what that asks of its serving, and which benchmarks would show damage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ..checkpoint import recommend, serving
from ..checkpoint.inspection import Inspection, inspect_model
from ..checkpoint.megatron import iteration as megatron
from ..checkpoint.quantization_record import QuantizationRecord
from ..checkpoint.tables import Gpu
from ..gates.permission import contact
from ..redact import redact
from .next_call import call
from .read_model_config import NO_EXPORT
from .spec import ToolResult

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
    must_not_set: list[str]
    env_vars: dict[str, str]
    supported: bool | None = Field(description="null: no source says.")
    reason: str
    source: str
    served_by: list[str]


class BenchmarkRow(_Row):
    """A benchmark that shows damage."""

    recipe: str
    task: str
    sensitivity: str
    because: str
    cost: str
    suitable: bool = Field(description="false: the context is too short.")


class BenchmarkSetRow(_Row):
    """Recipes to run together."""

    name: str
    purpose: str
    recipes: list[str]


class Quantization(ToolResult):
    """How a model is quantized."""

    quantized: bool
    known: bool = Field(description="false: an unknown format, see evidence.")
    method: str
    algorithm: str
    kv_cache_algorithm: str
    group_size: int
    bits: int = Field(description="Per weight; 0: mixed or not known.")
    excluded_modules: list[str]
    layers: dict[str, int] = Field(description="How many by format.")
    producer: str
    evidence: list[EvidenceRow]
    conflicts: list[str]
    serving: ServingAdvice
    benchmarks: list[BenchmarkRow]
    benchmark_sets: list[BenchmarkSetRow]
    baseline_note: str
    omitted: int


def detect_quantization(
    model: Annotated[
        str,
        Field(
            description="Checkpoint directory, .gguf file, host:/path (cluster), or Hugging Face handle (headers are fetched)."
        ),
    ],
    framework: Annotated[str, Field(description="vllm, sglang, trtllm, nim or llamacpp.")] = "vllm",
    gpu_arch: Annotated[str, Field(description="Such as H100 or sm_90; empty: not known.")] = "",
) -> Quantization:
    """Say how a checkpoint is quantized, from its config files and the tensors themselves; what serves it; which benchmarks show
    damage.

    Use it for every checkpoint before a config is built; on `conflicts` stop and ask the user. Not for context, size or fit:
    that is read_model_config. An unknown format is called unknown, never guessed.
    Example: detect_quantization(model="/models/Qwen3-8B-NVFP4", gpu_arch="B200")
    """
    wanted = serving.check_framework(framework)
    gpu = serving.find_gpu(gpu_arch)
    contact.require_allowed(model)
    inspected = inspect_model(model, reach_hub=True)
    record = inspected.record
    advice = _advice(inspected, wanted, gpu)
    excluded = list(record.excluded_modules)
    warnings = [*inspected.warnings, *advice.warnings, *_warnings(inspected), *_uncounted(record)]
    return Quantization(
        quantized=record.quantized,
        known=record.known,
        method=redact(record.method),
        algorithm=redact(record.algorithm),
        kv_cache_algorithm=redact(record.kv_cache_algorithm),
        group_size=record.group_size,
        bits=record.bits,
        excluded_modules=[redact(name)[:200] for name in excluded[:MAX_MODULES]],
        layers={redact(k): n for k, n in list(record.layers.items())[:MAX_FORMATS]},
        producer=redact(record.producer),
        evidence=[
            EvidenceRow(file=e.file, field=e.field, value=redact(e.value)) for e in record.evidence[:MAX_EVIDENCE]
        ],
        conflicts=[redact(conflict.text) for conflict in inspected.conflicts],
        serving=_serving(advice),
        benchmarks=[_benchmark(row) for row in recommend.recommend(inspected.facts, record)],
        benchmark_sets=[
            BenchmarkSetRow(name=entry.name, purpose=entry.purpose, recipes=list(entry.recipes))
            for entry in recommend.benchmark_sets(inspected.facts, record)
        ],
        baseline_note=recommend.baseline_note(record),
        omitted=max(0, len(excluded) - MAX_MODULES) + record.excluded_omitted,
        warnings=[redact(text) for text in dict.fromkeys(warnings)],
        next_step=_next_step(inspected, advice.supported, model, framework, gpu_arch),
    )


def _advice(inspected: Inspection, framework: str, gpu: Gpu | None) -> serving.Advice:
    if inspected.source.megatron:
        return serving.Advice(False, megatron.SERVING, source=megatron.SOURCE)
    return serving.advise(inspected.record, framework, gpu, inspected.facts)


def _serving(advice: serving.Advice) -> ServingAdvice:
    return ServingAdvice(
        flags=list(advice.flags),
        must_not_set=[f"{f.flag} {f.value}".strip() + f": {f.because}" for f in advice.must_not_set],
        env_vars=dict(advice.env_vars),
        supported=advice.supported,
        reason=redact(advice.reason),
        source=advice.source,
        served_by=list(advice.served_by),
    )


def _benchmark(row: recommend.Recommendation) -> BenchmarkRow:
    return BenchmarkRow(
        recipe=row.recipe,
        task=row.task,
        sensitivity=row.sensitivity,
        because=row.because,
        cost=f"{row.cost}: {row.cost_because}",
        suitable=row.suitable,
    )


def _warnings(inspected: Inspection) -> list[str]:
    record = inspected.record
    found: list[str] = []
    if inspected.source.megatron:
        return found
    if not record.known:
        found.append("the method or algorithm is not one that this version knows; its raw fields are in `evidence`")
    if record.method == "unrecorded":
        found.append("the algorithm is read from the tensors alone: no file records it")
    if record.pickles and not record.weights_bytes:
        found.append(f"the weights are pickles ({record.pickles[0]}): their formats are not read")
    elif not (record.weights_bytes or record.missing_shards):
        found.append("there are no weights on disk: nothing confirms the record")
    if inspected.facts.no_chat_template and not inspected.facts.no_tokenizer:
        found.append("there is no chat template: a base model, or an export that lost it")
    return found


def _uncounted(record: QuantizationRecord) -> Iterator[str]:
    """What was cut besides the modules, which `omitted` counts."""
    for what, rows, most in (
        ("formats of layers", record.layers, MAX_FORMATS),
        ("fields of the evidence", record.evidence, MAX_EVIDENCE),
    ):
        if len(rows) > most:
            yield f"{len(rows) - most} more {what} are not listed"


def _next_step(inspected: Inspection, supported: bool | None, model: str, framework: str, gpu_arch: str) -> str:
    record = inspected.record
    if inspected.source.megatron:
        return NO_EXPORT
    lacking = bool(inspected.conflicts) and not record.conflicts
    if inspected.conflicts and not lacking:
        return (
            "Show the conflicts to the user and ask which checkpoint and precision are meant; do not evaluate before that "
            "is settled."
        )
    read = call("read_model_config", model=model, **_serving_arguments(framework, gpu_arch))
    if not record.known:
        return f"Ask the user what wrote this checkpoint and what serves it; then {read}."
    if supported is False and record.method != "gguf":
        again = call("detect_quantization", model=model, **_serving_arguments("<the other>", gpu_arch))
        return f"This framework does not serve the format: ask the user for another framework or export, then {again}."
    first = "Ask the user whether the export is complete (conflicts). Then " if lacking else ""
    return (
        f"{first}{read} for flags and fit; show the user the benchmarks above and ask which to include, then "
        f"{call('build_config')}, or {call('edit_config', config='<path of the config>', model=model)} where one exists."
    )


def _serving_arguments(framework: str, gpu_arch: str) -> dict[str, str]:
    """Those that are not the defaults."""
    given = {"framework": framework, "gpu_arch": gpu_arch}
    return {name: value for name, value in given.items() if value not in ("", "vllm")}
