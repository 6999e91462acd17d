"""Rules about the tasks: names, endpoints, limits."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable

from ...benchmarks import catalogue
from ...benchmarks.needs import asks_for_log_probabilities, passes_tokenizer
from ..compose import MISSING, ConfiguredTask
from .endpoints import WRONG_ENDPOINT, path_of
from .report import Severity
from .rule import Hit, Rule, Subject, as_mapping, params_places
from .structure import FACTS

_SHOWN = 5
MISSING_TOKENIZER = "missing_tokenizer_for_logprobs"
"""Nemotron's name for it."""


def ambiguous_name(subject: Subject) -> Iterable[Hit]:
    """A bare name that several harnesses have."""
    for task in subject.tasks:
        if task.raw.get("container") or "." in task.name or not task.name:
            continue
        candidates = [entry.id for entry in catalogue.load_catalogue().tasks.values() if entry.name == task.name]
        if len(candidates) > 1:
            yield Hit(
                f"evaluation.tasks[{task.index}].name",
                f"The task name {task.name!r} is ambiguous: {len(candidates)} harnesses have it",
                "write one of " + ", ".join(candidates),
            )


def unknown_task(subject: Subject) -> Iterable[Hit]:
    """A name that is no task: too many dots, or not in the catalogue and without a container of its own."""
    listed = subject.catalogue_tasks
    for task in subject.tasks:
        path = f"evaluation.tasks[{task.index}].name"
        if not task.name:
            yield Hit(path, f"Task {task.index} has no name", "give it a name as harness.task")
        elif task.name in ("???",) or task.index in listed:
            continue
        elif task.name.count(".") > 1:
            yield Hit(
                path,
                f"The task name {task.name[:80]!r} has more than one dot",
                "write it as harness.task" + _nearest(task.name),
            )
        elif not task.raw.get("container") and not may_be_unlisted(task.name):
            yield Hit(
                path,
                f"There is no task {task.name[:80]!r} in the launcher's catalogue",
                "call list_tasks" + _nearest(task.name),
            )


def may_be_unlisted(name: str) -> bool:
    """Whether NEL would try the name in the container of its harness: no task of the catalogue is that near."""
    harness, dot, bare = name.partition(".")
    known = [task.name for task in catalogue.load_catalogue().tasks.values() if task.harness == harness]
    if not dot or not known or not re.fullmatch(r"[\w.+\-]+", bare):
        return False
    trusted = os.environ.get("NEMO_EVALUATOR_TRUST_UNLISTED_TASKS") == "1"
    return trusted or not difflib.get_close_matches(bare.lower(), [other.lower() for other in known], n=1, cutoff=0.8)


def same_task_twice(subject: Subject) -> Iterable[Hit]:
    """Tasks that are equal in everything: each but the first measures the same again. One finding for those that are equal."""
    equal: dict[str, list[ConfiguredTask]] = {}
    for task in subject.tasks:
        if task.name not in ("", MISSING):
            equal.setdefault(json.dumps(task.raw, sort_keys=True, default=str), []).append(task)
    for first, *others in equal.values():
        if others:
            shown = ", ".join(str(task.index) for task in others[:_SHOWN]) + ", …" * (len(others) > _SHOWN)
            which = f"Task {shown} repeats" if len(others) == 1 else f"Tasks {shown} ({len(others)} in all) repeat"
            message = f"{which} task {first.index} ({first.name[:60]}) with the same settings"
            yield Hit(f"evaluation.tasks[{others[0].index}].name", message, cause="P12")


def _nearest(name: str) -> str:
    near = catalogue.load_catalogue().nearest(name[:120])
    return f"; did you mean {', '.join(near)}?" if near else ""


def limit_in_config(subject: Subject) -> Iterable[Hit]:
    """limit_samples in the file: every run of it would be partial."""
    for path, value in params_places(subject, "config", "params", "limit_samples"):
        # NEL's own template for long context has one.
        severity: Severity | None = "note" if subject.unfinished else None
        yield Hit(path, f"limit_samples {value} in the config makes every score partial", severity=severity)


def log_probability(subject: Subject) -> Iterable[Hit]:
    """Log-probability tasks on a chat endpoint, or without a tokenizer: one finding for each of the two causes."""
    url = subject.at("target", "api_endpoint", "url") if subject.composed.deployment == "none" else ""
    on_chat = path_of(url).endswith("/chat/completions")
    scored: list[str] = []
    untokenized: list[ConfiguredTask] = []
    for task in subject.tasks:
        entry = subject.catalogue_tasks.get(task.index)
        if entry is not None and passes_tokenizer(entry) and not _has_tokenizer(task):
            message = f"{entry.id} gets no tokenizer: its command is started with one called None"
            fix = f"edit_config(set=['evaluation.tasks[{task.index}].nemo_evaluator_config.config.params.extra.tokenizer=…'])"
            yield Hit(f"evaluation.tasks[{task.index}].name", message, fix, cause="T34.counts", named=MISSING_TOKENIZER)
        if entry is None or not asks_for_log_probabilities(entry):
            continue
        if task.raw.get("endpoint_type") == "chat":
            message = f"{entry.id} needs a completions endpoint, and the config asks for chat"
            fix = "remove endpoint_type, or take a chat task"
            yield Hit(f"evaluation.tasks[{task.index}].endpoint_type", message, fix, named=WRONG_ENDPOINT)
        elif on_chat:
            scored.append(entry.id)
        elif str(subject.param(task, "extra", "tokenizer_backend")).lower() == "none" or not _has_tokenizer(task):
            untokenized.append(task)
    # NEL's template for an endpoint has the chat URL, also for base models, and leaves the tokenizer open.
    if scored:
        message = f"The URL is a chat endpoint, and these tasks need a completions endpoint: {', '.join(scored[:5])}"
        fix = "use the /v1/completions URL, or chat tasks"
        yield Hit("target.api_endpoint.url", message, fix, subject.soft, named=WRONG_ENDPOINT)
    if untokenized:
        yield _without_tokenizer(untokenized, subject)


def _has_tokenizer(task: ConfiguredTask) -> bool:
    return bool(as_mapping(task.params.get("extra")).get("tokenizer"))


def _without_tokenizer(tasks: list[ConfiguredTask], subject: Subject) -> Hit:
    """What log-probability tasks lack: lm-evaluation-harness drops a tokenizer that has no backend, and then stops."""
    names = ", ".join(subject.catalogue_tasks[task.index].id for task in tasks[:5])
    at = "evaluation.nemo_evaluator_config.config.params.extra"
    off = [task for task in tasks if str(subject.param(task, "extra", "tokenizer_backend")).lower() == "none"]
    wanted = [f"'{at}.tokenizer_backend=huggingface'"] if off else []
    if not all(map(_has_tokenizer, tasks)):
        wanted.insert(0, f"'{at}.tokenizer=…'")
        message = f"No tokenizer is given for {names}: log-probabilities need the evaluated model's own"
    else:
        message = f"The tokenizer of {names} has no backend: the harness leaves it out, and stops without one"
    place = f"evaluation.tasks[{tasks[0].index}].name"
    # With a backend alone, the model's name is tried as a hub handle.
    fix = f"edit_config(set=[{', '.join(wanted)}])"
    return Hit(place, message, fix, subject.soft if off else "warning", named=MISSING_TOKENIZER)


RULES = (
    Rule("C14", "error", "Ambiguous task name", "write harness.task", FACTS, ambiguous_name),
    Rule("C15", "error", "Unknown task", "call list_tasks", FACTS, unknown_task),
    Rule(
        "T16",
        "error",
        "limit_samples in the config",
        "remove it; pass samples to canary, or max_samples to run",
        "quantgate: a subset is asked for at the launch and recorded",
        limit_in_config,
    ),
    Rule(
        "P12",
        "warning",
        "Same task twice",
        "remove one; repeats are an option of the harness",
        "NeMo Evaluator Launcher 0.2.6 common/helpers.py (get_unique_task_name)",
        same_task_twice,
    ),
    Rule(
        "T34",
        "error",
        "Log-probability task on the wrong endpoint",
        "completions and a tokenizer",
        "lm-evaluation-harness in nvidia-lm-eval 26.3, lm_eval/models/api_models.py (tokenizer_backend); " + FACTS,
        log_probability,
    ),
)
