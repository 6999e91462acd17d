"""Rules about the checkpoint itself, where it can be read: a wrong precision or a broken export is not evaluated unnoticed."""

from __future__ import annotations

from collections.abc import Iterable

from ...checkpoint.conflicts import Kind
from ...checkpoint.recommend import baseline_note
from .report import Severity
from .rule import Hit, Need, Rule, Subject
from .structure import FACTS

BAD_MEGATRON_PATH = "bad_megatron_checkpoint_path"
"""Nemotron's name for it."""
_ASK = "stop and ask the user which checkpoint is meant; detect_quantization shows the evidence"


def _conflicts(subject: Subject, rule: str, *kinds: Kind) -> Iterable[Hit]:
    model = subject.model
    if model is None or model.inspection is None:
        return
    for number, conflict in enumerate(c for c in model.inspection.record.conflicts if c.kind in kinds):
        yield Hit(model.path, f"{model.name}: {conflict.text}", cause=f"{rule}.{number}")


def wrong_precision(subject: Subject) -> Iterable[Hit]:
    """The name claims another precision, size or family than the files have, or the two records disagree."""
    return _conflicts(subject, "D12", "name", "records")


def quantized_vision(subject: Subject) -> Iterable[Hit]:
    """The vision tower is quantized."""
    return _conflicts(subject, "D13", "vision")


def broken_export(subject: Subject) -> Iterable[Hit]:
    """The tensors are not what the record says, or files are missing."""
    yield from _conflicts(subject, "D38", "tensors", "incomplete")
    model = subject.model
    if model is None:
        return
    if model.error:
        yield Hit(model.path, f"The checkpoint cannot be read: {model.error}", cause="D38.error")
    elif model.inspection and model.inspection.record.weights_bytes and not _brings_tokenizer(subject):
        # A server that runs already may have found a tokenizer elsewhere.
        severity: Severity = "warning" if model.path == "quantgate.checkpoint" else "error"
        for name in model.inspection.facts.missing_files:
            if name.startswith("tokenizer"):
                yield Hit(model.path, f"{model.name} has no {name}", severity=severity, cause="D38.tokenizer")


def _brings_tokenizer(subject: Subject) -> bool:
    return any("--tokenizer" in str(subject.at("deployment", key) or "") for key in ("command", "extra_args"))


def megatron_parent(subject: Subject) -> Iterable[Hit]:
    """The parent of Megatron iterations instead of one of them."""
    model = subject.model
    if model is not None and model.megatron_parent:
        yield Hit(model.path, model.megatron_parent, cause="D39", named=BAD_MEGATRON_PATH)


def native_release(subject: Subject) -> Iterable[Hit]:
    """A format in which models are released, so that a BF16 baseline may not exist."""
    model = subject.model
    if model is not None and model.inspection is not None and model.inspection.record.native:
        record = model.inspection.record
        yield Hit(
            model.path, f"{model.name} is in {record.algorithm or record.method}. {baseline_note(record)}", cause="D36"
        )


_CHECKPOINT: tuple[Need, ...] = ("checkpoint",)

RULES = (
    Rule(
        "D39",
        "error",
        "Parent of Megatron iterations",
        "give one of its iter_* directories",
        FACTS,
        megatron_parent,
        needs=_CHECKPOINT,
    ),
    Rule(
        "D12",
        "error",
        "Another precision, size or family than the name says",
        _ASK,
        FACTS,
        wrong_precision,
        needs=_CHECKPOINT,
    ),
    Rule(
        "D13",
        "error",
        "Quantized vision tower",
        "quantize again with the vision tower excluded, or leave multimodal benchmarks out",
        FACTS,
        quantized_vision,
        needs=_CHECKPOINT,
    ),
    Rule(
        "D38",
        "error",
        "Broken export",
        "export the checkpoint again; detect_quantization shows the evidence",
        FACTS,
        broken_export,
        needs=_CHECKPOINT,
    ),
    Rule(
        "D36",
        "note",
        "Format in which models are released",
        "compare with the precision that was released; ask the user which one that is",
        "quantgate checkpoint/sensitivity.yaml (native_releases), which names a source for each",
        native_release,
        needs=_CHECKPOINT,
    ),
)
