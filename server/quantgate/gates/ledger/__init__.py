"""The ledger: every gate that was judged and every launch, written down before and after it happens.

attempts    launches, and how they went
judgements  what was found at a gate
contents    what a fingerprint was made of, so that a stale gate can name what changed
resumes     launches of what an invocation did not finish
store       the file: connections, the journal, the lock over all servers
schema      its tables, and the way from one version to the next
before      the copy that is kept of a ledger when its schema changes
"""

from .attempts import (
    LAUNCHING,
    Attempt,
    add_attempt,
    among,
    attempt,
    attempts,
    count,
    open_attempts,
    settle_attempt,
)
from .contents import Content, contents_of, put_content
from .judgements import Gate, gate, put_gate
from .resumes import Resume, add_resume, finish_resume, resumes
from .store import exclusive, kept, network_note, path

__all__ = [
    "LAUNCHING",
    "Attempt",
    "Content",
    "Gate",
    "Resume",
    "add_attempt",
    "add_resume",
    "among",
    "attempt",
    "attempts",
    "contents_of",
    "count",
    "exclusive",
    "finish_resume",
    "gate",
    "kept",
    "network_note",
    "open_attempts",
    "path",
    "put_content",
    "put_gate",
    "resumes",
    "settle_attempt",
]
