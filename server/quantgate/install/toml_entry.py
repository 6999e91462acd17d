"""One table of a TOML file, changed in the text: every other line stays as it was."""

from __future__ import annotations

import datetime
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
    except (ValueError, RecursionError) as error:  # ValueError: also a number of more digits than Python reads
        raise NotToml(str(error)) from None


def with_entry(text: str, table: str, name: str, entry: dict[str, Any]) -> str:
    """The text with `[table.name]`: put at the end, or in the place of the one that is there.

    Raises:
        NotToml: The result would not say that; an inline table (`table = {…}`) cannot be added to.
    """
    line = "\r\n" if "\r\n" in text else "\n"
    rows = [f"{_key(key)} = {_printed(value)}" for key, value in entry.items()]
    block = line.join([f"[{table}.{name}]", *rows]) + line
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
    """The text without `[table.name]`, and without the empty line that was put before it.

    Raises:
        NotToml: It is there in another form, such as an inline table.
    """
    span = _span(text, table, name)
    expected = parse(text)
    servers = expected.get(table)
    if not isinstance(servers, dict) or name not in servers:
        return text
    if not span:
        raise _other_form(table, name)
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
    first, second = (rf"""["']?{re.escape(key)}["']?""" for key in (table, name))
    here = rf"[ \t]*\[\[?[ \t]*{first}[ \t]*\.[ \t]*{second}[ \t]*"
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
        raise _other_form(table, name)
    return changed


def _other_form(table: str, name: str) -> NotToml:
    return NotToml(f"{table}.{name} is written there in a form that cannot be changed without changing more")


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _printed(key)


def _printed(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_printed(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_printed(item)}" for key, item in value.items()) + " }"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    # A JSON string without \u escapes of pairs is a TOML basic string (toml.io 1.0, section String).
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
