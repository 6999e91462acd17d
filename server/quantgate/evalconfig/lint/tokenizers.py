"""The rule about the tokenizer of log-probability tasks: it must be the served model's own, where both can be read here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from ...benchmarks.needs import asks_for_log_probabilities, passes_tokenizer
from ...checkpoint import tokenizer_files
from ...checkpoint.source import resolve_model
from ...checkpoint.tokenizer_files import TokenizerFiles
from ...errors import CheckpointError
from ..compose import ConfiguredTask
from .rule import Hit, Rule, Subject, as_mapping

_KEY = ("config", "params", "extra", "tokenizer")


def other_tokenizer(subject: Subject) -> Iterable[Hit]:
    """A tokenizer that is not the served model's."""
    model = subject.model
    if model is None or model.inspection is None:
        return
    served: TokenizerFiles | None = None
    for task in subject.tasks:
        path, given = subject.given(task, *_KEY)
        if not isinstance(given, str) or not given.strip() or not _needs_tokenizer(subject, task):
            continue
        served = served or tokenizer_files.read(model.inspection.source.path)
        found = _read(subject, given.strip())
        if served is None or found is None or found.directory == served.directory:
            continue
        differing = tokenizer_files.differences(served, found)
        if differing:
            sizes = f" ({found.size:,} tokens against {served.size:,})" if found.size != served.size else ""
            message = (
                f"The tokenizer {given[:120]} is not that of {model.name[:120]}: {', '.join(differing)} differ{sizes}; "
                f"{subject.catalogue_tasks[task.index].id} would score other tokens than the model sees"
            )
            # A vocabulary that only has more added tokens gives the same numbers to the same text.
            yield Hit(path, message, severity=None if "vocabulary" in differing or len(differing) > 1 else "warning")


def _needs_tokenizer(subject: Subject, task: ConfiguredTask) -> bool:
    entry = subject.catalogue_tasks.get(task.index)
    return entry is not None and (asks_for_log_probabilities(entry) or passes_tokenizer(entry))


def _read(subject: Subject, given: str) -> TokenizerFiles | None:
    """The tokenizer that a config gives: a path here or behind a mount, or a handle in the hub's cache."""
    for place in (_before_mounts(subject, given), given):
        if place.startswith(("/", "~", ".")):
            found = tokenizer_files.read(Path(place).expanduser())
            if found is not None:
                return found
    if given.startswith(("/", "~", ".")):
        return None
    try:
        return tokenizer_files.read(resolve_model(given).path)
    except CheckpointError:
        return None  # not here; nobody is asked


def _before_mounts(subject: Subject, inside: str) -> str:
    mounts: dict[str, Any] = as_mapping(subject.at("execution", "mounts", "evaluation"))
    path = PurePosixPath(inside)
    for outside, target in mounts.items():
        own = PurePosixPath(str(target).partition(":")[0])
        if inside.startswith("/") and path.is_relative_to(own) and str(own) != ".":
            return str(PurePosixPath(str(outside)) / path.relative_to(own))
    return inside


RULES = (
    Rule(
        "T41",
        "error",
        "Tokenizer of another model",
        "give the evaluated checkpoint itself: its directory, its Hugging Face id, or the folder tokenizer of a Megatron iteration",
        "lm-evaluation-harness in nvidia-lm-eval 26.3, lm_eval/models/api_models.py (the context's tokens are counted off)",
        other_tokenizer,
        needs=("checkpoint",),
        decided=lambda subject: (
            not any(subject.given(task, *_KEY)[1] and _needs_tokenizer(subject, task) for task in subject.tasks)
        ),
    ),
)
