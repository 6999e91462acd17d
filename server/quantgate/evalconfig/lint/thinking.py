"""Rules about thinking: whether it is switched on by the key that the model knows, and kept out of the answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ...checkpoint.parsers import reasoning_parser
from ...checkpoint.serving import Flag, serving_flags
from .. import paths
from ..compose import ConfiguredTask
from . import model_names
from .effective import Serving, inspected, serving
from .rule import EVALUATOR, Hit, Rule, Subject, as_mapping

KEYS = ("enable_thinking", "thinking", "thinking_mode", "enable_reasoning")
"""The variables by which chat templates turn thinking on: those of checkpoint/shape/chat_template.py that are switches."""
_KWARGS = "chat_template_kwargs"
_DEFAULTS = "--default-chat-template-kwargs"
_PARSER = "--reasoning-parser"
_ADAPTER = ("target", "api_endpoint", "adapter_config")
_CHAT = ("chat", "vlm")
_OFF = (False, "false", "disabled", "off", "none", "chat")


def trace_in_answers(subject: Subject) -> Iterable[Hit]:
    """A model that thinks, a server that does not set its trace apart, and no interceptor that strips it."""
    server, model = serving(subject), inspected(subject)
    if server is None or server.has(_PARSER):
        return
    if model is None:
        yield from _trace_by_name(subject, server)
        return
    wanted = _parser(server, model.facts, model.record)
    if wanted is None or _is_default(server, model.facts.model_type):
        return
    row = reasoning_parser(model.facts, server.framework)
    by_request = row is not None and row.note.startswith("thinks only with")
    leaking = [task for task in subject.tasks if _thinks(subject, server, task, by_request) and _keeps(subject, task)]
    if leaking:
        yield Hit(
            server.place(_PARSER),
            f"The model thinks ({wanted.because[:200]}), the command has no {_PARSER}, and process_reasoning_traces is "
            f"off: the trace stands in the answers of {_named(leaking)}",
            server.add(_PARSER, wanted.value),
            cause="D27",
        )


def _trace_by_name(subject: Subject, server: Serving) -> Iterator[Hit]:
    name = model_names.unread(subject)
    row = model_names.first(model_names.table().reasoning, name)
    parser = row.parsers.get(server.framework) if row is not None else None
    if row is None or parser is None:
        return
    leaking = [task for task in subject.tasks if _thinks(subject, server, task, False) and _keeps(subject, task)]
    if leaking:
        yield Hit(
            server.place(_PARSER),
            f"By its name {name[:80]!r} thinks ({row.source}), the command has no {_PARSER}, and "
            f"process_reasoning_traces is off: the trace would stand in the answers of {_named(leaking)}",
            server.add(_PARSER, parser),
            "warning",
            cause="D27",
        )


def _parser(server: Serving, facts: Any, record: Any) -> Flag | None:
    if not facts.reasoning:
        return None
    return next(
        (f for f in serving_flags(facts, record, server.framework) if f.flag.replace("_", "-") == _PARSER), None
    )


def _is_default(server: Serving, model_type: str) -> bool:
    # vLLM 0.33.0 model_executor/models/config.py sets gpt-oss's parser by itself.
    return server.framework == "vllm" and model_type == "gpt_oss"


def _named(tasks: list[ConfiguredTask]) -> str:
    names = ", ".join(task.name for task in tasks[:3])
    return names if len(tasks) <= 3 else f"{names} and {len(tasks) - 3} more"


def _thinks(subject: Subject, server: Serving, task: ConfiguredTask, by_request: bool) -> bool:
    """Whether a task's requests make the model think: over the chat endpoint, and not switched off."""
    entry = subject.catalogue_tasks.get(task.index)
    kind = task.raw.get("endpoint_type") or (entry.endpoint_types[0] if entry and entry.endpoint_types else "chat")
    if kind not in _CHAT:
        return False
    switches = {**_of_server(server), **_of_task(subject, task)}
    values = [switches[key] for key in KEYS if key in switches]
    if not values:
        return not by_request
    return not all(value in _OFF for value in values)


def _keeps(subject: Subject, task: ConfiguredTask) -> bool:
    """Whether nothing strips the trace of a task's answers on the way to the harness."""
    adapter = as_mapping(paths.dig(subject.evaluators.get(task.index, {}), *_ADAPTER))
    top = as_mapping(subject.at("target", "api_endpoint", "adapter_config"))
    if "parse_reasoning=True" in str(subject.param(task, "extra", "args") or ""):  # nemo_skills strips it itself
        return False
    return not any(
        place.get(name) is True for place in (adapter, top) for name in ("process_reasoning_traces", "use_reasoning")
    )


def _of_task(subject: Subject, task: ConfiguredTask) -> dict[str, Any]:
    adapter = as_mapping(paths.dig(subject.evaluators.get(task.index, {}), *_ADAPTER))
    return as_mapping(as_mapping(adapter.get("params_to_add")).get(_KWARGS))


def _of_server(server: Serving) -> dict[str, Any]:
    try:
        return as_mapping(json.loads(server.get(_DEFAULTS) or "{}"))
    except (ValueError, RecursionError):
        return {}


def thinking_key(subject: Subject) -> Iterable[Hit]:
    """A key that the model's template does not know, or two that say the same thing."""
    yield from _beside_kwargs(subject)
    for path, kwargs in _places(subject):
        given = [key for key in KEYS if key in kwargs]
        if len(given) > 1:
            yield _doubled(path, kwargs, given)
        elif given:
            yield from _unknown(subject, path, given[0])


def _beside_kwargs(subject: Subject) -> Iterator[Hit]:
    """A switch as a field of the request, where the programs that NEL starts do not look for it."""
    if serving(subject) is None:
        return
    for task in subject.tasks:
        path, added = subject.given(task, *_ADAPTER, "params_to_add")
        for key in KEYS if isinstance(added, dict) else ():
            if key in added:
                fix = f"edit_config(unset=['{path}.{key}'], set=['{path}.{_KWARGS}.{key}={str(added[key]).lower()[:20]}'])"
                yield Hit(f"{path}.{key}", f"{key} is no field of a request: it has no effect outside {_KWARGS}", fix)


def _places(subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    owners: list[tuple[str | int, ...]] = [("evaluation",)]
    owners += [("evaluation", "tasks", task.index) for task in subject.tasks]
    for place in [*((*owner, EVALUATOR, *_ADAPTER) for owner in owners), _ADAPTER]:
        at = (*place, "params_to_add", _KWARGS)
        kwargs = subject.at(*at)
        if isinstance(kwargs, dict):
            yield paths.join(at), kwargs
    server = serving(subject)
    if server is not None and (kwargs := _of_server(server)):
        yield server.place(_DEFAULTS), kwargs


def _doubled(path: str, kwargs: dict[str, Any], given: list[str]) -> Hit:
    shown = ", ".join(f"{key}: {str(kwargs[key])[:20]}" for key in given)
    contrary = len({str(kwargs[key]).lower() for key in given}) > 1
    what = (
        "which contradict each other"
        if contrary
        else "of which a template reads one and some encoders refuse the other"
    )
    return Hit(path, f"{_KWARGS} has {shown}, {what}", "keep the one key that the model card names", cause="D28")


def _unknown(subject: Subject, path: str, key: str) -> Iterator[Hit]:
    model = inspected(subject)
    if model is None:
        yield from _other_by_name(subject, path, key)
        return
    if not model.facts.chat_template or re.search(rf"\b{key}\b", model.facts.chat_template):
        return
    known = model.facts.reasoning_switch
    if known in KEYS:
        message = (
            f"{_KWARGS}.{key} is no variable of {model.facts.template_file}, which reads {known}: it has no effect"
        )
        yield Hit(f"{path}.{key}" if "params_to_add" in path else path, message, f"write {known}", cause="D28")
    else:
        message = f"{_KWARGS}.{key} is no variable of {model.facts.template_file}: it has no effect"
        at = f"{path}.{key}" if "params_to_add" in path else path
        yield Hit(at, message, "remove it; the model card says how thinking is turned on", "warning", cause="D28")


def _other_by_name(subject: Subject, path: str, key: str) -> Iterator[Hit]:
    name = model_names.unread(subject)
    row = model_names.first(model_names.table().thinking_keys, name)
    if row is not None and row.key != key:
        yield Hit(
            f"{path}.{key}" if "params_to_add" in path else path,
            f"{_KWARGS}.{key}: by its name {name[:80]!r} knows {row.key} ({row.source}); another key may have no effect",
            f"write {row.key}",
            "warning",
            cause="D28",
        )


RULES = (
    Rule(
        "D27",
        "error",
        "Reasoning trace in the answers",
        "set the reasoning parser",
        "vLLM 0.33.0 docs/features/reasoning_outputs.md; nemo_evaluator 0.2.8 adapters (process_reasoning_traces)",
        trace_in_answers,
        needs=("checkpoint",),
    ),
    Rule(
        "D28",
        "error",
        "Wrong or doubled thinking key",
        "use the one key that the chat template reads",
        "the model's chat template; vLLM 0.33.0 renderers/hf.py (variables that the template does not have are dropped)",
        thinking_key,
        needs=("checkpoint",),
    ),
)
