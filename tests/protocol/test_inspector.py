"""The inspector's command line over stdio, in both generations: its strict listing finds no schema that a client would refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quantgate.tools import TOOLS
from tests.node_tools import environment, npm_command

INSPECTOR = "2.12.0"
ERAS = ("legacy", "modern")
"""The handshake, and 2026-07-28."""


def _inspect(home: Path, era: str, method: str, *options: str) -> tuple[dict[str, Any], str]:
    argv = npm_command("@modelcontextprotocol/inspector", INSPECTOR, "mcp-inspector")
    serve = [sys.executable, "-m", "quantgate", "serve"]
    done = subprocess.run(
        [*argv, "--cli", *serve, "--method", method, "--protocol-era", era, "--connect-timeout", "90000", *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        # Its own settings go to HOME.
        env=environment(HOME=str(home)),
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    listed: dict[str, Any] = json.loads(done.stdout)
    return listed, done.stderr


@pytest.mark.parametrize("era", ERAS)
def test_the_strict_listing_finds_no_schema_that_a_client_would_refuse(tmp_path: Path, era: str) -> None:
    listed, said = _inspect(tmp_path, era, "tools/list", "--strict")
    assert [tool["name"] for tool in listed["tools"]] == [spec.name for spec in TOOLS]
    assert "Error: tool" not in said


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("method", "key"),
    [("resources/list", "resources"), ("resources/templates/list", "resourceTemplates"), ("prompts/list", "prompts")],
)
def test_resources_templates_and_prompts_are_listed(tmp_path: Path, era: str, method: str, key: str) -> None:
    listed, _ = _inspect(tmp_path, era, method)
    assert listed[key]
    assert all(row["name"] for row in listed[key])


def test_many_calls_at_once_are_all_answered(tmp_path: Path) -> None:
    arguments = ["--tool-name", "list_tasks", "--tool-args-json", json.dumps({"query": "ifbench"})]
    limits = ["--load", "--load-requests", "40", "--load-concurrency", "8", "--format", "json"]
    listed, _ = _inspect(tmp_path, "legacy", "tools/call", *arguments, *limits)
    told = listed["result"]
    assert (told["requests"], told["ok"], told["toolErrors"], told["errors"]) == (40, 40, 0, 0)
