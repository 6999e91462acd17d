"""What can be told of an answer without knowing its question: digests, and what stands out in its text."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

MOST_CHARACTERS = 200_000
"""Longer answers are judged by their beginning and their end."""
GIST_CHARACTERS = 200
SHORT_CHARACTERS = 40
"""An answer up to this length may well be that of another question too: a letter, a number, "The answer is (B)."."""
_DIGEST = 16
_REASONING = re.compile(
    r"</?(?:seed:)?(?:think|thinking|thought|reasoning)\s{0,4}>|<\|channel\|?>\s{0,4}analysis"
    r"|<\|(?:START|END)_THINKING\|>|\[/?THINK\]|◁/?think▷",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    r"<\|(?:im_start|im_end|eot_id|eom_id|start_header_id|end_header_id|endoftext|begin_of_text|end_of_text|assistant|user|system|end"
    r"|return)\|>|<\|start\|>assistant|<｜(?:begin▁of▁sentence|end▁of▁sentence|User|Assistant)｜>"
    r"|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
)
_END, _STRUCK = "</s>", "<s>"
"""A token of the template where nothing began with the other; else struck text of HTML."""
_FAULT = (
    r"(?:api[ _]?error|(?:api[ _]?)?connection error|request timed out|(?:gateway |read |connect )?timeout|internal server error"
    r"|bad gateway|bad request|service unavailable|too many requests|rate limit exceeded)"
)
_PLACEHOLDER = re.compile(
    r"\W*+(?:none|null|nan|n/a|todo|undefined|(?:no|empty) (?:response|answer)(?: \([^()]{1,40}\))?|placeholder|dummy(?: response)?"
    rf"|lorem ipsum.*|(?:error\W{{1,3}})?(?:\d{{3}}\W{{1,3}})?{_FAULT}(?:\W.{{0,40}})?|litellm\.\w{{1,40}}\b.*"
    r"|error(?:\W{1,3}\d{3})?)\W*",
    re.IGNORECASE | re.DOTALL,
)
_PLACEHOLDER_CHARACTERS = 300
_NO_GIST = re.compile(r"[\W\d_]+")
_NO_LETTERS = bytes(code for code in range(128) if not chr(code).isalpha())


@dataclass(frozen=True, slots=True)
class Look:
    """What an answer looks like; the fields go into a `SampleRow` under their names."""

    empty: bool
    answer: str
    gist: str
    traits: frozenset[str]


_NOTHING = Look(True, "", "", frozenset())
_PLAIN: frozenset[str] = frozenset()
_SHORT = frozenset({"short"})
_WORD = re.compile(r"[^\W_]")


def digest(text: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a text; empty for an empty text."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_DIGEST] if text else ""


def look(answer: object) -> Look:
    """Look at an answer as it was scored; anything but text is no answer."""
    text = answer.strip() if isinstance(answer, str) else ""
    if not text:
        return _NOTHING
    seen = text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS // 2] + text[-MOST_CHARACTERS // 2 :]
    # Signs alone ("!!!!") are no answer to anything.
    traits = _SHORT if len(seen) <= SHORT_CHARACTERS and _WORD.search(seen) else _PLAIN
    if ("<" in seen or "[" in seen or "◁" in seen) and (found := _in_brackets(seen)):
        traits = traits | frozenset(found)
    if len(seen) < _PLACEHOLDER_CHARACTERS and _PLACEHOLDER.fullmatch(seen):
        traits = traits | {"placeholder"}
    return Look(False, digest(text), _gist(seen), traits)


def _gist(text: str) -> str:
    """The digest of the letters at the beginning of a text."""
    start = text[: 2 * GIST_CHARACTERS].lower()
    # What the expression does, ten times as fast: most of the time of a large table was spent in it.
    letters = start.encode().translate(None, _NO_LETTERS).decode() if start.isascii() else _NO_GIST.sub("", start)
    return digest(letters[:GIST_CHARACTERS])


def _in_brackets(text: str) -> list[str]:
    found = [name for name, sign in (("reasoning", _REASONING), ("template", _TEMPLATE)) if sign.search(text)]
    if "template" not in found and _END in text and _STRUCK not in text:
        found.append("template")
    return found
