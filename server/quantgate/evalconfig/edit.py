"""Edits of a config by intent: a model, tasks, a layout, single values. Either all of them are written, or none."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import redact
from ..errors import BadInput
from . import assignments, lint, missing, model, surgery, tasklist
from .document import ConfigDocument
from .layout import apply_layout
from .parallelism import size_to_gpus

MAX_CHANGES = 200


@dataclass(frozen=True)
class Request:
    """What to change; every field may be empty.

    Attributes:
        model: A checkpoint directory, `.gguf` file, hub handle, or `host:/path` for a Slurm deployment.
        set: `path=value` lines.
        unset: Paths to remove.
        add_tasks: Recipe names or catalogue names.
        remove_tasks: Names as in the config, `name.index`, or recipe names.
        layout: "single" or "haproxy:N" (Slurm).
        gpus: GPUs of one node; with `gpu_memory_gb`, sizes the deployment's parallelism to the checkpoint.
        gpu_memory_gb: Memory of one GPU, in GB.
        gpu_arch: Such as "H100".
    """

    model: str = ""
    set: Sequence[str] = ()
    unset: Sequence[str] = ()
    add_tasks: Sequence[str] = ()
    remove_tasks: Sequence[str] = ()
    layout: str = ""
    gpus: int = 0
    gpu_memory_gb: float = 0
    gpu_arch: str = ""


@dataclass(frozen=True)
class Edited:
    """What an edit did.

    Attributes:
        diff: Unified diff of the file; empty when nothing changed.
        missing: What is still to be given.
        report: Lint of the file as it is now.
        notes: What a person should know about the choices made.
    """

    path: Path
    diff: str
    missing: list[missing.Missing]
    report: lint.Report
    notes: list[str] = field(default_factory=list)


def edit(config: str, request: Request) -> Edited:
    """Apply a request to a config file and write it in one step.

    The order is: remove tasks, unset, `set` of execution.*, model, add tasks, layout, parallelism, set; so a `set` has the
    last word.

    Raises:
        ConfigError: The config cannot be read or edited.
        BadInput: Something in the request is refused; the file is as it was.
        HarnessError: A recipe has no variant for the config's executor.
        StorageError: The file cannot be written; it is as it was.
    """
    count = sum(map(len, (request.set, request.unset, request.add_tasks, request.remove_tasks)))
    if count > MAX_CHANGES:
        raise BadInput(f"{count} changes in one call", fix=f"make at most {MAX_CHANGES} at once")
    parsed = [assignments.parse(text) for text in request.set]
    before = ConfigDocument.load(config)
    notes: list[str] = []
    document = before
    for name in request.remove_tasks:
        document = tasklist.remove(document, name)
    for path in request.unset:
        document = surgery.unset(document, path)
    # Where it runs decides which variant of a recipe is taken, so this much of `set` comes before the tasks.
    for assignment in parsed:
        if assignment.path.startswith("execution."):
            document = surgery.set_value(document, assignment.path, assignment.value)
    if request.model:
        document = model.use(document, request.model, notes)
    for name in request.add_tasks:
        document = tasklist.add(document, name, notes)
    if request.layout:
        document = apply_layout(document, request.layout)
    document = size_to_gpus(document, request.gpus, request.gpu_memory_gb, request.gpu_arch, notes)
    for assignment in parsed:
        document = surgery.set_value(document, assignment.path, assignment.value)
    if document.text != before.text:
        document.save()
    report = lint.check(document.path)
    return Edited(
        path=document.path.resolve(),
        diff=redact.redact(_diff(before, document)),
        missing=_missing(document, report),
        report=report,
        notes=notes,
    )


def _diff(before: ConfigDocument, after: ConfigDocument) -> str:
    name = before.path.name
    lines = difflib.unified_diff(
        before.text.splitlines(), after.text.splitlines(), f"a/{name}", f"b/{name}", lineterm="", n=2
    )
    return "\n".join(lines)


def _missing(document: ConfigDocument, report: lint.Report) -> list[missing.Missing]:
    """The gaps of what NEL would run; of the file alone when it does not compose yet."""
    if report.composed is None:
        return missing.missing_values(document.plain)
    config: dict[str, Any] = report.composed.config
    return [gap for gap in missing.missing_values(config) if gap.path not in report.composed.derived_missing]
