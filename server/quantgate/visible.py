"""Text without what steers a terminal or hides from the eye: such characters are written out, so that nothing of the text is lost.

Whatever is printed or answered may hold names and words that others chose. JSON is no shelter: its encoders leave C1 controls,
direction marks and invisible characters as they are, and a client that decodes the rest may print it.
"""

from __future__ import annotations

import re
from typing import Any

# Controls but for line end and tab; soft hyphen, joiners, marks and overrides of direction, separators of lines and paragraphs,
# the tag characters in which text can be hidden, and halves of surrogate pairs.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)


def text(shown: str) -> str:
    """The text with each such character written out: `\\x1b`, `\\u202e`."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode("ascii"), shown)


def value(shown: Any) -> Any:
    """`text` on every string inside a JSON-like value, names of keys too; containers are rebuilt, other values pass."""
    if isinstance(shown, str):
        return text(shown)
    if isinstance(shown, dict):
        return {text(k) if isinstance(k, str) else k: value(v) for k, v in shown.items()}
    if isinstance(shown, list):
        return [value(v) for v in shown]
    return shown
