"""Everything that is known of a model, read once: where it is, how it is quantized, and what it is."""

from __future__ import annotations

from dataclasses import dataclass

from . import model_facts
from .model_facts import ModelFacts
from .quantization import QuantizationRecord, detect, read_config
from .source import ModelSource, resolve_model


@dataclass(frozen=True)
class Inspection:
    """A model's source, quantization and facts."""

    source: ModelSource
    record: QuantizationRecord
    facts: ModelFacts


def inspect_model(model: str) -> Inspection:
    """Read a model by path or handle; only config files and headers, never a weight.

    Raises:
        CheckpointError: It is not there, or one of its files is broken.
    """
    source = resolve_model(model)
    record = detect(source)
    if record.gguf is not None:
        return Inspection(source, record, model_facts.from_gguf(record.gguf, record.missing_shards))
    missing = record.missing_shards
    if not (missing or record.weights_bytes or record.pickles):
        missing = ("weights (*.safetensors)",)
    return Inspection(source, record, model_facts.from_config(read_config(source), source.path, missing))
