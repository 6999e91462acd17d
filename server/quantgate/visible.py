"""Text without what steers a terminal or hides from the eye: such characters are written out, so that nothing of the text is lost.

Whatever is printed or answered may hold names and words that others chose. JSON is no shelter: its encoders leave C1 controls,
direction marks and invisible characters as they are, and a client that decodes the rest may print it.
"""

from __future__ import annotations

import unicodedata
from typing import Any

_CATEGORIES = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"))
"""Unicode categories without a picture: controls, formats, unassigned, private, halves of pairs, ends of lines and paragraphs."""
_FILLERS = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xE0100, 0xE01EF),
    )
    for code in range(first, last + 1)
)
"""Of other categories, but not seen either: joiners, fillers, variation selectors (Unicode's Default_Ignorable_Code_Point), and the
empty Braille pattern."""


def hides(character: str) -> bool:
    """Whether a character steers a terminal or is not seen; end of line, tab and the blanks are what they look like."""
    return character not in "\n\t" and (unicodedata.category(character) in _CATEGORIES or character in _FILLERS)


def text(shown: str) -> str:
    """The text with each such character written out: `\\x1b`, `\\u202e`."""
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(written(c) if hides(c) else c for c in shown)


def written(character: str) -> str:
    """One character as it is written in Python and JSON: `\\x1b`."""
    return character.encode("unicode_escape").decode("ascii")


def value(shown: Any) -> Any:
    """`text` on every string inside a JSON-like value, names of keys too; containers are rebuilt, other values pass."""
    if isinstance(shown, str):
        return text(shown)
    if isinstance(shown, dict):
        return {text(k) if isinstance(k, str) else k: value(v) for k, v in shown.items()}
    if isinstance(shown, list):
        return [value(v) for v in shown]
    return shown
