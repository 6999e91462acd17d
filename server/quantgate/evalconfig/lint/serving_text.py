"""Rules about commands as texts that a shell reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from ...errors import BadInput
from .. import command_words, paths
from ..paths import Segment
from .rule import Hit, Rule, Subject
from .structure import FACTS

_BREAK = re.compile(r"[\n;|&]")
_REDIRECTION = re.compile(r"\d?[<>]+&?\d?|&>+")


def cut_by_comment(subject: Subject) -> Iterable[Hit]:
    """A `#` that makes the rest of a command a comment: folding joins its lines into one."""
    places: list[tuple[Segment, ...]] = [
        ("deployment", key) for key in ("extra_args", "base_command", "command", "pre_cmd")
    ]
    places += [("evaluation", key) for key in ("pre_cmd", "post_cmd")]
    places += [("evaluation", "tasks", task.index, key) for task in subject.tasks for key in ("pre_cmd", "post_cmd")]
    done = False
    for place in places:
        value = subject.at(*place)
        serving = place[0] == "deployment" and place[1] != "pre_cmd"
        if not isinstance(value, str) or (serving and done):
            continue
        # What NEL writes behind these would be part of the comment.
        strict = serving and (place[1] != "command" or (subject.composed.executor == "local" and "\n" not in value))
        lost = _lost_to_comment(value, strict=strict)
        if lost:
            done = done or serving
            path = paths.join(place)
            yield Hit(path, f"{path} has a # before {lost[:60]!r}, which the shell therefore leaves out", cause="C21")


def _lost_to_comment(text: str, *, strict: bool) -> str:
    """What a `#` makes a comment although it holds flags, or follows a continued line; with `strict` any comment."""
    for start, gap in _gaps(text):
        at = start + gap.find("#")
        if at < start or text.startswith("#!", at):
            continue
        line = text.rfind("\n", 0, at) + 1
        rest = text[at:].split("\n", 1)[0].lstrip("# ").strip()
        continued = text[:line].endswith("\\\n")
        cuts = continued or (bool(text[line:at].strip()) and re.search(r"(?:^|\s)--?[A-Za-z]", rest))
        if strict or cuts:
            return rest or "#"
    return ""


def shell_breaks(text: str) -> str:
    """What ends the first command of a text: a line break, `;`, `|` or `&`; empty when it is one command."""
    for _, gap in _gaps(text):
        found = _BREAK.search(_REDIRECTION.sub(" ", gap.replace("\\\n", " ")))
        if found:
            return "a line break" if found[0] == "\n" else f"`{found[0]}`"
    return ""


@lru_cache(maxsize=64)
def _gaps(text: str) -> tuple[tuple[int, str], ...]:
    """What stands between the words of a command, each with its place; comments belong to the gaps."""
    try:
        words = sorted((word.start, word.end) for segment in command_words.segments(text) for word in segment)
    except BadInput:
        return ()
    found, at = [], 0
    for start, end in words:
        found.append((at, text[at:start]))
        at = end
    found.append((at, text[at:]))
    return tuple(found)


RULES = (Rule("C21", "error", "Comment inside a command", "remove it from the command", FACTS, cut_by_comment),)
