"""The server's icon: two bars and a line, a score beside its baseline. A client gets it once, with the server's name."""

from __future__ import annotations

import base64

from mcp_types import Icon

_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="5" fill="#1f5132"/>'
    '<path d="M7 18V7m10 11v-9" stroke="#fff" stroke-width="4"/><path d="M3 12h18" stroke="#9be15d" stroke-dasharray="2"/></svg>'
)


def icons() -> list[Icon]:
    """One drawing that fits any size, as a data URI: nothing is fetched."""
    data = base64.b64encode(_SVG.encode()).decode()
    return [Icon(src=f"data:image/svg+xml;base64,{data}", mime_type="image/svg+xml", sizes=["any"])]
