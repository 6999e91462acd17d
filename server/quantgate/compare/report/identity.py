"""What makes a file a report of ours: its id, and the mark that both of its forms carry."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass

from ..outcome import Comparison
from .foreign import SHORT, plain

ID = re.compile(r"(?:[0-9]{14}|undated)-[0-9a-f]{12}")
"""The form of a report's id: when it was made (UTC), and a digest of what it says."""

_HTML_MARK = b'<meta name="quantgate-report" content="'
_MARKDOWN_MARK = "<!-- quantgate-report "
_HEAD_BYTES = 4000
"""Both marks stand within so many bytes."""


@dataclass(frozen=True)
class Heading:
    """What a list of reports shows of one."""

    report_id: str
    verdict: str
    made_at: str
    baseline: str
    candidate: str


def report_id(comparison: Comparison) -> str:
    """The id of the report on a comparison; the same comparison has the same id."""
    digits = re.sub(r"\D", "", comparison.made_at, flags=re.ASCII)[:14]
    digest = hashlib.sha256(repr(comparison).encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{digits if len(digits) == 14 else 'undated'}-{digest}"


def heading(comparison: Comparison) -> Heading:
    """The heading of a comparison's report."""
    return Heading(
        report_id(comparison),
        comparison.verdict,
        plain(comparison.made_at, 40),
        plain(comparison.baseline.named, SHORT),
        plain(comparison.candidate.named, SHORT),
    )


def comment(given: Heading) -> str:
    """The mark of the Markdown form: a comment with the heading in it, which no name can end early."""
    told = json.dumps(asdict(given)).replace("-", "\\u002d").replace("<", "\\u003c").replace(">", "\\u003e")
    return f"{_MARKDOWN_MARK}{told} -->"


def read_comment(text: str) -> Heading | None:
    """The heading in the first line of a report in Markdown; None when it is none of ours."""
    first = text.partition("\n")[0]
    if not (first.startswith(_MARKDOWN_MARK) and first.endswith(" -->")):
        return None
    try:
        values = json.loads(first[len(_MARKDOWN_MARK) : -4])
        found = Heading(**{name: plain(value, SHORT) for name, value in values.items()})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return found if ID.fullmatch(found.report_id) else None


def is_ours(head: bytes) -> bool:
    """Whether a file that begins so is a report, in either form."""
    return head.startswith(_MARKDOWN_MARK.encode()) or _HTML_MARK in head[:_HEAD_BYTES]
