"""Text of a config or an agent, made fit to be shown to the person who decides about it: in full, with nothing hidden in it."""

from __future__ import annotations

import re

from ... import redact, visible

_GAP = re.compile(r"(?<=\S)[ \t]{9,}")
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n){3,}")


def in_full(text: str) -> str:
    """The text with secrets masked and everything that an eye would miss written out.

    Terminal escapes, bidirectional marks and other characters without a glyph become `\\x1b` or `\\u202e`; long gaps, which
    could push a command out of sight, are counted instead of drawn.
    """
    clean = "".join(_visible(character) for character in redact.redact(text.replace("\r\n", "\n")).strip("\n"))
    clean = _GAP.sub(lambda gap: f" [{len(gap[0])} spaces] ", clean)
    return _EMPTY_LINES.sub(lambda gap: f"\n[{gap[0].count(chr(10)) - 1} empty lines]\n", clean)


def on_one_line(text: str) -> str:
    """`in_full` without ends of lines, for a word inside a sentence of the form."""
    return in_full(text.replace("\n", "\\n"))


def hides(text: str) -> bool:
    """Whether `in_full` masks a part of the text: then nobody sees all of what they would say yes to.

    A rule for secrets goes by names, shapes and the values in files, all of which an agent can choose.
    """
    return redact.redact(text.replace("\r\n", "\n")) != text.replace("\r\n", "\n")


def _visible(character: str) -> str:
    # A blank that is none of the keyboard's (no-break, em) is a word's part for a shell, and looks like a gap.
    plain = character in "\n\t" or character.isprintable()
    return character if plain and not visible.hides(character) else visible.written(character)


def quoted(text: str) -> str:
    """`in_full` with a bar before every line, so that no line of it can pass for the form's own words."""
    return "\n".join(f"| {line}" for line in in_full(text).split("\n"))
