"""Damage along the structure of an input: one value of a JSON document, one line of a text, one number of a binary header.

Both engines use it: hypothesis draws the seeds of the dice, atheris calls it as its custom mutator beside its own.
"""

from __future__ import annotations

import json
import random
import struct
from typing import Any

from . import bundle
from .watching import CANARY, TOUCHED

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, -0.0, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 1e308, float("nan"),
    float("inf"), -float("inf"), "", " ", "0", "-1", "1e999", "nan", "²", "٣", "１２", "9" * 30, "9" * 5000, "1_0", "0x10",
    "\x00", "\ud800", "\u202e", "\x1b]52;c;eA==\x07", "\x1b[2J", "a" * 5000, "é" * 2000, "true", "null", "None", "???",
    "${oc.env:HF_TOKEN}", "${oc.env:NOT_SET}", "${a.b}", "${.x}", "${", "$(touch " + TOUCHED + ")", "`touch " + TOUCHED + "`",
    "; touch " + TOUCHED, "--help", "-rf", "../../../../etc/passwd", "/dev/zero", "/etc/shadow", "~nobody/x", "host:HF_TOKEN",
    "lit:" + CANARY, "file:///etc/passwd", "http://u:p@h/", "*", "(a+)+$", "[", "{", "%s%n", "{0.__class__}", "{{7*7}}",
    [], {}, [[]], [None], [{}], {"": None}, {"a": {"a": {"a": {}}}}, ["a"] * 300, [0] * 300, {"__class__": 1},
)  # fmt: skip
TOKENS: tuple[bytes, ...] = (
    b"\x00", b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\t", b"\x1b[31m", b"\x1f", b"\x85",
    b"\xe2\x80\xa8", b"&a ", b"*a", b"<<: *a", b"? ", b"- ", b": ", b"!!int ", b"!!float ", b"!!binary ", b"!!timestamp ",
    b"!!set ", b"!!omap ", b"!!python/object/apply:os.system ['touch " + TOUCHED.encode() + b"']", b"%YAML 9.9\n", b"%TAG ! x\n",
    b"--- \n", b"...\n", b"|9\n", b">-\n", b'"\\ud800"', b'"\\u0000"', b"{", b"}", b"[", b"]", b"[" * 200, b"{a: " * 100, b"NaN",
    b"1e999", b"9" * 400, b"0o7", b"2001-99-99", b".inf", b"~", b"@end\n", b"@code 0\n", b"\xc2\xb2", b"\xd9\xa3", b"=== ",
)  # fmt: skip
NUMBERS = (0, 1, 7, 8, 0x7F, 0xFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
MOST = 1 << 16
"""Bytes of a damaged input; a larger one tells no more and takes longer."""


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The input with one thing in it changed."""
    files = bundle.unpacked(data)
    names = [name for name in files if name]
    if not names:
        return _file(data, dice)[:MOST]
    name = dice.choice(names)
    turn = dice.random()
    if turn < 0.04 and len(names) > 1:
        files.pop(name)
    elif turn < 0.08:
        files[name] = files[dice.choice(names)]
    else:
        files[name] = _file(files[name], dice)
    return bundle.packed({n: c for n, c in files.items() if n})[:MOST]


def _file(content: bytes, dice: random.Random) -> bytes:
    if dice.random() < 0.8:
        changed = _json(content, dice) or _json_lines(content, dice)
        if changed is not None:
            return changed
        if content.count(b"\0") < 3 and b"\n" in content:
            return _lines(content, dice)
    return _bytes(content, dice)


def _json(content: bytes, dice: random.Random) -> bytes | None:
    # A document, or one behind the length that a safetensors file begins with.
    for start in (0, 8):
        head, text = content[:start], content[start:]
        if text[:1] not in (b"{", b"["):
            continue
        try:
            value, end = json.JSONDecoder().raw_decode(text.decode("utf-8"))
        except (ValueError, RecursionError):
            continue
        try:
            new = json.dumps(_value(value, dice)).encode()
        except (ValueError, RecursionError):
            return None
        rest = text.decode("utf-8")[end:].encode()
        return (struct.pack("<Q", len(new)) if start else head) + new + rest
    return None


def _json_lines(content: bytes, dice: random.Random) -> bytes | None:
    lines = content.split(b"\n")
    rows = [i for i, line in enumerate(lines) if line[:1] in (b"{", b"[")]
    if not rows:
        return None
    at = dice.choice(rows)
    changed = _json(lines[at], dice)
    if changed is None:
        return None
    lines[at] = changed
    return b"\n".join(lines)


def _value(value: Any, dice: random.Random) -> Any:
    """The document with one node replaced, removed, repeated, nested or renamed."""
    if isinstance(value, dict | list) and value and dice.random() < 0.85:
        keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = dice.choice(keys)
        changed = dict(value) if isinstance(value, dict) else list(value)
        turn = dice.random()
        if turn < 0.08:
            del changed[key]
        elif turn < 0.14 and isinstance(changed, dict):
            changed[str(dice.choice(VALUES))[:200]] = changed.pop(key)
        elif turn < 0.2 and isinstance(changed, list):
            changed.insert(key, changed[key])
        else:
            changed[key] = _value(changed[key], dice)
        return changed
    turn = dice.random()
    if turn < 0.1:
        return [value]
    if turn < 0.2:
        return {"a": value}
    if turn < 0.3 and isinstance(value, str):
        return value + str(dice.choice(VALUES))[:500]
    return dice.choice(VALUES)


def _lines(content: bytes, dice: random.Random) -> bytes:
    lines = content.split(b"\n")
    at = dice.randrange(len(lines))
    turn, line = dice.random(), lines[at]
    if turn < 0.1:
        del lines[at]
    elif turn < 0.2:
        lines.insert(dice.randrange(len(lines)), line)
    elif turn < 0.3:
        lines[at] = b" " * dice.choice([1, 2, 4]) + line
    elif turn < 0.35:
        lines[at] = line.lstrip()
    else:
        for mark in (b": ", b"=", b"\x1f", b" ", b"|", b"\t"):
            if mark in line and dice.random() < 0.7:
                fields = line.split(mark)
                fields[dice.randrange(len(fields))] = _scalar(dice)
                lines[at] = mark.join(fields)
                break
        else:
            lines[at] = _bytes(line, dice)
    return b"\n".join(lines)


def _scalar(dice: random.Random) -> bytes:
    value = dice.choice(VALUES)
    try:
        text = value if isinstance(value, str) and dice.random() < 0.5 else json.dumps(value)
        return text.encode("utf-8", "surrogatepass")[:6000]
    except ValueError:
        return b"x"


def _bytes(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content) + 1)
    length = min(dice.choice([0, 0, 1, 2, 4, 8, 64]), len(content) - at)
    turn = dice.random()
    if turn < 0.3:
        new = dice.choice(TOKENS)
    elif turn < 0.5:
        width = dice.choice(["<I", "<Q", ">I", "<H"])
        new = struct.pack(width, dice.choice(NUMBERS) & ((1 << (8 * struct.calcsize(width))) - 1))
        length = len(new)
    elif turn < 0.6:
        return content[:at]
    elif turn < 0.75:
        other = dice.randrange(len(content) + 1)
        new = content[other : other + dice.choice([1, 8, 64, 512])]
    else:
        new = dice.randbytes(dice.choice([1, 1, 2, 8]))
    return content[:at] + new + content[at + length :]
