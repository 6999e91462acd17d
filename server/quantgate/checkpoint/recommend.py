"""Which benchmarks show damage from quantization, what they cost, and what a score must be compared with.

Everything that is a fact stands in sensitivity.yaml, with its source; here is only how the rows are chosen and ordered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from . import tables
from .headers.layer_formats import FLOATS
from .model_facts import ModelFacts
from .quantization_record import QuantizationRecord
from .sensitivity_rows import Benchmark, Effect, NativeRelease, QuantizedPart, Sensitivity

Cost = Literal["cheap", "moderate", "expensive"]
MANY_REPEATS = 8
"""Repeats from which on a benchmark is not cheap any more."""
MANY_ANSWERS = 10_000
LONG_CONTEXT = 128 * 1024
"""Tokens of context from which on a benchmark tests long context."""
_OTHERS = {"judge": "a judge scores the answers", "user simulator": "another model plays the user"}
_RANK = {name: place for place, name in enumerate(get_args(Sensitivity))}


@dataclass(frozen=True)
class Recommendation:
    """One benchmark for a quantized model.

    Attributes:
        task: Its id in the launcher's catalogue.
        sensitivity: very high, high, medium or low, for this kind of quantization.
        because: Why, and what the model's context says to it.
        suitable: False when the model's context is too short.
        cost: Class of a full run, by `cost_of`.
        cost_because: The numbers behind the class.
        context: Tokens of context that the served model must have; 0 when no more than the answers need.
        needs: What it wants besides the model.
    """

    recipe: str
    task: str
    sensitivity: str
    because: str
    suitable: bool
    cost: Cost = "moderate"
    cost_because: str = ""
    context: int = 0
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class BenchmarkSet:
    """Recipes that are run together for one purpose; those that the model cannot run are left out."""

    name: str
    purpose: str
    recipes: tuple[str, ...]


def recommend(facts: ModelFacts, record: QuantizationRecord) -> list[Recommendation]:
    """Benchmarks for a quantized model (none otherwise): most sensitive first, those beyond its context last."""
    if not record.quantized:
        return []
    effects = _effects(facts, record)
    rows = []
    for row in tables.sensitivity():
        if row.multimodal and not facts.multimodal:
            continue
        touching = [e for e in effects if row.recipe in e.recipes]
        sensitivity = next((e.sensitivity for e in touching if e.sensitivity), row.sensitivity)
        suitable, about_context = _against_context(row, facts)
        reasons = [row.because, *(_filled(e.says, record) for e in touching), about_context]
        cost, cost_because = cost_of(row)
        found = Recommendation(
            recipe=row.recipe,
            task=row.task,
            sensitivity=sensitivity,
            because="; ".join(r for r in reasons if r),
            suitable=suitable,
            cost=cost,
            cost_because=cost_because,
            context=row.context,
            needs=row.needs,
        )
        rows.append(((not suitable, _RANK[sensitivity], not any(e.first for e in touching)), found))
    return [found for _, found in sorted(rows, key=lambda pair: pair[0])]


def benchmark_sets(facts: ModelFacts, record: QuantizationRecord) -> list[BenchmarkSet]:
    """The sets by use for a quantized model (none otherwise), without what it cannot run.

    A purpose names what was left out, and says so when the KV cache is quantized and nothing in the set looks at that.
    """
    rows = {row.recipe: row for row in tables.sensitivity()}
    suited = {r.recipe for r in recommend(facts, record) if r.suitable}
    sets = []
    for entry in tables.sensitivity_table().sets if record.quantized else ():
        senses = [rows[name] for name in entry.recipes if facts.multimodal or not rows[name].multimodal]
        kept = tuple(row.recipe for row in senses if row.recipe in suited)
        short = [row.recipe for row in senses if row.recipe not in suited]
        purpose = entry.purpose
        if short:
            purpose += f"; without {', '.join(short)}, for which the model's context is too short"
        text = [rows[name] for name in kept if not rows[name].multimodal]
        if record.kv_cache_algorithm and text and not any(row.context >= LONG_CONTEXT for row in text):
            purpose += "; blind to what the quantized KV cache does over long contexts"
        if kept:
            sets.append(BenchmarkSet(entry.name, purpose, kept))
    return sets


def cost_of(row: Benchmark) -> tuple[Cost, str]:
    """The class of a full run's cost, and the numbers it follows from.

    Expensive: 8 repeats or more, and others than the model take part (a judge, a sandbox, a simulated user). Cheap: none
    of these, and fewer than 10,000 answers are known to be asked. Moderate: the rest.
    """
    questions = f"{row.questions:,} questions" if row.questions else "every question"
    times = "once" if row.repeats == 1 else f"{row.repeats} times"
    total = f" = {row.questions * row.repeats:,} answers" if row.questions and row.repeats > 1 else ""
    parts = [f"{questions} {times}{total}", row.answers, *(_OTHERS[n] for n in row.needs if n in _OTHERS)]
    if "sandbox" in row.needs:
        parts.append("a sandbox runs the programs")
    others = any(need in _OTHERS or need == "sandbox" for need in row.needs)
    many = row.repeats >= MANY_REPEATS
    if many and others:
        cost: Cost = "expensive"
    elif many or others or not 0 < row.questions * row.repeats < MANY_ANSWERS:
        cost = "moderate"
    else:
        cost = "cheap"
    return cost, "; ".join(parts)


def _context(facts: ModelFacts) -> int:
    """Tokens that the model can be served with; 0 when not known."""
    return facts.served_length or facts.max_position_embeddings


def _against_context(row: Benchmark, facts: ModelFacts) -> tuple[bool, str]:
    has = _context(facts)
    if not row.context:
        return True, ""
    needs = f"needs {row.context} tokens of context"
    if not has:
        return True, f"{needs}, the model's is not known"
    if has < row.context:
        return False, f"{needs}, the model has {has}: leave it out"
    return True, f"{needs}, the model has {has}"


def _effects(facts: ModelFacts, record: QuantizationRecord) -> list[Effect]:
    parts = quantized_parts(facts, record)
    return [effect for effect in tables.sensitivity_table().effects if effect.when in parts]


def quantized_parts(facts: ModelFacts, record: QuantizationRecord) -> set[QuantizedPart]:
    """What of a model is quantized, in the words of sensitivity.yaml; what is not known is not in it."""
    parts: set[QuantizedPart] = set()
    weights = bool(record.algorithm)
    if record.kv_cache_algorithm:
        parts.add("kv cache")
        if not weights:
            parts.add("kv cache only")
    if weights and record.known and not record.native:
        if record.bits in {4, 8}:
            parts.add("weights of 4 bits" if record.bits == 4 else "weights of 8 bits")
        if record.activation_bits >= 16 and not record.kv_cache_algorithm:
            parts.add("weight-only")
        elif record.activation_bits == 8 and record.bits == 8:
            parts.add("activations of 8 bits")
        elif 0 < record.activation_bits < 8:
            parts.add("activations below 8 bits")
    if facts.multimodal and weights:
        parts.add(_vision(record))
    return parts


def _vision(record: QuantizationRecord) -> QuantizedPart:
    if not record.vision:
        return "vision not seen"
    return "vision kept" if set(record.vision) <= set(FLOATS.values()) else "vision quantized"


def _filled(text: str, record: QuantizationRecord) -> str:
    return text.format(kv=record.kv_cache_algorithm, vision=", ".join(record.vision))


def baseline_note(record: QuantizationRecord) -> str:
    """What a score of this model must be compared with."""
    if not record.quantized:
        return "Not quantized: it can be the baseline. Evaluate it on the tasks chosen for the quantized candidate."
    if not record.known:
        return "The format is not known here: find out what it was made from before choosing a baseline."
    return _baseline(record) + _kv_note(record)


def _baseline(record: QuantizationRecord) -> str:
    if record.method == "gguf":
        return (
            "Compare with the unquantized release that this file was converted from (BF16 or F16), served with "
            "the same context, chat template and sampling."
        )
    if record.native:
        return (
            f"Models are released in this format{_released(record.method)}. If this is such a release (not a conversion "
            "of a BF16 model), it is its own baseline: do not assume a BF16 one."
        )
    if not record.algorithm:
        return "Only the KV cache is quantized: compare with the same weights served with a KV cache of 16 bits."
    return (
        "Compare with the unquantized checkpoint it was made from, served with the same flags, KV-cache dtype included."
    )


def _kv_note(record: QuantizationRecord) -> str:
    """Rule D16: where the KV caches differ, the difference is measured too."""
    if not (record.kv_cache_algorithm and record.algorithm):
        return ""
    return (
        f" The KV cache is recorded as {record.kv_cache_algorithm}: beside a baseline with a 16-bit cache, the "
        "difference holds both effects; report it so, or give both the same cache."
    )


def _released(method: str) -> str:
    rows: Sequence[NativeRelease] = tables.sensitivity_table().native_releases
    return next((f" ({row.releases})" for row in rows if row.method == method), "")
