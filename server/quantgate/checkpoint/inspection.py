"""Everything that is known of a model, read once: where it is, how it is quantized, and what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import claims, model_facts
from .conflicts import Conflict
from .megatron import iteration as megatron
from .model_facts import ModelFacts
from .quantization import QuantizationRecord, detect, read_config
from .source import ModelSource, resolve_model


@dataclass(frozen=True)
class Inspection:
    """A model's source, quantization and facts.

    Attributes:
        warnings: What must be said beside them: where a hub copy comes from, what a Megatron checkpoint leaves open.
    """

    source: ModelSource
    record: QuantizationRecord
    facts: ModelFacts
    warnings: tuple[str, ...] = ()

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """What contradicts itself or is incomplete: the record's conflicts, and what an export with weights lacks."""
        return (*self.record.conflicts, *_lacking(self.source, self.record, self.facts))


def _lacking(source: ModelSource, record: QuantizationRecord, facts: ModelFacts) -> Iterator[Conflict]:
    if not record.weights_bytes or source.megatron:
        return
    if facts.no_tokenizer:
        also = " and no chat template" if facts.no_chat_template else ""
        yield Conflict("incomplete", f"there are weights, and no tokenizer{also}: a server needs them from elsewhere")
        return
    # A base model has no template of its own; a model that is named after chatting lost it.
    if facts.no_chat_template and claims.of_chat(source.claims):
        yield Conflict(
            "incomplete", f"the name {source.claims[:120]!r} is that of a chat model, and there is no chat template"
        )


def inspect_model(model: str, *, reach_hub: bool = False) -> Inspection:
    """Read a model by path or handle; only config files and headers, never a weight.

    Args:
        model: What the user named.
        reach_hub: Ask the hub for a handle that is not in the local hub cache, and the cluster for `host:/path`, which the
            caller has found to be allowed.

    Raises:
        CheckpointError: It is not there, or one of its files is broken.
        ClusterError: The cluster does not let us in; Unreachable when it does not answer and nothing was read before.
        StorageError: What the hub or the cluster gave cannot be kept.
    """
    source = resolve_model(model, reach_hub=reach_hub)
    with source.told():
        return _inspected(source)


def _inspected(source: ModelSource) -> Inspection:
    notes = (source.note,) if source.note else ()
    if source.megatron:
        found = megatron.read(source.path)
        return Inspection(source, megatron.record(found), megatron.model_facts_of(found), (*notes, *found.warnings))
    record = detect(source)
    if record.gguf is not None:
        return Inspection(source, record, model_facts.from_gguf(record.gguf, record.missing_shards), notes)
    missing = record.missing_shards
    if not (missing or record.weights_bytes or record.pickles):
        missing = ("weights (*.safetensors)",)
    facts = model_facts.from_config(read_config(source), source.path, missing, source.has)
    return Inspection(source, record, facts, (*notes, *record.notes))
