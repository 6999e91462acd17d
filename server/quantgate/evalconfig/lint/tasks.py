"""Rules about the tasks: names, endpoints, limits."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from ...benchmarks import catalogue
from .rule import Hit, Rule, Subject, params_places
from .structure import FACTS


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
        elif not task.raw.get("container"):
            yield Hit(
                path,
                f"There is no task {task.name[:80]!r} in the launcher's catalogue",
                "call list_tasks" + _nearest(task.name),
            )


def _nearest(name: str) -> str:
    near = catalogue.load_catalogue().nearest(name[:120])
    return f"; did you mean {', '.join(near)}?" if near else ""


def limit_in_config(subject: Subject) -> Iterable[Hit]:
    """limit_samples in the file: every run of it would be partial."""
    for path, value in params_places(subject, "config", "params", "limit_samples"):
        yield Hit(path, f"limit_samples {value} in the config makes every score partial")


def log_probability(subject: Subject) -> Iterable[Hit]:
    """A log-probability task on a chat endpoint, or without a tokenizer."""
    url = subject.at("target", "api_endpoint", "url") if subject.composed.deployment == "none" else ""
    on_chat = isinstance(url, str) and urlsplit(url).path.rstrip("/").endswith("/chat/completions")
    for index, entry in subject.catalogue_tasks.items():
        task = next(t for t in subject.tasks if t.index == index)
        defaults = entry.params.get("extra") or {}
        # lm-evaluation-harness scores by log-probabilities on its completions-only tasks, and asks for a tokenizer.
        if entry.endpoint_types != ("completions",) or "tokenizer" not in defaults:
            continue
        asked = task.raw.get("endpoint_type")
        if on_chat or asked == "chat":
            key = "endpoint_type" if asked == "chat" else "name"
            message = f"{entry.id} needs a completions endpoint, and the config sends it to a chat endpoint"
            yield Hit(f"evaluation.tasks[{index}].{key}", message, "use the /v1/completions endpoint, or a chat task")
        elif not (task.params.get("extra") or {}).get("tokenizer") and not defaults["tokenizer"]:
            message = f"{entry.id} has no tokenizer: log-probabilities need the evaluated model's own"
            fix = "set params.extra.tokenizer of the evaluation, and tokenizer_backend=huggingface beside it"
            # Some tasks of this kind only generate text; for them the tokenizer is not needed.
            yield Hit(f"evaluation.tasks[{index}].name", message, fix, "warning")


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
        "T34",
        "error",
        "Log-probability task on the wrong endpoint",
        "completions and a tokenizer",
        FACTS,
        log_probability,
    ),
)
