"""`quantgate serve --read-only`: what is offered, and that no text leads an agent into a wall; in both protocol generations."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from pydantic import BaseModel

from quantgate.server import offering
from quantgate.server.offering import Offer
from quantgate.tools import TOOLS
from quantgate.tools.spec import ToolResult
from tests.server.in_memory import MODES, MadeTool, with_client

# The contract's own list, not the table's.
FIRST_GROUP = [
    "check_environment", "list_tasks", "read_model_config", "detect_quantization", "check_config", "status", "logs",
    "grep_slurm_logs", "verify_run", "compare_runs",
]  # fmt: skip


def _over_stdio(mode: Any, tmp_path: Path, use: Any, *flags: str) -> Any:
    async def go() -> Any:
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "quantgate", "serve", *flags],
            env={"QUANTGATE_HOME": str(tmp_path / "home")},
        )
        async with Client(stdio_client(server), mode=mode) as client:
            return await use(client)

    return anyio.run(go)


@MODES
@pytest.mark.parametrize("flags", [("--read-only",), ("--read-only", "--allow-skip-gates")])
def test_only_the_first_group_is_offered_whatever_else_is_set(
    mode: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    async def use(client: Client) -> tuple[list[Any], Any, str]:
        refused = await client.call_tool("run", {"config": "eval.yaml", "skip_gates_reason": "hurry"})
        return (await client.list_tools()).tools, refused, str(client.instructions)

    tools, refused, instructions = _over_stdio(mode, tmp_path, use, *flags)
    assert [tool.name for tool in tools] == FIRST_GROUP
    assert all(tool.annotations.read_only_hint for tool in tools)
    assert refused.is_error
    assert "Unknown tool" in refused.content[0].text
    assert "READ-ONLY" in instructions
    assert len(instructions) < 2000


@MODES
def test_the_report_is_no_argument_there_and_is_refused_by_name(mode: str, tmp_path: Path) -> None:
    wanted = tmp_path / "report.html"
    call = {"baseline": "abcd", "candidate": "abce", "report": str(wanted)}

    async def use(client: Client) -> tuple[Any, Any]:
        return await client.list_tools(), await client.call_tool("compare_runs", call)

    listed, refused = with_client(mode, use, read_only=True)
    schema = next(tool for tool in listed.tools if tool.name == "compare_runs").input_schema
    assert "report" not in schema["properties"]
    assert "margin" in schema["properties"]
    assert refused.is_error
    assert "read-only" in refused.content[0].text
    assert not wanted.exists()


@MODES
def test_a_next_step_to_a_tool_that_is_not_offered_says_so(mode: str) -> None:
    result = with_client(mode, lambda client: client.call_tool("list_tasks", {"query": "gpqa"}), read_only=True)
    step = result.structured_content["next_step"]
    assert "edit_config(" in step
    assert "Not offered by this read-only server: edit_config" in step
    assert json.loads(result.content[0].text)["next_step"] == step
    whole = with_client(mode, lambda client: client.call_tool("list_tasks", {"query": "gpqa"}))
    assert "Not offered" not in whole.structured_content["next_step"]


@MODES
def test_a_refusal_whose_fix_is_such_a_call_says_so_too(mode: str) -> None:
    offer = Offer(read_only=True)
    assert "Not offered" in offer.told("It did not pass. Fix: canary(config='x', again=true).")
    assert "Not offered" in offer.told("With compare_runs(baseline='a', candidate='b', report='…') a page is written.")
    assert offer.told("status(invocation_ids=['a']) again.") == "status(invocation_ids=['a']) again."
    assert offer.told("The canary passed; the run (full) is valid.") == "The canary passed; the run (full) is valid."


class Row(BaseModel):
    """Of a made result."""

    fix: str
    message: str = "a message names run(config='a.yaml') without advising it"


class Made(ToolResult):
    """A made result, with advice below its first level."""

    rows: list[Row]


def made_tool() -> Made:
    """Stands in for a tool whose next step is offered while its warnings and fixes are not."""
    rows = [Row(fix="edit_config(set=['a=1'])"), Row(fix="edit_config(set=['b=1'])"), Row(fix="give a path")]
    step = "check_config(config='a.yaml') once more."
    return Made(next_step=step, warnings=["canary(config='a.yaml') was not made"], rows=rows)


@MODES
@pytest.mark.parametrize("read_only", [True, False])
def test_one_note_names_the_calls_of_warnings_and_fixes_too(
    mode: str, read_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offering, "TOOLS", (*TOOLS, MadeTool("made_tool", "-", "Made", made=made_tool)))
    result = with_client(mode, lambda client: client.call_tool("made_tool", {}), read_only=read_only).structured_content
    note = " (Not offered by this read-only server: canary, edit_config. Tell the user; "
    assert (note in result["next_step"]) == read_only
    assert "Not offered" not in str(result["rows"]) + str(result["warnings"])


@MODES
def test_a_config_with_findings_says_that_they_cannot_be_mended_here(mode: str, tmp_path: Path) -> None:
    config = tmp_path / "eval.yaml"
    config.write_text("defaults: [{execution: local}, {deployment: none}, _self_]\nevaluation: {tasks: []}\n", "utf-8")
    call = {"config": str(config)}
    found = with_client(mode, lambda client: client.call_tool("check_config", call), read_only=True).structured_content
    assert any("edit_config(" in row["fix"] for row in found["findings"])
    assert "Not offered by this read-only server: edit_config" in found["next_step"]


def test_a_full_offer_is_the_whole_table_unchanged() -> None:
    offer = Offer()
    assert offer.specs == TOOLS
    assert offer.told("run(config='x')") == "run(config='x')"
