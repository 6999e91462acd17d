"""The facts of rubrics, by name: each a function of a transcript that says whether it holds and what shows it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..transcript import Transcript
from . import calls, configs, documents, launches, messages
from .found import Found

FACTS: dict[str, Callable[..., Found]] = {
    function.__name__: function
    for function in (
        calls.called,
        calls.tried,
        calls.refused,
        calls.not_called,
        calls.at_most,
        calls.order,
        calls.called_before,
        calls.answered,
        configs.config_has,
        configs.config_lacks,
        documents.read_document,
        launches.launched_runs,
        launches.launched_canaries,
        launches.passed_canary_before_run,
        launches.final_state,
        messages.asked_about,
        messages.not_asked,
        messages.asked_before,
        messages.told,
        messages.not_told,
        messages.told_last,
        messages.told_before,
        messages.told_only_after,
        messages.ended_with,
        messages.never_secret,
    )
}

_RENAMED = {"with": "having", "then_with": "then_having"}
_NAMES = {"tool", "tools", "path", "at", "kind", "kinds", "state"}


def bound(fact: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a rubric's row as the fact's function takes them.

    Raises:
        ValueError: The fact does not exist, or an argument is unknown, missing or no regular expression.
    """
    if fact not in FACTS:
        raise ValueError(f"there is no fact {fact!r}; there are {', '.join(FACTS)}")
    given = {_RENAMED.get(name, name): value for name, value in arguments.items()}
    try:
        inspect.signature(FACTS[fact]).bind(None, **given)
    except TypeError as error:
        raise ValueError(f"{fact}: {error}") from None
    for name, value in given.items():
        for pattern in _patterns(value):
            try:
                re.compile(pattern)
            except re.error as error:
                if name not in _NAMES:
                    raise ValueError(f"{fact}: {pattern!r} is no regular expression: {error}") from None
    return given


def _patterns(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _patterns(inner)]
    return []


def holds(fact: str, arguments: Mapping[str, Any], transcript: Transcript) -> Found:
    """Whether a fact holds in a trial."""
    return FACTS[fact](transcript, **bound(fact, arguments))


__all__ = ["FACTS", "Found", "bound", "holds"]
