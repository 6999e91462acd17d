"""Rules about the adapter between harness and endpoint: its fields, its place, and what it does to answers."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ...benchmarks.repeats import repeats_of
from .. import paths
from ..keys import known
from ..paths import Segment
from .effective import serving
from .report import Severity
from .rule import EVALUATOR, Hit, Rule, Subject, as_mapping
from .structure import FACTS

ADAPTER = "nemo_evaluator 0.2.8 adapters/adapter_config.py (LegacyAdapterConfig, AdapterConfig)"
_TAIL: tuple[Segment, ...] = ("target", "api_endpoint", "adapter_config")
_INTERCEPTORS = (
    "caching",
    "endpoint",
    "request_logging",
    "response_logging",
    "payload_modifier",
    "progress_tracking",
    "raise_client_errors",
    "reasoning",
    "response_stats",
    "system_message",
    "nvcf",
    "omni_info",
)
_REASONING = ("process_reasoning_traces", "use_reasoning")
_SWITCHED = {
    "custom_system_prompt": ("use_system_prompt",),
    "max_logged_requests": ("use_request_logging",),
    "max_logged_responses": ("use_response_logging",),
    "progress_tracking_url": ("use_progress_tracking",),
    "start_reasoning_token": _REASONING,
    "include_if_reasoning_not_finished": _REASONING,
}
_SENDERS = ("endpoint", "nvcf")
_INSTRUCT = re.compile(r"(?:^|[-_/.])instruct(?:$|[-_/.])", re.IGNORECASE)
_THINKS = re.compile(r"think|reason|nemotron|hunyuan|magistral|[-_]r1\b|qwq|deepseek", re.IGNORECASE)
_SEED_PER_ANSWER = ("tau2_bench",)
"""Harnesses whose repeated requests differ by a seed (recipes/tasks/tau2_bench_telecom.md)."""
_LONG = ("ruler", "AA-LCR")
_LONG_NAMES = ("ns_aa_lcr", "ns_ruler")


def _places(subject: Subject) -> Iterator[tuple[tuple[Segment, ...], dict[str, Any]]]:
    """Each adapter_config that the container gets, with its path."""
    places: list[tuple[Segment, ...]] = [("evaluation",)]
    places += [("evaluation", "tasks", task.index) for task in subject.tasks]
    for place in places:
        value = subject.at(*place, EVALUATOR, *_TAIL)
        if isinstance(value, dict):
            yield (*place, EVALUATOR, *_TAIL), value


def replaced_chain(subject: Subject) -> Iterable[Hit]:
    """A list of interceptors, which replaces the whole default chain."""
    for at, adapter in _places(subject):
        chain = adapter.get("interceptors")
        if not isinstance(chain, list) or not chain:
            continue
        path = paths.join((*at, "interceptors"))
        legacy = [
            key
            for key in adapter
            if key in known().adapter and key not in ("mode", "endpoint_type", "log_failed_requests")
        ]
        names = [entry if isinstance(entry, str) else as_mapping(entry).get("name") for entry in chain]
        if legacy:
            message = f"{path} stands beside {', '.join(legacy[:5])}: the container refuses both together"
        elif not any(name in _SENDERS for name in names):
            message = f"{path} has no `endpoint`: requests are never sent"
        else:
            message = f"{path} replaces the whole default chain (caching, statistics, the report)"
        yield Hit(path, message)


def unknown_field(subject: Subject) -> Iterable[Hit]:
    """A field that the adapter refuses, or an adapter_config where nothing reads it."""
    top: tuple[Segment, ...] = ("target", "api_endpoint", "adapter_config")
    if subject.at(*top) not in (None, {}):
        home = f"evaluation.{EVALUATOR}.target.api_endpoint.adapter_config"
        yield Hit(paths.join(top), "NEL never reads adapter_config of the top-level target", f"move it to `{home}`")
    names = (*known().adapter, *known().adapter_modern)
    for at, adapter in _places(subject):
        for key in map(str, adapter):
            if key in names:
                continue
            near = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
            where = paths.join((*at, key))
            hint = f"did you mean `{near[0]}`?" if near else "request fields belong under params_to_add"
            yield Hit(where, f"The adapter has no field {key!r} and refuses the config in the container", hint)
        yield from _unknown_interceptors(at, adapter)


def _unknown_interceptors(at: tuple[Segment, ...], adapter: dict[str, Any]) -> Iterable[Hit]:
    chain = adapter.get("interceptors")
    if adapter.get("discovery") or not isinstance(chain, list):
        return  # one that is discovered may have any name
    for index, entry in enumerate(chain):
        name = entry if isinstance(entry, str) else as_mapping(entry).get("name")
        if name not in _INTERCEPTORS:
            near = difflib.get_close_matches(str(name), _INTERCEPTORS, n=1, cutoff=0.6)
            path = paths.join((*at, "interceptors", index))
            hint = f"did you mean `{near[0]}`?" if near else f"the interceptors are {', '.join(_INTERCEPTORS)}"
            yield Hit(path, f"There is no interceptor {str(name)[:60]!r}", hint)


def two_switches(subject: Subject) -> Iterable[Hit]:
    """use_reasoning beside process_reasoning_traces, of which the deprecated one wins."""
    for task in subject.tasks:
        path, old = subject.given(task, *_TAIL, "use_reasoning")
        _, new = subject.given(task, *_TAIL, "process_reasoning_traces")
        if old is not None and new is not None:
            yield Hit(path, "use_reasoning stands beside process_reasoning_traces and wins where it is true")
        elif old is not None:
            yield Hit(path, "use_reasoning is deprecated", "write process_reasoning_traces", "note")


def without_switch(subject: Subject) -> Iterable[Hit]:
    """A field that does nothing until another one switches it on."""
    for task in subject.tasks:
        for key, switches in _SWITCHED.items():
            path, value = subject.given(task, *_TAIL, key)
            if value in (None, False, "", []) or any(subject.given(task, *_TAIL, name)[1] is True for name in switches):
                continue
            # The system prompt changes every answer; the others only what is recorded.
            severity: Severity | None = None if key == "custom_system_prompt" else "warning"
            yield Hit(
                path, f"{key} does nothing without {switches[0]}", f"set {switches[0]}=true beside it", severity, "P27"
            )


def repeats_from_cache(subject: Subject) -> Iterable[Hit]:
    """Sampled repeats of one request, which the cache may answer with one and the same text."""
    for task in subject.tasks:
        entry = subject.catalogue_tasks.get(task.index)
        if entry is not None and entry.harness in _SEED_PER_ANSWER:
            continue
        repeats = repeats_of(task.params, entry.params if entry else None)
        path, caching = subject.given(task, *_TAIL, "use_caching")
        sampled = _number(subject.param(task, "temperature")) > 0 and repeats > 1
        # nemo_skills gives each repeat a seed of its own, so that its requests differ.
        if (
            not sampled
            or caching is False
            or (caching is None and entry is not None and entry.harness == "nemo_skills")
        ):
            continue
        message = f"{task.name[:60]} samples {repeats} repeats, and the cache may answer equal requests with one text"
        severity: Severity = "warning" if caching else "note"
        yield Hit(path or f"evaluation.tasks[{task.index}].name", message, severity=severity, cause="T19")


def stripped_answers(subject: Subject) -> Iterable[Hit]:
    """Reasoning stripped from the answers of a model that does not reason, or left in those of one that does."""
    inspection = subject.model.inspection if subject.model else None
    reasons = inspection.facts.reasoning if inspection else None
    name = _model_name(subject)
    for task in subject.tasks:
        path, value = subject.given(task, *_TAIL, "process_reasoning_traces")
        old, legacy = subject.given(task, *_TAIL, "use_reasoning")
        strips = value is True or legacy is True
        if strips and reasons is False:
            message = "Reasoning is stripped, and the checkpoint's chat template knows of no thinking"
            yield Hit(path or old, message, "set process_reasoning_traces=false", subject.soft)
        elif strips and reasons is None and _INSTRUCT.search(name) and not _THINKS.search(name):
            message = f"Reasoning is stripped, and {name[:80]!r} is an instruct model by its name"
            yield Hit(
                path or old,
                message,
                "set process_reasoning_traces=false unless the card says that it thinks",
                "warning",
            )
        elif reasons and not strips and subject.composed.deployment == "none":
            message = (
                "The checkpoint thinks by its chat template, and nothing here strips its reasoning from the answers"
            )
            where = path or f"evaluation.{EVALUATOR}"
            yield Hit(where, message, "set process_reasoning_traces=true unless the server parses it", "warning", "T21")


def _model_name(subject: Subject) -> str:
    places = (
        ("deployment", "hf_model_handle"),
        ("deployment", "checkpoint_path"),
        ("target", "api_endpoint", "model_id"),
    )
    server = serving(subject)
    if server is not None and server.has("--reasoning-parser"):
        return ""
    return next((str(value) for place in places if (value := subject.at(*place)) not in (None, "", "???")), "")


def long_logs(subject: Subject) -> Iterable[Hit]:
    """Requests or responses logged for tasks whose prompts are whole books."""
    for index, entry in subject.catalogue_tasks.items():
        if entry.harness not in _LONG and entry.name not in _LONG_NAMES:
            continue
        for key in ("use_request_logging", "use_response_logging"):
            path, value = subject.given(subject.tasks[index], *_TAIL, key)
            if value is True:
                yield Hit(path, f"{key} is on for {entry.id}, whose prompts have up to a million tokens: giant logs")


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12 else 0.0


RULES = (
    Rule(
        "C17",
        "error",
        "Replaced interceptor chain",
        "remove the list and use the named fields (use_caching, use_request_logging, …)",
        ADAPTER,
        replaced_chain,
    ),
    Rule("C18", "error", "Unknown adapter field", "correct the field", ADAPTER, unknown_field),
    Rule("C19", "warning", "Two switches for reasoning", "keep process_reasoning_traces only", ADAPTER, two_switches),
    Rule("P27", "error", "Adapter field without its switch", "set the switch", ADAPTER, without_switch),
    Rule(
        "T19",
        "warning",
        "Repeats from the cache",
        "set use_caching=false, or look at the share of cached answers afterwards",
        FACTS,
        repeats_from_cache,
    ),
    Rule(
        "T21",
        "error",
        "Reasoning stripped or left in",
        "decide it by the model's card",
        ADAPTER,
        stripped_answers,
        needs=("checkpoint",),
    ),
    Rule("T37", "warning", "Giant logs", "set it to false for the task", FACTS, long_logs),
)
