"""How a value is written into a serving command, so that the shell hands it to the server unchanged."""

from __future__ import annotations

import json
import re

from ..errors import BadInput
from .command_words import WHERE

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_REFERENCE = re.compile(r"\$\{[A-Za-z_][\w.\-]*\}")
_UNQUOTED = re.compile(r"[A-Za-z0-9_@%+=:,./\-]+")
_META = re.compile(r"[;&|<>()$`\\*?~!#'\"]")


def quoted(flag: str, value: str, *, several: bool = False) -> str:
    """A value as it stands in a command.

    Args:
        flag: Whose value it is, for the messages.
        value: Plain text, JSON, or one word in quotes of its own; `${a.b}` refers to the config.
        several: The flag takes several values, which spaces part.

    Raises:
        BadInput: It has a control character, begins like a flag, or has what a shell acts on outside quotes.
    """
    if _CONTROL.search(value):
        raise BadInput(f"The value of {flag} has a line break or a control character", where=WHERE, fix="use one line")
    if not value.strip() or value.startswith("-"):
        raise BadInput(
            f"{value[:40]!r} is no value for {flag}", where=WHERE, fix="give a value without a dash in front"
        )
    if "${" in _REFERENCE.sub("", value):
        raise BadInput(
            f"The value of {flag} has a ${{ that is no reference into the config: {value[:60]!r}",
            where=WHERE,
            fix="write the value itself, or ${section.key}",
        )
    if _is_json(value) and "'" not in value:
        return f"'{value}'"
    if several and value[0] not in "'\"":
        return " ".join(_one_word(flag, part) for part in value.split())
    return _one_word(flag, value)


def _one_word(flag: str, value: str) -> str:
    bare = _REFERENCE.sub("x", value)
    if value.startswith("-"):
        raise BadInput(
            f"{value[:40]!r} is no value for {flag}", where=WHERE, fix="give a value without a dash in front"
        )
    if _UNQUOTED.fullmatch(bare) or _is_quoted(bare):
        return value
    if _META.search(bare):
        raise BadInput(
            f"The value of {flag} has characters that a shell acts on: {value[:60]!r}",
            where=WHERE,
            fix="give a plain value or JSON, or put it in single quotes",
        )
    return f"'{value}'"


def _is_quoted(bare: str) -> bool:
    """Whether a value, its references left out, is one word in quotes in which a shell expands nothing."""
    quote, inner = bare[0], bare[1:-1]
    if len(bare) < 3 or quote not in "'\"" or bare[-1] != quote or quote in inner or inner.startswith("-"):
        return False
    return quote == "'" or not re.search(r"[$`\\]", inner)


def _is_json(value: str) -> bool:
    if value[0] not in "{[":
        return False
    try:
        json.loads(_REFERENCE.sub("0", value))
    except (ValueError, RecursionError):
        return False
    return True
