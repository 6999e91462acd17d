"""The words of a shell command, each with its place in the text. Nothing is expanded or run.

Quotes, backslashes, `${...}`, `$(...)` and backticks are kept within a word, as a POSIX shell does
(POSIX.1-2024, Shell Command Language, 2.2 and 2.3); what they would expand to is never asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import BadInput

MAX_LENGTH = 100_000
"""Characters of a command; NEL's longest packaged one has 2,100."""
WHERE = "deployment.command"

_BREAKS = "\n;&|()"
_PLAIN = re.compile(r"[^\s'\"\\$`;&|()<>]+")
_CLOSING = {"{": "}", "(": ")"}


@dataclass(frozen=True)
class Word:
    """One word: `text[start:end]`, and its value with the quotes taken off."""

    start: int
    end: int
    value: str


def segments(text: str) -> tuple[tuple[Word, ...], ...]:
    """The simple commands of a text, each as its words; redirections and comments are left out.

    Raises:
        BadInput: An open quote or bracket, a NUL, or a text over 100,000 characters.
    """
    if len(text) > MAX_LENGTH:
        raise BadInput(f"The command has {len(text)} characters, more than {MAX_LENGTH}", where=WHERE)
    if "\0" in text:
        raise BadInput("The command has a NUL character", where=WHERE, fix="remove it")
    found: list[list[Word]] = [[]]
    at, is_target = 0, False
    while at < len(text):
        character = text[at]
        if text.startswith("\\\n", at):
            at += 2
        elif character in _BREAKS:
            found.append([])
            at += 1
        elif character in "<>":
            at, is_target = _redirection(text, at, found[-1])
        elif character.isspace():
            at += 1
        elif character == "#":
            at = _line_end(text, at)
        else:
            word = _word(text, at)
            if not is_target:
                found[-1].append(word)
            at, is_target = word.end, False
    return tuple(tuple(words) for words in found if words)


def _redirection(text: str, at: int, words: list[Word]) -> tuple[int, bool]:
    """Step over `>`, `>>`, `2>&1` and the like; whether the next word is what it leads to."""
    if words and words[-1].end == at and words[-1].value.isdigit():
        words.pop()
    while at < len(text) and text[at] in "<>":
        at += 1
    if at < len(text) and text[at] in "&|":
        at += 1
    return at, True


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _word(text: str, start: int) -> Word:
    at, value = start, []
    while at < len(text):
        character = text[at]
        if character.isspace() or character in _BREAKS or character in "<>" or text.startswith("\\\n", at):
            break
        if character == "'":
            end = _find(text, "'", at + 1)
            value.append(text[at + 1 : end])
            at = end + 1
        elif character == '"':
            at, inner = _double_quoted(text, at)
            value.append(inner)
        elif character == "\\":
            value.append(text[at + 1 : at + 2])
            at += 2
        elif character == "`":
            end = _find(text, "`", at + 1) + 1
            value.append(text[at:end])
            at = end
        elif character == "$" and text[at + 1 : at + 2] in _CLOSING:
            end = _bracket_end(text, at + 1)
            value.append(text[at:end])
            at = end
        else:
            plain = _PLAIN.match(text, at)
            end = plain.end() if plain else at + 1
            value.append(text[at:end])
            at = end
    return Word(start, at, "".join(value))


def _double_quoted(text: str, start: int) -> tuple[int, str]:
    at, value = start + 1, []
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and text[at + 1 : at + 2] in ('"', "\\", "$", "`", "\n"):
            value.append(text[at + 1].replace("\n", ""))
            at += 2
        else:
            value.append(text[at])
            at += 1
    if at >= len(text):
        raise _open('"', text, start)
    return at + 1, "".join(value)


def _find(text: str, mark: str, start: int) -> int:
    end = text.find(mark, start)
    if end < 0:
        raise _open(mark, text, start - 1)
    return end


def _bracket_end(text: str, start: int) -> int:
    """The place after the bracket that closes the one at `start`."""
    opening, closing = text[start], _CLOSING[text[start]]
    depth, at = 0, start
    while at < len(text):
        depth += (text[at] == opening) - (text[at] == closing)
        at += 1
        if not depth:
            return at
    raise _open(opening, text, start)


def _open(mark: str, text: str, start: int) -> BadInput:
    return BadInput(
        f"The {mark} in {text[start : start + 40]!r} is not closed",
        where=f"{WHERE}, character {start + 1}",
        fix="close it",
    )
