"""`path=value` as an agent gives it: one line, typed as YAML reads it, and nothing that could break out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import redact
from ..errors import BadInput
from . import bounds, paths
from .command_flags import is_switch
from .flag_edits import flag_in
from .variables import PREFIXES

MAX_LENGTH = 20_000
MAX_DEPTH = 50
_RESERVED = ("[", "{", '"', "'")


@dataclass(frozen=True)
class Assignment:
    """One value to set at one place.

    Attributes:
        path: Where, as a dotted path.
        value: The value, typed as YAML reads it.
        raw: Its text as it was given, without the white space around it.
    """

    path: str
    value: Any
    raw: str = ""


def parse(text: str) -> Assignment:
    """Read one `path=value`.

    Numbers, true, false, null, quoted text, `[lists]` and `{mappings}` are typed as in YAML; everything else is text
    as it stands, so that `lit:a #b` or `12:00:00` need no quotes.

    Raises:
        BadInput: No `=` (a switch of the serving command needs none), a malformed path,
            a line break or control character, a value that is no YAML, or a variable's
            value without a prefix (which is not repeated in the message).
    """
    path, separator, value = text.partition("=")
    path = path.strip()
    if not separator and _is_switch(path):
        return Assignment(path, True)
    if not separator:
        raise BadInput(
            f"{path[:80]!r} has no value",
            where="set",
            fix="write it as path=value; only a switch of the serving command, such as "
            "deployment.command.--enable-expert-parallel, has none; use `unset` to remove a key",
        )
    segments = paths.parse(path)
    if len(text) > MAX_LENGTH:
        raise BadInput(f"The value for {path} is longer than {MAX_LENGTH} characters", where="set")
    if _breaks_line(text):
        raise BadInput(
            f"The value for {path[:80]} has a line break or a control character",
            where="set",
            fix="give a value on one line; edit the file for longer text",
        )
    parsed = _typed(value.strip(), path)
    _refuse_plain_values(segments, parsed)
    return Assignment(path, parsed, value.strip())


def _is_switch(path: str) -> bool:
    return bool(path) and not _breaks_line(path) and not path.startswith("-") and is_switch(flag_in(path))


def _refuse_plain_values(segments: tuple[paths.Segment, ...], value: Any) -> None:
    """Refuse a variable without one of NEL's prefixes, wherever in the value it stands; it is never shown."""
    for at, leaf in paths.walk(value, segments):
        declares_variable = len(at) > 1 and at[-2] == "env_vars" and leaf != {}
        if declares_variable and not str(leaf).startswith(PREFIXES) and leaf != "???":
            name, path = str(at[-1]), paths.join(at)
            hint = f"host:{name}" if redact.is_secret_name(name) else f"host:{name}, or lit:… for a constant"
            raise BadInput(
                f"The value for {path} has none of the prefixes host:, lit:, runtime: (it is not shown)",
                where="set",
                fix=f"write {path}={hint}",
            )


def _typed(value: str, path: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    marked = value.startswith(_RESERVED)
    try:
        if bounds.refers(value):
            raise ValueError("an alias")
        parsed = YAML(typ="safe", pure=True).load(value) if value else ""
    except (YAMLError, ValueError, TypeError, RecursionError):
        if marked:
            raise BadInput(
                f"The value for {path} is not valid YAML, or has aliases",
                where="set",
                fix="close its quotes and brackets, and write aliases out",
            ) from None
        return value
    if parsed is None:
        return None if value in ("null", "~", "Null", "NULL") else value
    if isinstance(parsed, bool | int | float) or marked:
        return _checked(parsed, path)
    return value


def _breaks_line(text: str) -> bool:
    return any(ord(character) < 32 or character in "\x7f\x85\u2028\u2029" for character in text)


def _checked(parsed: Any, path: str) -> Any:
    """Only what JSON could hold: no dates, sets or tagged values."""

    def check(value: Any, depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            raise BadInput(f"The value for {path} is nested too deep", where="set", fix="edit the file")
        if isinstance(value, dict):
            return {str(check(key, depth + 1)): check(child, depth + 1) for key, child in value.items()}
        if isinstance(value, list):
            return [check(child, depth + 1) for child in value]
        if isinstance(value, str) and _breaks_line(value):
            raise BadInput(
                f"The value for {path} has a line break or a control character",
                where="set",
                fix="give a value on one line",
            )
        if value is None or isinstance(value, str | bool | int | float):
            return value
        raise BadInput(
            f"The value for {path} has a {type(value).__name__} in it", where="set", fix="quote it, so that it is text"
        )

    return check(parsed)
