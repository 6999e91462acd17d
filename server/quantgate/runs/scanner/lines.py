"""What a line of a log says: its text, and which known failures it shows."""

import re
from typing import Any, List, Sequence, Tuple, TypeVar

S = TypeVar("S")

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC, DCS, …: titles, links
    r"|\x1b[ -/]*[0-~]?|\x9b[0-?]*[ -/]*[@-~]",
    re.MULTILINE,
)
# Bidirectional overrides and invisible characters can make a line read otherwise than it is.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_UNDECODABLE = re.compile("\ufffd+")
_PLAIN = bytes(range(32, 127)) + b"\t\n"

FLAGS = re.IGNORECASE | re.ASCII
"""How the patterns of the table are compiled; grep in the C locale sees lines the same way."""


def decode(raw: bytes) -> str:
    """A log's bytes as text, secrets still inside: undecodable runs become one U+FFFD, a redrawn line the last."""
    if not raw.translate(None, _PLAIN):
        return raw.decode("ascii")
    text = _UNDECODABLE.sub("\ufffd", raw.decode("utf-8", "replace")).replace("\r\n", "\n")
    text = _ESCAPES.sub("", text)
    if "\r" in text:
        text = "\n".join(_last_state(line) for line in text.split("\n"))
    return _UNSEEN.sub("", text)


def _last_state(line: str) -> str:
    return next((part for part in reversed(line.split("\r")) if part.strip()), "")


class Rule:
    """A class of failure: the literals that every match holds one of, and the pattern."""

    def __init__(self, name: str, anchors: Sequence[str], pattern: str) -> None:
        self.name = name
        self.anchors = tuple(a.encode() for a in anchors)
        self.pattern = re.compile(pattern, FLAGS)


class Quiet:
    """What looks like a failure and is none: a whole line, or a phrase that the rest of its line may outweigh."""

    def __init__(self, name: str, pattern: str, phrase: bool) -> None:
        self.name = name
        self.pattern = re.compile(pattern, FLAGS)
        self.phrase = phrase


def judge(line: str, among: Sequence[S], benign: Sequence[Any]) -> Tuple[List[S], str]:
    """Which of some classes a decoded line shows, and the benign pattern that took a match away (empty when none did).

    Args:
        line: The line.
        among: Classes with a compiled `pattern`, whose literals it holds.
        benign: Rows with `name`, `pattern` and `phrase`, in the table's order.
    """
    hits = _shown(line, among)
    if not hits:
        return [], ""
    for row in benign:
        if row.phrase:
            rest = row.pattern.sub("", line)
            if rest != line:
                hits = _shown(rest, hits)
                if not hits:
                    return [], row.name
        elif row.pattern.search(line):
            return [], row.name
    return hits, ""


def _shown(line: str, among: Sequence[Any]) -> List[Any]:
    return [rule for rule in among if rule.pattern.search(line)]
