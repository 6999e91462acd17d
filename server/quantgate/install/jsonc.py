"""One entry of a JSON file with comments, changed in the text: every other character stays as it was.

Editors and clients keep their lists of servers in JSON that people edit, with comments and trailing commas (RFC 8259 has
neither; both are read by the clients). A parser and a printer would lose them, so an edit here is an insertion or a cut.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 100
_STRINGS = json.JSONDecoder()
_SPACE = re.compile(r"(?:[ \t\r\n]++|//[^\r\n]*+|/\*.*?\*/)*+", re.DOTALL)
_LINE_REST = re.compile(r"[ \t]*(?=\r?\n|\}|\Z)")
_SCALAR = re.compile(r"-?[0-9][0-9.eE+\-]*|true|false|null")


class NotJson(ValueError):
    """The text is no JSON, even with comments; the message names the line."""


@dataclass(frozen=True)
class Member:
    """A key of an object and its value: `start` is the key's first character, `comma` that of the comma after it, or -1."""

    key: str
    start: int
    node: Node
    comma: int


@dataclass(frozen=True)
class Node:
    """A value and the characters from `start` up to `end` that it takes."""

    start: int
    end: int
    value: Any
    members: tuple[Member, ...] = field(default=())

    def member(self, key: str) -> Member | None:
        """The member of that name, if this is an object that has it."""
        return next((m for m in self.members if m.key == key), None)


def parse(text: str) -> Node:
    """Read a text.

    Raises:
        NotJson: It is none, is nested deeper than MAX_DEPTH, or an object names a key twice (which of the two a client
            takes is not known).
    """
    begin = _skip(text, 1 if text.startswith("\ufeff") else 0)
    node = _value(text, begin, 0)
    if _skip(text, node.end) != len(text):
        raise _fault(text, _skip(text, node.end), "more text after the value")
    return node


def with_entry(text: str, table: str, name: str, entry: dict[str, Any]) -> str:
    """The text with `table.name` set to an entry.

    Args:
        text: A JSON object, with or without comments.
        table: A key of the object, whose value is an object; it is added where it is missing.
        name: The key in it.
        entry: The new value; an old one is replaced in its place.

    Raises:
        NotJson: The text is no JSON object, what stands at `table` is none, or the result would not say that.
    """
    top = parse(text)
    if not isinstance(top.value, dict):
        raise NotJson("the file is not a JSON object")
    found = top.member(table)
    if found is None:
        return _checked(_inserted(text, top, table, {name: entry}), {**top.value, table: {name: entry}})
    servers = found.node.value
    if not isinstance(servers, dict):
        raise NotJson(f"{table} is not an object")
    old = found.node.member(name)
    if old is None:
        changed = _inserted(text, found.node, name, entry)
    else:
        changed = text[: old.node.start] + _printed(text, entry, _indent(text, old.start)) + text[old.node.end :]
    return _checked(changed, {**top.value, table: {**servers, name: entry}})


def without_entry(text: str, table: str, name: str, *, table_too: bool = False) -> str:
    """The text without `table.name`, and without `table` if that is wanted and leaves it empty.

    Raises:
        NotJson: The text is no JSON, or the result would not say that.
    """
    top = parse(text)
    found = top.member(table)
    member = found.node.member(name) if found else None
    if found is None or member is None:
        return text
    expected = dict(top.value)
    if table_too and len(found.node.members) == 1:
        del expected[table]
        return _checked(_cut(text, top, found), expected)
    expected[table] = {key: value for key, value in found.node.value.items() if key != name}
    return _checked(_cut(text, found.node, member), expected)


def _checked(changed: str, expected: Any) -> str:
    try:
        same = parse(changed).value == expected
    except NotJson:
        same = False
    if not same:
        raise NotJson("the entry stands there in a form that cannot be changed without changing more")
    return changed


def _inserted(text: str, node: Node, key: str, value: Any) -> str:
    close = node.end - 1
    last = len(text[:close].rstrip())
    trailing = bool(node.members) and node.members[-1].comma >= 0
    if node.members and "\n" not in text[node.start : close]:
        added = f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        tail = text[last:close]
    else:
        line = "\r\n" if "\r\n" in text else "\n"
        outer = _indent(text, node.start)
        inner = outer + _unit(text)
        if node.members and "\n" in text[node.start : node.members[0].start]:
            inner = _indent(text, node.members[0].start)
        added = f"{line}{inner}{json.dumps(key)}: {_printed(text, value, inner)}"
        tail = text[last:close] if node.members or "\n" in text[last:close] else line + outer
    added += "," if trailing else ""
    if node.members and not trailing:
        end = node.members[-1].node.end
        return text[:end] + "," + text[end:last] + added + tail + text[close:]
    return text[:last] + added + tail + text[close:]


def _cut(text: str, node: Node, member: Member) -> str:
    position = node.members.index(member)
    before = node.members[position - 1] if position else None
    start, end = member.start, member.comma + 1 if member.comma >= 0 else member.node.end
    line_start = len(text[:start].rstrip(" \t"))
    rest = _LINE_REST.match(text, end)
    if line_start and text[line_start - 1] == "\n" and rest:
        # The whole line is ours: it goes with the line end before it, as it came; but a comment would take in what follows here.
        line = text[node.start : line_start].rstrip("\r\n").rpartition("\n")[2]
        if "//" not in line or text[rest.end() : rest.end() + 1] != "}":
            line_start -= 2 if text[:line_start].endswith("\r\n") else 1
        start, end = line_start, rest.end()
    elif before is not None and before.comma + 1 == line_start:
        start = line_start
    elif member.comma >= 0:
        end += len(text[end:]) - len(text[end:].lstrip(" \t"))
    cut = text[:start] + text[end:]
    if before is not None and member.comma < 0:
        # It was the last one, without a comma: the comma before it came with it.
        cut = cut[: before.comma] + cut[before.comma + 1 :]
    after = cut.index("}", node.start)
    if len(node.members) == 1 and not cut[node.start + 1 : after].strip():
        cut = cut[: node.start + 1] + cut[after:]
    return cut


def _indent(text: str, position: int) -> str:
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    first = re.search(r"\n([ \t]+)\S", text)
    if first and first[1].startswith("\t"):
        return "\t"
    return first[1] if first and len(first[1]) <= 8 else "  "


def _printed(text: str, value: Any, indent: str) -> str:
    unit = _unit(text)
    printed = json.dumps(value, indent="\t" if unit == "\t" else len(unit), ensure_ascii=False)
    return printed.replace("\n", ("\r\n" if "\r\n" in text else "\n") + indent)


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _value(text: str, position: int, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise _fault(text, position, f"nested deeper than {MAX_DEPTH}")
    opening = text[position : position + 1]
    if opening == "{":
        return _object(text, position, depth)
    if opening == "[":
        return _array(text, position, depth)
    if opening == '"':
        string, end = _string(text, position)
        return Node(position, end, string)
    scalar = _SCALAR.match(text, position)
    if scalar is None:
        raise _fault(text, position, "a value is expected")
    try:
        return Node(position, scalar.end(), json.loads(scalar[0]))
    except ValueError:
        raise _fault(text, position, "not a number") from None


def _object(text: str, start: int, depth: int) -> Node:
    members: list[Member] = []
    position = _skip(text, start + 1)
    while text[position : position + 1] != "}":
        if text[position : position + 1] != '"' or (members and members[-1].comma < 0):
            raise _fault(text, position, "a key in quotes, a comma or } is expected")
        key_start = position
        key, position = _string(text, position)
        if any(m.key == key for m in members):
            raise _fault(text, key_start, f"the key {key[:60]!r} stands here twice")
        position = _skip(text, position)
        if text[position : position + 1] != ":":
            raise _fault(text, position, "a colon is expected")
        node = _value(text, _skip(text, position + 1), depth + 1)
        position = _skip(text, node.end)
        comma = position if text[position : position + 1] == "," else -1
        members.append(Member(key, key_start, node, comma))
        position = _skip(text, position + 1) if comma >= 0 else position
    return Node(start, position + 1, {m.key: m.node.value for m in members}, tuple(members))


def _array(text: str, start: int, depth: int) -> Node:
    values: list[Any] = []
    position = _skip(text, start + 1)
    comma = True
    while text[position : position + 1] != "]":
        if not comma:
            raise _fault(text, position, "a comma or ] is expected")
        node = _value(text, position, depth + 1)
        values.append(node.value)
        position = _skip(text, node.end)
        comma = text[position : position + 1] == ","
        position = _skip(text, position + 1) if comma else position
    return Node(start, position + 1, values)


def _string(text: str, position: int) -> tuple[str, int]:
    try:
        string, end = _STRINGS.raw_decode(text, position)
    except ValueError:
        raise _fault(text, position, "a string that does not end, or a wrong escape in it") from None
    return string, end


def _fault(text: str, position: int, what: str) -> NotJson:
    return NotJson(f"line {text.count(chr(10), 0, position) + 1}: {what}")
