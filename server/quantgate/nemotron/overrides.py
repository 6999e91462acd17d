"""The third stage: `a.b=c` from the command line, typed, the last one winning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import BadInput
from ..evalconfig import bounds, paths
from ..evalconfig.paths import Segment
from .change import Change, Config, Staged, copied

MAX_LENGTH = 20_000
MAX_DEPTH = 40
_MARKED = ("[", "{", '"', "'")
_WORDS = {"null": None, "~": None, "none": None, "true": True, "false": False}
_INTEGER = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?")
_GLUED = re.compile(r"^[\w./-]+:\S+$")


@dataclass(frozen=True)
class Override:
    """One override.

    Attributes:
        path: Where.
        value: The typed value.
        remove: It takes the key away (`~a.b`).
    """

    path: tuple[Segment, ...]
    value: Any = None
    remove: bool = False


def parse(text: str) -> Override:
    """Read one `a.b=c`; `+a.b=c` and `++a.b=c` mean the same, and `~a.b` removes.

    null, ~, true, false and numbers are typed; what begins with `[`, `{` or a quote is read as YAML; the rest is text.

    Raises:
        BadInput: It is no override, or the value cannot be read. The value is not repeated: it may be a key.
    """
    shown = repr(text.partition("=")[0][:80])
    if text.startswith("~") and "=" not in text:
        return Override(paths.parse(text[1:]), remove=True)
    name, separator, value = text.partition("=")
    if not separator or name.startswith("-") or not name.lstrip("+").strip():
        raise BadInput(
            f"Unknown argument {shown}",
            fix="write an override as key=value, a task as -t NAME; `quantgate eval --help` lists the flags",
        )
    if len(text) > MAX_LENGTH or any(ord(c) < 32 and c != "\t" for c in text):
        raise BadInput(f"The value of {shown} is too long or has a line break", fix="give a shorter value on one line")
    return Override(paths.parse(name.lstrip("+").strip()), typed(value.strip(), shown))


def typed(value: str, shown: str = "the override") -> Any:
    """The value that a text means.

    Raises:
        BadInput: It begins as a list, mapping or quoted text, and is none.
    """
    if value.lower() in _WORDS:
        return _WORDS[value.lower()]
    if _INTEGER.fullmatch(value) and not re.match(r"[+-]?0\d", value):
        return int(value)
    if _FLOAT.fullmatch(value) and not _INTEGER.fullmatch(value):
        return float(value)
    if not value.startswith(_MARKED) or value.startswith("${"):
        return value
    return _checked(_yaml(value, shown), shown)


def _yaml(value: str, shown: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        if bounds.refers(value):
            raise ValueError("an alias")
        return YAML(typ="safe", pure=True).load(value)
    except (YAMLError, ValueError, TypeError, RecursionError):
        raise BadInput(
            f"The value of {shown} is no list, mapping or quoted text, or has aliases",
            fix="close its brackets and quotes, and write aliases out; inside a list, quote text that has ${…} or a colon",
        ) from None


def _checked(value: Any, shown: str, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise BadInput(f"The value of {shown} is nested too deep")
    if isinstance(value, dict):
        for key, child in value.items():
            if child is None and isinstance(key, str) and _GLUED.match(key):
                raise BadInput(f"The mapping in {shown} has a key without a value", fix="write a blank after the colon")
        return {str(key): _checked(child, shown, depth + 1) for key, child in value.items()}
    if isinstance(value, list):
        return [_checked(child, shown, depth + 1) for child in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise BadInput(f"The value of {shown} has a {type(value).__name__} in it", fix="quote it, so that it is text")


def apply(config: Config, overrides: Sequence[str]) -> Staged:
    """Apply overrides in order.

    Raises:
        BadInput: One is malformed, or its path goes through a value that is no mapping or list.
    """
    result: Config = copied(config)
    changes: list[Change] = []
    for text in overrides:
        override = parse(text)
        _set(result, override)
        verb = "removed" if override.remove else "set"
        changes.append(Change(f"{paths.join(override.path)}: {verb}", "an override of the command line"))
    return Staged(result, tuple(changes))


def _set(config: Config, override: Override) -> None:
    at: Any = config
    for index, segment in enumerate(override.path):
        key = _step(at, segment)
        where = paths.join(override.path[: index + 1])
        if isinstance(at, list) and (not isinstance(key, int) or key >= len(at)):
            raise BadInput(f"The override's path ends at {where}", fix=f"the list has {len(at)} entries, from [0]")
        if not isinstance(at, list | dict) or (isinstance(at, dict) and isinstance(key, int)):
            raise BadInput(f"The override's path ends at {where}", fix="there is no mapping or list to go through")
        if index == len(override.path) - 1:
            _write(at, key, override)
            return
        inner = at[key] if isinstance(at, list) else at.get(key)
        if inner is None:
            if override.remove:
                return
            inner = at[key] = {}
        at = inner


def _write(at: Any, key: Any, override: Override) -> None:
    if not override.remove:
        at[key] = override.value
    elif isinstance(at, list):
        del at[key]
    else:
        at.pop(key, None)


def _step(at: Any, segment: Segment) -> Any:
    if isinstance(at, list) and isinstance(segment, str) and segment.isdecimal():
        return int(segment)
    return segment


def task_names(config: Config) -> tuple[str, ...]:
    """The tasks to run, by `task_filters`; empty for all.

    Raises:
        BadInput: `task_filters` is no list of names.
    """
    wanted: Any = config.get("task_filters") or []
    if isinstance(wanted, str):
        wanted = [wanted]
    if not isinstance(wanted, list) or not all(isinstance(name, str) and name for name in wanted):
        raise BadInput("`task_filters` must be a list of task names", fix="write task_filters=[adlr_mmlu,hellaswag]")
    return tuple(dict.fromkeys(wanted))
