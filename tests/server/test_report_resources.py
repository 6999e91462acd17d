"""Reports as resources of the server, in both generations of the protocol."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from quantgate import server
from quantgate.compare.report.saving import save
from tests.compare.example import comparison

MODES = pytest.mark.parametrize("mode", ["legacy", "auto"])


def _with_client(mode: Any, use: Any) -> Any:
    async def go() -> Any:
        async with Client(server.build(), mode=mode) as client:
            return await use(client)

    return anyio.run(go)


def _read(mode: str, uri: str) -> Any:
    (content,) = _with_client(mode, lambda client: client.read_resource(uri)).contents
    return content


@MODES
def test_the_list_and_both_forms_of_a_report_are_offered(mode: str) -> None:
    listed = _with_client(mode, lambda client: client.list_resources()).resources
    templates = _with_client(mode, lambda client: client.list_resource_templates()).resource_templates
    assert ("quantgate://reports", "application/json") in [(r.uri, r.mime_type) for r in listed]
    assert {(t.uri_template, t.mime_type) for t in templates} >= {
        ("quantgate://reports/{report_id}", "text/html"),
        ("quantgate://reports/{report_id}.md", "text/markdown"),
    }


@MODES
def test_a_saved_report_is_listed_and_read_in_both_forms(mode: str) -> None:
    saved = save(comparison())
    rows = json.loads(_read(mode, "quantgate://reports").text)
    assert rows["omitted"] == 0
    (row,) = rows["reports"]
    assert row["uri"] == f"quantgate://reports/{saved.stem}"
    assert row["verdict"] == "REGRESSION"
    page, text = _read(mode, row["uri"]), _read(mode, row["markdown_uri"])
    assert page.mime_type == "text/html"
    assert page.text == saved.read_text(encoding="utf-8")
    assert text.mime_type == "text/markdown"
    assert text.text == saved.with_suffix(".md").read_text(encoding="utf-8")


@MODES
@pytest.mark.parametrize("name", ["20260101000000-000000000000", "..%2Fledger.db", "x.md"])
def test_what_is_no_report_is_refused_as_unknown(mode: str, name: str) -> None:
    async def refusal(client: Client) -> MCPError:
        with pytest.raises(MCPError, match="Unknown re") as refused:
            await client.read_resource(f"quantgate://reports/{name}")
        return refused.value

    assert _with_client(mode, refusal).code == INVALID_PARAMS


def test_a_server_that_was_asked_for_no_report_has_loaded_nothing_that_makes_one() -> None:
    code = (
        "import sys, quantgate.server as s; s.build(); "
        "print([m for m in ('jinja2', 'markupsafe', 'numpy', 'scipy', 'quantgate.compare.outcome') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
