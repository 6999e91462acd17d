"""Rules about the tokenizer of log-probability tasks: it must be the served model's own, where both can be read here, and in
the container of the task.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from ...benchmarks.needs import asks_for_log_probabilities, passes_tokenizer
from ...checkpoint import tokenizer_files
from ...checkpoint.source import expanded, resolve_model
from ...checkpoint.tokenizer_files import TokenizerFiles
from ...errors import CheckpointError
from ..compose import ConfiguredTask
from .rule import Hit, Rule, Subject, as_mapping
from .tasks import MISSING_TOKENIZER

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


def not_mounted(subject: Subject) -> Iterable[Hit]:
    """A tokenizer at a path that nothing mounts into the container of its task."""
    executor = subject.composed.executor
    if executor not in ("slurm", "local"):
        return
    # The local executor mounts nothing of execution.mounts.evaluation.
    mounts = as_mapping(subject.at("execution", "mounts", "evaluation")) if executor == "slurm" else {}
    inside = [str(target).partition(":")[0] for target in mounts.values()]
    # The user's home on the cluster is not known from here, and Docker's options may mount anything.
    if subject.at("execution", "mounts", "mount_home") is not False and executor == "slurm":
        inside += ["/home", "/root", "/users", "/u"]
    if subject.at("execution", "extra_docker_args"):
        return
    reported: set[str] = set()
    for task in subject.tasks:
        path, given = subject.given(task, *_KEY)
        if (
            not isinstance(given, str)
            or not given.startswith("/")
            or not _needs_tokenizer(subject, task)
            or path in reported
        ):
            continue
        own = [str(task.raw.get("dataset_mount_path") or "/datasets")] if task.raw.get("dataset_dir") else []
        if any(PurePosixPath(given).is_relative_to(place) for place in (*inside, *own)):
            continue
        reported.add(path)
        of_server = PurePosixPath(given).is_relative_to("/checkpoint") and bool(
            subject.text("deployment", "checkpoint_path")
        )
        where = "the server's container only" if of_server else "no mount of the task's container"
        fix = (
            f"give the path on the cluster, and mount its directory: execution.mounts.evaluation: {{{_parent(subject, given)}}}"
            if executor == "slurm"
            else "give its Hugging Face id, or a path below the task's dataset_dir"
        )
        message = (
            f"The tokenizer {given[:120]} is in {where}: {subject.catalogue_tasks[task.index].id} would not find it"
        )
        yield Hit(path, message, fix, "error" if of_server else None, cause="T42.mounted", named=MISSING_TOKENIZER)


def _parent(subject: Subject, given: str) -> str:
    served = subject.text("deployment", "checkpoint_path")
    at = given if not given.startswith("/checkpoint") else served
    directory = str(PurePosixPath(at).parent) if at.startswith("/") else "/shared/models"
    return f"{directory[:200]}: {directory[:200]}"


def _needs_tokenizer(subject: Subject, task: ConfiguredTask) -> bool:
    entry = subject.catalogue_tasks.get(task.index)
    return entry is not None and (asks_for_log_probabilities(entry) or passes_tokenizer(entry))


def _read(subject: Subject, given: str) -> TokenizerFiles | None:
    """The tokenizer that a config gives: a path here or behind a mount, or a handle in the hub's cache."""
    for place in (_before_mounts(subject, given), given):
        if place.startswith(("/", "~", ".")):
            found = tokenizer_files.read(expanded(place))
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
        "T42",
        "warning",
        "Tokenizer outside the task's container",
        "mount its directory, or give its Hugging Face id",
        "NeMo Evaluator Launcher 0.2.6 executors/slurm/executor.py (--container-mounts of the evaluation), "
        "executors/local/run.template.sh (-v of the results and the dataset only)",
        not_mounted,
    ),
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
