"""Single flags of the serving command as paths: `deployment.command.--max-model-len`."""

from __future__ import annotations

import difflib
import json
from typing import Any

from ..errors import BadInput, UnknownName
from . import choices, paths, serving_sizes
from .block_text import replace_text
from .command_flags import ALONE, ServingCommand
from .document import ConfigDocument

_COMMANDS = (("deployment", "command"), ("deployment", "base_command"), ("deployment", "extra_args"))


def flag_in(dotted: str) -> str:
    """The flag that a path names inside a command; empty when it is no such path."""
    segments = paths.parse(dotted)
    is_flag = len(segments) == 3 and segments[:2] in _COMMANDS and str(segments[2]).startswith("-")
    return str(segments[2]) if is_flag else ""


def refuse_dashless(dotted: str) -> None:
    """Refuse a path below a command that names no flag.

    Raises:
        BadInput: `deployment.command.max-model-len`, without the dashes.
    """
    segments = paths.parse(dotted)
    if len(segments) == 3 and segments[:2] in _COMMANDS and not str(segments[2]).startswith("-"):
        place = ".".join(map(str, segments[:2]))
        raise BadInput(
            f"{dotted[:120]} names no flag: a flag is written with its dashes",
            where="set",
            fix=f"write {place}.--{str(segments[2])[:60]}",
        )


def set_flag(document: ConfigDocument, dotted: str, value: Any, raw: str = "") -> ConfigDocument:
    """The config with one flag of its serving command set; `true` or nothing makes it a switch.

    Where the file has no command of its own, the flag goes into `deployment.extra_args`.

    Raises:
        BadInput: Nothing is deployed, the command is a script, or the value would be taken apart by a shell.
    """
    flag = flag_in(dotted)
    _refuse_script(document, dotted)
    if value is False or value is None or value == "???":  # 0 is a value
        raise BadInput(f"{dotted} cannot be {raw or value}", where="set", fix=f"remove it with unset=['{dotted}']")
    text = (
        ""
        if value is True or value == ""
        else json.dumps(value)
        if isinstance(value, dict | list)
        else raw or str(value)
    )
    if serving_sizes.get_flag(document, flag) == text:
        return document
    return serving_sizes.set_flag(document, flag, text)


def unset_flag(document: ConfigDocument, dotted: str) -> ConfigDocument:
    """The config without one flag of its serving command.

    Raises:
        BadInput: Nothing is deployed, or the command is a script.
        UnknownName: The flag is not there.
    """
    flag = flag_in(dotted)
    _refuse_script(document, dotted)
    place = serving_sizes.command_path(document) or "deployment.extra_args"
    text = paths.dig(document.plain, *paths.parse(place)) or ""
    alone = "" if place != "deployment.extra_args" else ALONE
    command = ServingCommand.parse(alone + str(text))
    if not command.has(flag):
        there = [name for name, _ in command.flags]
        raise UnknownName(
            "flag", flag, difflib.get_close_matches(flag, there, n=3, cutoff=0.5) or there[:12], where=place
        )
    return replace_text(document, place, command.remove(flag).text.removeprefix(alone.rstrip()).lstrip())


def _refuse_script(document: ConfigDocument, dotted: str) -> None:
    if choices.deployment(document) == "none":
        raise BadInput(f"{dotted}: with deployment none there is no serving command", where="set", fix="leave it out")
    if serving_sizes.is_own_script(document):
        raise BadInput(
            f"{dotted}: the command is a script of your own, whose flags cannot be told",
            where="set",
            fix="edit the script by hand",
        )
