"""The reports of comparisons."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mcp.server import MCPServer

from ...compare.report import URI
from .answered import answered


def register(server: MCPServer[Any]) -> None:
    """Offer the list of reports, and each report as Markdown and as a page."""
    server.resource(
        URI,
        name="reports",
        title="Reports of comparisons",
        description="The newest reports that compare_runs made: id, verdict, runs and address of each.",
        mime_type="application/json",
    )(_listed)
    # Of two templates that match the first one answers, and an id may have a dot in it as far as the SDK knows.
    server.resource(
        f"{URI}/{{report_id}}.md",
        name="report_markdown",
        title="A report as Markdown",
        description="The report of one comparison as Markdown, for a pull request.",
        mime_type="text/markdown",
    )(_markdown)
    server.resource(
        f"{URI}/{{report_id}}",
        name="report",
        title="A report as a page",
        description="The report of one comparison as one self-contained HTML page, for a person.",
        mime_type="text/html",
    )(_page)


def _listed() -> dict[str, Any]:
    from ...compare.report import stored

    found = answered(stored.listing)
    rows = [
        {**asdict(row), "uri": f"{URI}/{row.report_id}", "markdown_uri": f"{URI}/{row.report_id}.md"}
        for row in found.reports
    ]
    return {"reports": rows, "omitted": found.omitted}


def _markdown(report_id: str) -> str:
    from ...compare.report import stored

    return answered(lambda: stored.markdown(report_id))


def _page(report_id: str) -> str:
    from ...compare.report import stored

    return answered(lambda: stored.html(report_id))
