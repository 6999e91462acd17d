"""Rules about the deployment and the numbers in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...checkpoint.inspection import inspect_model
from ...errors import CheckpointError
from .. import paths
from ..keys import known
from .rule import Hit, Rule, Subject, params_places
from .structure import FACTS

_SERVES_CHECKPOINT = ("vllm", "sglang")


def multiple_instances(subject: Subject) -> Iterable[Hit]:
    """The removed `deployment.multiple_instances`."""
    if subject.at("deployment", "multiple_instances") is not None:
        yield Hit("deployment.multiple_instances", "NEL refuses `deployment.multiple_instances`")


def one_model(subject: Subject) -> Iterable[Hit]:
    """Both or none of checkpoint_path and hf_model_handle."""
    if subject.composed.deployment not in _SERVES_CHECKPOINT:
        return
    checkpoint = subject.at("deployment", "checkpoint_path")
    handle = subject.at("deployment", "hf_model_handle")
    if "???" in (checkpoint, handle):
        return
    if checkpoint and handle:
        message = (
            "Both checkpoint_path and hf_model_handle are given: the handle would be served and the checkpoint ignored"
        )
        yield Hit("deployment.hf_model_handle", message, "set one of them to null")
    elif not checkpoint and not handle and _needs_checkpoint(subject):
        message = "Neither checkpoint_path nor hf_model_handle is given: the server would find no model"
        yield Hit("deployment.checkpoint_path", message, "edit_config(model=…)")


def _needs_checkpoint(subject: Subject) -> bool:
    own = paths.dig(subject.written, "deployment", "command")
    return not isinstance(own, str) or "/checkpoint" in own or "hf_model_handle" in own or "base_command" in own


def number_as_text(subject: Subject) -> Iterable[Hit]:
    """A number that is written as text or as something else."""
    table = known()
    for path, params in params_places(subject, "config", "params"):
        if isinstance(params, dict):
            yield from _numbers(params, path, table.whole_numbers["params"], whole=True)
            yield from _numbers(params, path, table.numbers["params"], whole=False)
    for section in ("execution", "deployment"):
        values = subject.at(section)
        if isinstance(values, dict):
            yield from _numbers(values, section, table.whole_numbers.get(section, []), whole=True)
            yield from _numbers(values, section, table.numbers.get(section, []), whole=False)


def _numbers(values: dict[str, Any], path: str, names: list[str], *, whole: bool) -> Iterable[Hit]:
    for name in names:
        value = values.get(name)
        if value is None or value == "???" or _is_number(value, whole=whole):
            continue
        kind = "a whole number" if whole else "a number"
        shown = f"the text {value[:40]!r}" if isinstance(value, str) else f"{type(value).__name__} {str(value)[:40]}"
        yield Hit(f"{path}.{name}", f"{path}.{name} must be {kind} and is {shown}", "write the number without quotes")


def _is_number(value: Any, *, whole: bool) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, float):
        return not whole or value.is_integer()
    return isinstance(value, int)


def output_beyond_context(subject: Subject) -> Iterable[Hit]:
    """A max_new_tokens that leaves no room for the prompt in the checkpoint's context."""
    checkpoint = subject.at("quantgate", "checkpoint") or subject.at("deployment", "checkpoint_path")
    places = [(path, params) for path, params in params_places(subject, "config", "params") if isinstance(params, dict)]
    asked = [
        (path, params["max_new_tokens"])
        for path, params in places
        if _is_number(params.get("max_new_tokens"), whole=True)
    ]
    if not asked or not isinstance(checkpoint, str) or not Path(checkpoint).expanduser().exists():
        return
    try:
        context = inspect_model(checkpoint).facts.max_position_embeddings
    except CheckpointError:
        return  # The dry run names what is wrong with the checkpoint.
    for path, tokens in asked:
        if context and tokens >= context:
            yield Hit(
                f"{path}.max_new_tokens",
                f"max_new_tokens {tokens} leaves no room for a prompt in the context of {context}",
            )


RULES = (
    Rule(
        "D26",
        "error",
        "Answers longer than the context",
        "lower it well below the context, or serve and declare a longer one",
        FACTS,
        output_beyond_context,
    ),
    Rule("C22", "error", "deployment.multiple_instances", "use execution.num_instances", FACTS, multiple_instances),
    Rule(
        "D04",
        "error",
        "Not exactly one model",
        "give exactly one of the two and set the other to null",
        FACTS,
        one_model,
    ),
    Rule("C35", "error", "Number given as text", "write the number without quotes", FACTS, number_as_text),
)
