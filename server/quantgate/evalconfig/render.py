"""Values as YAML text that ruamel (YAML 1.2) and NEL's loader (YAML 1.1) read alike."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_PLAIN = re.compile(r"(?:\$\{)?[A-Za-z_/](?:[\w./@=+,;%~$(){}<>|&*!?'\"\\-]|:(?=\S)|[ ](?=[^\s#]))*")
_FLOW_UNSAFE = re.compile(r"[\[\]{},?]")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null", "none"})
_FLOW_WIDTH = 100


class Folded(str):
    """Text that is written as a folded block, `>-`, one line of the block for each line of it; it means them joined by spaces."""

    __slots__ = ()

    @property
    def meaning(self) -> str:
        """The text as YAML reads it back."""
        return " ".join(self.splitlines())


def scalar(value: Any, *, flow: bool = False) -> str:
    """One scalar on one line; text that either YAML dialect would read as something else is quoted.

    Args:
        value: None, a boolean, a number, or anything else as its text.
        flow: Whether it stands inside `[]` or `{}`.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    text = str(value)
    if text == "???":
        return "???" if not flow else '"???"'
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not (flow and _FLOW_UNSAFE.search(text))
    return text if plain else json.dumps(text, ensure_ascii=False)


def _number(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    # YAML 1.1 reads 1e-07 as text: the dot makes it a number in both dialects.
    return text.replace("e", ".0e", 1) if "e" in text and "." not in text else text


def inline(value: Any) -> str:
    """A value on one line, in flow style when it is a container."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(str(k), flow=True)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    return scalar(value)


def _flow(value: Any) -> str:
    return inline(value) if isinstance(value, dict | list) else scalar(value, flow=True)


def fits_inline(value: Any) -> bool:
    """Whether a value is written beside its key: scalars, empty containers and short lists of scalars."""
    if isinstance(value, dict):
        return not value
    if isinstance(value, list):
        return all(not isinstance(v, dict | list) for v in value) and len(inline(value)) <= _FLOW_WIDTH
    return not isinstance(value, Folded)


def block(value: Any, indent: int) -> str:
    """A container in block style; the first line has no indentation, the others `indent` spaces or more.

    Args:
        value: A non-empty mapping or list, or the lines of a `Folded` text.
        indent: Column of its keys or dashes.
    """
    if isinstance(value, Folded):
        lines = value.splitlines()
    elif isinstance(value, dict):
        lines = [scalar(str(key)) + ":" + _beside(child, indent) for key, child in value.items()]
    else:
        lines = ["- " + (inline(item) if fits_inline(item) else block(item, indent + 2)) for item in value]
    return ("\n" + " " * indent).join(lines)


def _beside(value: Any, indent: int) -> str:
    if fits_inline(value):
        return " " + inline(value)
    return header(value) + "\n" + " " * (indent + 2) + block(value, indent + 2)


def header(value: Any) -> str:
    """What stands behind the colon when the value itself begins on the next line."""
    return " >-" if isinstance(value, Folded) else ""
