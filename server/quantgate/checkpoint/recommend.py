"""Which benchmarks show damage from quantization, and what a score must be compared with."""

from __future__ import annotations

from dataclasses import dataclass

from . import tables
from .model_facts import ModelFacts
from .quantization import QuantizationRecord


@dataclass(frozen=True)
class Recommendation:
    """One benchmark; `suitable` is False when the model's context is too short for it."""

    recipe: str
    task: str
    sensitivity: str
    because: str
    suitable: bool


def recommend(facts: ModelFacts, record: QuantizationRecord) -> list[Recommendation]:
    """Benchmarks for a quantized model (none otherwise): most sensitive first, those beyond its context last."""
    if not record.quantized:
        return []
    rows = []
    for row in tables.sensitivity():
        if row.multimodal and not facts.multimodal:
            continue
        context = facts.max_position_embeddings
        short = bool(row.context and context and context < row.context)
        because = row.because
        if row.context:
            because += f"; needs {row.context} tokens of context"
            because += f", the model has {context}: leave it out" if short else ""
        rows.append(Recommendation(row.recipe, row.task, row.sensitivity, because, not short))
    return sorted(rows, key=lambda r: not r.suitable)


def baseline_note(record: QuantizationRecord) -> str:
    """What a score of this model must be compared with."""
    if not record.quantized:
        return "Not quantized: it can be the baseline. Evaluate it on the tasks chosen for the quantized candidate."
    if not record.known:
        return "The format is not known here: find out what it was made from before choosing a baseline."
    if record.method == "gguf":
        return (
            "Compare with the unquantized release that this file was converted from (BF16 or F16), served with "
            "the same context, chat template and sampling."
        )
    if record.native:
        return (
            "Models are released in this format. If this is such a release (not a conversion of a BF16 model), it is "
            "its own baseline: do not assume a BF16 one."
        )
    return (
        "Compare with the unquantized checkpoint it was made from, served with the same flags, KV-cache dtype included."
    )
