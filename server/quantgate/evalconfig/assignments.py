"""`path=value` as an agent gives it: one line, typed as YAML reads it, and nothing that could break out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import redact
from ..errors import BadInput
from . import paths
from .lint.environment import PREFIXES

MAX_LENGTH = 20_000
_RESERVED = ("[", "{", '"', "'")


@dataclass(frozen=True)
class Assignment:
    """One value to set at one place."""

    path: str
    value: Any


def parse(text: str) -> Assignment:
    """Read one `path=value`.

    Numbers, true, false, null, quoted text, `[lists]` and `{mappings}` are typed as in YAML; everything else is text
    as it stands, so that `lit:a #b` or `12:00:00` need no quotes.

    Raises:
        BadInput: No `=`, a malformed path, a line break or control character, a value that is no YAML, or a variable's
            value without a prefix (which is not repeated in the message).
    """
    path, separator, value = text.partition("=")
    path = path.strip()
    if not separator:
        raise BadInput(
            f"{path[:80]!r} has no value", where="set", fix="write it as path=value; use `unset` to remove a key"
        )
    segments = paths.parse(path)
    if len(text) > MAX_LENGTH:
        raise BadInput(f"The value for {path} is longer than {MAX_LENGTH} characters", where="set")
    if any(ord(character) < 32 or character in "\x7f\x85\u2028\u2029" for character in text):
        raise BadInput(
            f"The value for {path[:80]} has a line break or a control character",
            where="set",
            fix="give a value on one line; edit the file for longer text",
        )
    parsed = _typed(value.strip(), path)
    declares_variable = len(segments) > 1 and segments[-2] == "env_vars"
    if declares_variable and not str(parsed).startswith(PREFIXES) and parsed != "???":
        name = str(segments[-1])
        hint = f"host:{name}" if redact.is_secret_name(name) else f"host:{name}, or lit:… for a constant"
        raise BadInput(
            f"The value for {path} has none of the prefixes host:, lit:, runtime: (it is not shown)",
            where="set",
            fix=f"write {path}={hint}",
        )
    return Assignment(path, parsed)


def _typed(value: str, path: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    marked = value.startswith(_RESERVED)
    try:
        parsed = YAML(typ="safe", pure=True).load(value) if value else ""
    except (YAMLError, ValueError, TypeError, RecursionError):
        if marked:
            raise BadInput(
                f"The value for {path} is not valid YAML", where="set", fix="close its quotes and brackets"
            ) from None
        return value
    if parsed is None:
        return None if value in ("null", "~", "Null", "NULL") else value
    if isinstance(parsed, bool | int | float) or marked:
        return _checked(parsed, path)
    return value


def _checked(parsed: Any, path: str) -> Any:
    """Only what JSON could hold: no dates, sets or tagged values."""
    if isinstance(parsed, dict):
        return {str(key): _checked(child, path) for key, child in parsed.items()}
    if isinstance(parsed, list):
        return [_checked(child, path) for child in parsed]
    if parsed is None or isinstance(parsed, str | bool | int | float):
        if isinstance(parsed, str) and "\n" in parsed:
            raise BadInput(f"The value for {path} has a line break", where="set", fix="give a value on one line")
        return parsed
    raise BadInput(
        f"The value for {path} has a {type(parsed).__name__} in it", where="set", fix="quote it, so that it is text"
    )
