"""Text that others wrote (names of tasks, details of checks, sources, notes), made fit to stand in a report.

Every string of a comparison goes through here. It becomes one bounded line without terminal escapes, invisible and direction
changing characters or secrets; then it is escaped for where it stands: `bdi` for HTML, `code` and `prose` for Markdown.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...redact import MASK, is_secret_name
from ...runs.sanitise import decode, one_line
from ...visible import hides

if TYPE_CHECKING:
    from markupsafe import Markup

SHORT = 120
"""Characters of a name or a field."""
LONG = 600
"""Characters of a sentence, a detail or a command."""
_MOST_READ = 4_000
"""Of a longer string no more than this is looked at."""


def plain(value: object, limit: int = LONG) -> str:
    """The value as one line of at most `limit` characters, redacted, without what is not seen; not escaped for anything."""
    text = str(value)[:_MOST_READ]
    if not text.isascii():
        # Before it is redacted: a character that is not seen would part a secret, and no pattern would know it.
        text = "".join(c for c in decode(text.encode("utf-8", "replace")) if c.isspace() or not hides(c))
    return one_line(text, limit)


def bdi(value: object, limit: int = LONG) -> Markup:
    """For HTML: escaped, in an element of its own, so that its direction does not reach the words beside it."""
    from markupsafe import Markup

    return Markup("<bdi>{}</bdi>").format(plain(value, limit))


def name(value: object, limit: int = SHORT) -> Markup:
    """As `bdi`, for a name without blanks: a narrow column breaks it after a dot, a stroke or a line below."""
    from markupsafe import Markup, escape

    parts = re.split(r"(?<=[./_])", plain(value, limit))
    return Markup("<bdi>{}</bdi>").format(Markup("<wbr>").join(map(escape, parts)))


def fields(given: Mapping[str, str]) -> dict[str, str]:
    """Name to value as `plain` shows them; the value of a name that is a secret's is masked."""
    return {plain(n, SHORT): MASK if v and is_secret_name(plain(n)) else plain(v) for n, v in given.items()}


def link(source: str) -> str:
    """The address when the whole text is one of the web without a user in it, else ""."""
    text = plain(source)
    # What was masked, cut or taken out is no longer the address that was given.
    if text != source or not re.fullmatch(r"https?://[!-~]+", text, re.IGNORECASE):
        return ""
    try:
        parts = urllib.parse.urlsplit(text)
        named = bool(parts.hostname) and parts.username is None
    except ValueError:
        return ""
    return text if named else ""


def code(value: object, limit: int = SHORT) -> str:
    """For Markdown: a code span, also inside a table; nothing in it is a link, a mention, markup or HTML."""
    text = plain(value, limit)
    if not text:
        return "–"
    if "`" in text or "|" in text:
        # A backtick would end the span and a bar the table's cell; as entities they are only pictures.
        return f"<code>{re.sub(r'[!-/:-@[-`{-~]', lambda m: f'&#{ord(m[0])};', text)}</code>"
    return f"`{text}`"


_MARKUP = re.compile(r"([\\`*_\[\]#~|$])")
_AT_START = re.compile(r"^(?:([-+=])(?=[-+=\s]|$)|(\d+)([.)])(?=\s|$))")


def prose(value: object, limit: int = LONG) -> str:
    """For Markdown: a sentence in which nothing is markup, HTML, a link, a mention or a reference to an issue."""
    text = plain(value, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _MARKUP.sub(r"\\\1", text)
    text = _AT_START.sub(lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\{m[3]}", text)
    # GitHub looks for these in the finished text, where an escape is gone; a space of no width stays.
    text = re.sub(r"(@|\\#|\bGH-)(?=\w)", "\\1&#8203;", text, flags=re.IGNORECASE)
    text = re.sub(r":(?=//)|(?<=mailto):|(?<=xmpp):", ":&#8203;", text, flags=re.IGNORECASE)
    return re.sub(r"\bwww\.", "www&#8203;.", text, flags=re.IGNORECASE)
