"""One table of a TOML file, changed in the text: every other line stays as it was."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any


class NotToml(ValueError):
    """The text is no TOML, or holds the servers in a form to which no table can be added."""


def parse(text: str) -> dict[str, Any]:
    """Read a text.

    Raises:
        NotToml: It is none; the message names the line.
    """
    try:
        return tomllib.loads(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise NotToml(str(error)) from None


def with_entry(text: str, table: str, name: str, entry: dict[str, Any]) -> str:
    """The text with `[table.name]`: put at the end, or in the place of the one that is there.

    Raises:
        NotToml: The result would not say that; an inline table (`table = {…}`) cannot be added to.
    """
    line = "\r\n" if "\r\n" in text else "\n"
    block = line.join([f"[{table}.{name}]", *(f"{key} = {_printed(value)}" for key, value in entry.items())]) + line
    span = _span(text, table, name)
    if span:
        changed = text[: span[0]] + block + text[span[1] :]
    else:
        gap = "" if not text.strip("\ufeff") else line if text.endswith(("\n", "\r\n")) else line * 2
        changed = text + gap + block
    expected = parse(text)
    servers = expected.setdefault(table, {})
    if not isinstance(servers, dict):
        raise NotToml(f"{table} is not a table")
    servers[name] = entry
    return _checked(changed, expected, table, name)


def without_entry(text: str, table: str, name: str) -> str:
    """The text without `[table.name]`, and without the empty line that was put before it."""
    span = _span(text, table, name)
    expected = parse(text)
    servers = expected.get(table)
    if not span or not isinstance(servers, dict) or name not in servers:
        return text
    before, after = text[: span[0]], text[span[1] :]
    for gap in ("\r\n\r\n", "\n\n"):
        if before.endswith(gap):
            before = before[: -len(gap) // 2]
            break
    del servers[name]
    if not servers and not re.search(rf"^\s*\[{re.escape(table)}\]", before + after, re.MULTILINE):
        del expected[table]
    return _checked(before + after, expected, table, name)


def _span(text: str, table: str, name: str) -> tuple[int, int] | None:
    """From the table's header to its last line; the comments above the next header belong to that one."""
    here = rf'[ \t]*\[\[?[ \t]*{re.escape(table)}[ \t]*\.[ \t]*"?{re.escape(name)}"?[ \t]*'
    here = rf'[ \t]*\[\[?[ \t]*{re.escape(table)}[ \t]*\.[ \t]*"?{re.escape(name)}"?[ \t]*'
    header = re.compile(rf"^{here}\][^\r\n]*\r?\n?", re.MULTILINE)
    found = header.search(text)
    if found is None:
        return None
    own = re.compile(rf"{here}\.")
    end = position = found.end()
    for row in text[position:].splitlines(keepends=True):
        stripped = row.strip()
        if stripped.startswith("[") and not own.match(row):
            break
        position += len(row)
        if stripped and not stripped.startswith("#"):
            end = position
    return found.start(), end


def _checked(changed: str, expected: dict[str, Any], table: str, name: str) -> str:
    try:
        same = parse(changed) == expected
    except NotToml:
        same = False
    if not same:
        raise NotToml(f"{table}.{name} is written there in a form that cannot be changed without changing more")
    return changed


def _printed(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_printed(item) for item in value) + "]"
    # A JSON string without \u escapes of pairs is a TOML basic string (toml.io 1.0, section String).
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
