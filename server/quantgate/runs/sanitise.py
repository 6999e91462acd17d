"""Text from a log, made fit to be shown: decoded, without terminal escapes, redacted, bounded."""

from __future__ import annotations

from ..redact import redact
from .scanner.lines import decode

__all__ = ["decode", "one_line"]


def one_line(raw: bytes | str, limit: int) -> str:
    """One line for a person: decoded, redacted and cut to `limit` characters (an ellipsis shows the cut)."""
    text = decode(raw) if isinstance(raw, bytes) else decode(raw.encode("utf-8", "replace"))
    text = " ".join(redact(text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
