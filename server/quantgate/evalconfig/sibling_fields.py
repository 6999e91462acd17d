"""The fields beside a serving command that NEL's packaged commands turn into flags: folded into the one command.

A command of one's own reads them only through `${deployment.…}`; else they say what does not happen (rule D02).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import BadInput, ConfigError
from . import packaged, paths, surgery
from .command_flags import ALONE, ServingCommand
from .command_quoting import quoted
from .command_words import segments
from .document import ConfigDocument

EXTRA_ARGS = "extra_args"
_STARTS_FLAG = re.compile(r"-{1,2}[A-Za-z]")
_ONE = frozenset({"pipeline_parallel_size", "data_parallel_size"})
"""Sizes that every server takes as 1 when they are not given."""


def lines_of(document: ConfigDocument, fields: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """What the fields say now as lines of a command, and which of them the command then holds.

    A value that is still open, or that an interpolation gives, stays a field and is referred to.

    Args:
        document: A config without a command of its own.
        fields: Name and flag of each field.

    Raises:
        BadInput: `extra_args` are more than arguments.
    """
    lines, held = [], []
    for name, flag in fields.items():
        value = packaged.value(document, "deployment", name)
        if value is None or (name in _ONE and value == 1):
            held.append(name)
            continue
        try:
            plain = value != "???" and "${" not in str(value)
            lines.append(f"{flag} {quoted(flag, str(value))}" if plain else f"{flag} ${{deployment.{name}}}")
        except BadInput:
            plain = False
            lines.append(f"{flag} ${{deployment.{name}}}")
        if plain:
            held.append(name)
    extra = paths.dig(document.plain, "deployment", EXTRA_ARGS)
    if isinstance(extra, str) and extra.strip() and extra != "???":
        lines += argument_lines(extra)
    return lines, [*held, EXTRA_ARGS]


def argument_lines(text: str) -> list[str]:
    """Arguments as one line for each flag.

    Raises:
        BadInput: There is more in the text than arguments: a second command, a redirection, a comment.
    """
    found = segments(text)
    words = found[0] if found else ()
    starts = [word.start for word in words if _STARTS_FLAG.match(word.value)]
    starts = sorted({words[0].start, *starts}) if words else []
    pieces = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    lines = [" ".join(piece.replace("\\\n", " ").splitlines()).strip() for piece in pieces]
    joined = ServingCommand.parse(ALONE + " ".join(lines))
    if len(found) > 1 or joined.tail.strip() or joined.flags != ServingCommand.parse(ALONE + text).flags:
        raise BadInput(
            "deployment.extra_args is more than arguments: a second command, a redirection or a comment is in it",
            where="deployment.extra_args",
            fix="leave only the server's arguments in it",
        )
    return lines


def fold(
    document: ConfigDocument, command: ServingCommand, fields: Mapping[str, str], notes: list[str]
) -> tuple[ServingCommand, dict[str, Any]]:
    """A command of the user's with what its unread fields say, and what then becomes of each of these fields.

    Args:
        document: Not changed.
        command: The user's own.
        fields: Name and flag of each field.
        notes: Gets the fields that contradict the command; they stay, and the command stays.

    Returns:
        The command, and the fields to change: None to remove one, else its new value.
    """
    section = paths.dig(document.plain, "deployment")
    written = {name: value for name, value in section.items() if value is not None} if section else {}
    done: dict[str, Any] = {}
    for name, flag in fields.items():
        value = written.get(name)
        if value is None or value == "???" or "${" in str(value) or _reads(command, name):
            continue
        given = command.get(flag)
        if given is None and not (name in _ONE and value == 1):
            try:
                command = command.set(flag, str(value))
            except BadInput:
                continue
            done[name] = None
        elif given in (None, str(value)):
            done[name] = None
        else:
            notes.append(
                f"conflict: deployment.{name} is {value}, and the command, which alone counts, has {flag} {given}; "
                "both were left"
            )
    extra = written.get(EXTRA_ARGS)
    if isinstance(extra, str) and extra != "???" and not _reads(command, EXTRA_ARGS):
        command, left = _fold_arguments(command, extra, notes)
        if left != extra.strip() or not left:
            done[EXTRA_ARGS] = left or None
    return command, done


def remove(document: ConfigDocument, names: Mapping[str, Any], notes: list[str]) -> ConfigDocument:
    """The document with fields of the deployment removed or changed; their comments stay.

    Args:
        document: Not changed.
        names: None for a field to remove, else its new value.
        notes: Gets the fields that could not be removed.
    """
    section = paths.dig(document.plain, "deployment")
    for name, value in names.items():
        if not paths.has(section, name):
            continue
        try:
            place = f"deployment.{name}"
            if value is None:
                document = surgery.unset(document, place, keep_comment=True)
            else:
                document = surgery.set_value(document, place, value)
        except ConfigError:
            notes.append(
                f"deployment.{name} was left, because an anchor or a merge holds it; the command does not read it"
            )
    return document


def _reads(command: ServingCommand, name: str) -> bool:
    return re.search(rf"\$\{{\s*(?:deployment)?\.{name}\b", command.text) is not None


def _fold_arguments(command: ServingCommand, extra: str, notes: list[str]) -> tuple[ServingCommand, str]:
    """The command with the arguments it lacks, and what is left of them: those that contradict it."""
    given = ServingCommand.parse(ALONE + extra)
    try:
        argument_lines(extra)
    except BadInput:
        return command, extra.strip()
    rest = given
    for flag, value in given.flags:
        present = command.get(flag)
        if present is None:
            try:
                command = command.set(flag, value)
            except BadInput:
                continue
        elif present != value:
            notes.append(
                f"conflict: deployment.extra_args has {flag} {value}, and the command, which alone counts, has {present}; "
                "both were left"
            )
            continue
        rest = rest.remove(flag)
    return command, rest.text.removeprefix(ALONE.rstrip()).strip()
