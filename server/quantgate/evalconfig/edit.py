"""Edits of a config by intent: a model, tasks, a layout, single values. Either all of them are written, or none."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import redact
from ..checkpoint import serving
from ..errors import BadInput
from . import (
    assignments,
    capacity,
    choices,
    flag_edits,
    last_word,
    lint,
    missing,
    model,
    paths,
    sampling,
    schema_types,
    served_program,
    surgery,
    tasklist,
)
from .assignments import Assignment
from .block_text import replace_text
from .document import ConfigDocument
from .layout import WITHOUT_GPUS, apply_layout
from .parallelism import gpus_left_idle, size_to_gpus

MAX_CHANGES = 200
GPU_ARCH = "quantgate.gpu_arch"


@dataclass(frozen=True)
class Request:
    """What to change; every field may be empty.

    Attributes:
        model: A checkpoint directory, `.gguf` file, hub handle, or `host:/path` for a Slurm deployment.
        set: `path=value` lines; `deployment.command.--flag=value` sets one flag of the serving command.
        unset: Paths to remove, flags among them.
        add_tasks: Recipe names or catalogue names.
        remove_tasks: Names as in the config, `name.index`, or recipe names.
        layout: "single", "haproxy:N", "ray:N" or "combined:NxI" (Slurm).
        gpus: GPUs of one node; with `gpu_memory_gb`, sizes the deployment's parallelism to the checkpoint.
        gpu_memory_gb: Memory of one GPU, in GB.
        gpu_arch: Such as "H100"; it is kept in `quantgate.gpu_arch`.
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

    The order is: remove tasks, unset, `set` of execution.*, model, layout, sizes, the serving command, `set` of the server and
    the endpoint, add tasks, set; so a `set` has the last word, and what a new task asks for is held against it.

    Raises:
        ConfigError: The config cannot be read or edited.
        BadInput: Something in the request is refused; the file is as it was.
        HarnessError: A recipe has no variant for the config's executor.
        StorageError: The file cannot be written; it is as it was.
    """
    count = sum(map(len, (request.set, request.unset, request.add_tasks, request.remove_tasks)))
    if count > MAX_CHANGES:
        raise BadInput(f"{count} changes in one call", fix=f"make at most {MAX_CHANGES} at once")
    _refuse_twice(request.add_tasks)
    parsed = [assignments.parse(text) for text in request.set]
    before = ConfigDocument.load(config)
    notes: list[str] = []
    document, served = _before_set(before, request, parsed, notes)
    document = _with_set(document, parsed, notes)
    if _deploys(document) and not any(map(_rewrites_seqs, (*request.unset, *(each.path for each in parsed)))):
        document = capacity.as_written(before, document, notes)
    if served is not None and _deploys(document):
        sampling.report_long_answers(document, notes)
    notes = [*last_word.still_true(notes, parsed), *last_word.overridden(document, parsed)]
    if document.text != before.text:
        document.save()
    report = lint.check(document.path)
    return Edited(
        path=document.path.resolve(),
        diff=redact.redact(_diff(before, document)),
        missing=missing.gaps(document, report.composed),
        report=report,
        notes=list(dict.fromkeys(redact.redact(note) for note in notes)),
    )


def _before_set(
    before: ConfigDocument, request: Request, parsed: Sequence[Assignment], notes: list[str]
) -> tuple[ConfigDocument, model.Model | None]:
    """The config with all but the last `set`, and the model that was asked for."""
    document = before
    for name in request.remove_tasks:
        document = tasklist.remove(document, name, notes)
    for path in request.unset:
        take_out = flag_edits.unset_flag if flag_edits.flag_in(path) else surgery.unset
        document = take_out(document, path)
    # Where it runs decides which variant of a recipe is taken, so this much of `set` comes before the tasks.
    for assignment in parsed:
        if assignment.path.startswith(("execution.", "defaults")):
            document = _set(document, assignment)
    document, served = _with_server(document, request, notes)
    for assignment in parsed:
        if assignment.path.startswith(("deployment.", "target.")):
            document = _set(document, assignment)
    for name in request.add_tasks:
        document = tasklist.add(document, name, notes)
    if served is not None:
        document = model.sample(document, served, notes)
    document = _settled(before, document, request, notes)
    return document, served


def _with_set(document: ConfigDocument, parsed: Sequence[Assignment], notes: list[str]) -> ConfigDocument:
    """The config with `set` in its place, and with the requests under way that follow from it."""
    asked, without = capacity.largest_parallelism(document), document
    for assignment in parsed:
        document = _set(document, assignment)
    last_word.flags_given_back(without, document, parsed, notes)
    own_words = any(_rewrites_seqs(assignment.path) for assignment in parsed)
    if capacity.largest_parallelism(document) != asked and not own_words and _deploys(document):
        document = capacity.settle(document, notes)
    return document


def _set(document: ConfigDocument, assignment: Assignment) -> ConfigDocument:
    if flag_edits.flag_in(assignment.path):
        return flag_edits.set_flag(document, assignment.path, assignment.value, assignment.raw)
    flag_edits.refuse_dashless(assignment.path)
    checked = schema_types.checked(document, assignment)
    folded = served_program.field_as_flag(document, checked.path, checked.value)
    if folded is not None:
        return folded
    if paths.dig(document.plain, *paths.parse(checked.path)) == checked.value and checked.value is not None:
        return document
    if isinstance(checked.value, str):
        return replace_text(document, checked.path, checked.value)
    return surgery.set_value(document, checked.path, checked.value)


def _with_server(
    document: ConfigDocument, request: Request, notes: list[str]
) -> tuple[ConfigDocument, model.Model | None]:
    """The model, the layout and the sizes; then the command, whose flags depend on all of them."""
    served = None
    if request.model:
        document, served = model.use(document, request.model, notes)
    gpus = request.gpus
    if request.layout:
        document = apply_layout(document, request.layout, notes)
        gpus = gpus or gpus_left_idle(document, notes)
    document = _with_arch(document, request.gpu_arch, notes)
    document = size_to_gpus(document, gpus, request.gpu_memory_gb, request.gpu_arch, notes)
    if gpus:
        notes[:] = [note for note in notes if not note.startswith(WITHOUT_GPUS)]
    return (model.serve(document, served, notes) if served else document), served


def _with_arch(document: ConfigDocument, name: str, notes: list[str]) -> ConfigDocument:
    """The config that names the GPU which serves, so that the rules about GPUs can look at it; NEL does not read it."""
    if serving.find_gpu(name) is None:
        return document
    given = document.get(GPU_ARCH)
    if given == name:
        return document
    was = f" (was {str(given)[:40]})" if given is not None else ""
    notes.append(f"{GPU_ARCH} is {name}{was}: check_config looks at what that GPU can serve")
    return surgery.set_value(document, GPU_ARCH, name)


def _settled(before: ConfigDocument, document: ConfigDocument, request: Request, notes: list[str]) -> ConfigDocument:
    """The requests under way and `--max-num-seqs` in agreement, when this edit changed what they depend on."""
    touched = capacity.largest_parallelism(before) != capacity.largest_parallelism(document)
    if not _deploys(document) or not (touched or (request.model and before.text != document.text)):
        return document
    return capacity.settle(document, notes)


def _refuse_twice(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{name[:100]!r} stands twice in one call", where="add_tasks", fix="name each task once")


def _rewrites_seqs(path: str) -> bool:
    """Whether a change speaks of `--max-num-seqs` itself, or of the whole text that it stands in."""
    whole = ("deployment", "deployment.command", "deployment.base_command", "deployment.extra_args")
    return path in whole or flag_edits.flag_in(path) == capacity.MAX_NUM_SEQS


def _deploys(document: ConfigDocument) -> bool:
    return choices.deployment(document) != "none"


def _diff(before: ConfigDocument, after: ConfigDocument) -> str:
    name = before.path.name
    lines = difflib.unified_diff(
        before.text.splitlines(), after.text.splitlines(), f"a/{name}", f"b/{name}", lineterm="", n=2
    )
    return "\n".join(lines)
