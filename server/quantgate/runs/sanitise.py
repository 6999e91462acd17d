"""Text from a log, made fit to be shown: decoded, without terminal escapes, redacted, bounded."""

from __future__ import annotations

import re

from ..redact import redact

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC, DCS, …: titles, links
    r"|\x1b[ -/]*[0-~]?|\x9b[0-?]*[ -/]*[@-~]",
    re.MULTILINE,
)
# Bidirectional overrides and invisible characters can make a line read otherwise than it is.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_UNDECODABLE = re.compile("\ufffd+")


def decode(raw: bytes) -> str:
    """A log's bytes as text, secrets still inside: undecodable runs become one U+FFFD, a redrawn line the last."""
    text = _UNDECODABLE.sub("\ufffd", raw.decode("utf-8", "replace")).replace("\r\n", "\n")
    text = _ESCAPES.sub("", text)
    if "\r" in text:
        text = "\n".join(_last_state(line) for line in text.split("\n"))
    return _UNSEEN.sub("", text)


def one_line(raw: bytes | str, limit: int) -> str:
    """One line for a person: decoded, redacted and cut to `limit` characters (an ellipsis shows the cut)."""
    text = decode(raw) if isinstance(raw, bytes) else decode(raw.encode("utf-8", "replace"))
    text = " ".join(redact(text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _last_state(line: str) -> str:
    return next((part for part in reversed(line.split("\r")) if part.strip()), "")
