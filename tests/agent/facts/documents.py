"""Facts about what the agent read."""

from __future__ import annotations

from ..transcript import Transcript
from .found import Found, matches


def read_document(transcript: Transcript, regex: str) -> Found:
    """A document whose path matches was read."""
    found = [d for d in transcript.documents if matches(regex, d)]
    return Found(bool(found), ", ".join(found) or f"not among {list(transcript.documents)}")
