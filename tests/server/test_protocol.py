"""The table of tools over MCP, in both generations of the protocol, and over real stdio."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import anyio
import pytest
from mcp import Client

from quantgate import server, workspace
from quantgate.tools import TOOLS, calling

MODES = ["legacy", "auto"]
"""The handshake of 2025-11-25, and the sessionless 2026-07-28."""


def _with_client(mode: Any, use: Any) -> Any:
    async def go() -> Any:
        async with Client(server.build(), mode=mode) as client:
            return await use(client)

    return anyio.run(go)


@pytest.mark.parametrize("mode", MODES)
def test_every_tool_of_the_table_is_listed_with_its_schemas_and_hints(mode: str) -> None:
    listed = _with_client(mode, lambda client: client.list_tools()).tools
    assert [tool.name for tool in listed] == [spec.name for spec in TOOLS]
    for tool, spec in zip(listed, TOOLS, strict=True):
        assert tool.input_schema["additionalProperties"] is False
        assert "$defs" not in tool.input_schema
        assert "anyOf" not in json.dumps(tool.input_schema)
        assert "next_step" in tool.output_schema["properties"]
        assert tool.annotations.read_only_hint is spec.read_only
        assert 40 < len(tool.description) < 2048


@pytest.mark.parametrize("mode", MODES)
def test_the_protocol_versions_are_the_two_that_are_promised(mode: str) -> None:
    version = _with_client(mode, _version)
    assert version == {"legacy": "2025-11-25", "auto": "2026-07-28"}[mode]


async def _version(client: Client) -> str:
    return str(client.protocol_version)


@pytest.mark.parametrize("mode", MODES)
def test_the_server_has_an_icon_of_its_own_that_nothing_is_fetched_for(mode: str) -> None:
    async def use(client: Client) -> tuple[Any, Any]:
        return client.server_info, (await client.list_tools()).tools

    info, tools = _with_client(mode, use)
    (icon,) = info.icons
    kind, _, data = icon.src.partition(";base64,")
    assert (kind, icon.mime_type) == ("data:image/svg+xml", "image/svg+xml")
    assert ElementTree.fromstring(base64.b64decode(data)).tag.endswith("svg")
    assert len(icon.src) < 800
    # Eighteen copies of it would cost a quarter of what the list of tools may have.
    assert all(tool.icons is None for tool in tools)


@pytest.mark.parametrize("mode", MODES)
def test_a_result_is_structured_and_names_the_next_step(mode: str) -> None:
    result = _with_client(mode, lambda client: client.call_tool("list_tasks", {"query": "instruction following"}))
    assert not result.is_error
    assert any("ifbench" in task["id"] for task in result.structured_content["tasks"])
    assert result.structured_content["next_step"]


@pytest.mark.parametrize("mode", MODES)
def test_an_unknown_argument_is_refused_by_name(mode: str) -> None:
    result = _with_client(mode, lambda client: client.call_tool("list_tasks", {"querry": "mmlu"}))
    assert result.is_error
    assert "'querry'" in result.content[0].text
    assert "query" in result.content[0].text


@pytest.mark.parametrize("mode", MODES)
def test_an_argument_of_another_type_is_refused_without_echoing_its_value(mode: str) -> None:
    secret = "nvapi-" + "s" * 30
    result = _with_client(mode, lambda client: client.call_tool("list_tasks", {"limit": secret}))
    assert result.is_error
    assert "'limit' must be a whole number" in result.content[0].text
    assert secret not in result.content[0].text


def test_an_unexpected_error_says_nothing_of_itself_to_the_client_nor_a_secret_to_the_log(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUDGE_TOKEN", "secret-of-the-judge")
    calling.arguments_model.cache_clear()

    def crash(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("boom secret-of-the-judge")

    monkeypatch.setattr("quantgate.tools.calling.validated", crash)
    result = _with_client("auto", lambda client: client.call_tool("list_tasks", {}))
    assert result.is_error
    assert "boom" not in result.content[0].text
    captured = capfd.readouterr()
    assert "secret-of-the-judge" not in captured.err + captured.out


@contextmanager
def _served(env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "quantgate", "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _say(process: subprocess.Popen[str], *messages: dict[str, Any]) -> None:
    assert process.stdin is not None
    for message in messages:
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    process.stdin.flush()


def _handshake(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    _say(process, {"id": 1, "method": "initialize", "params": params}, {"method": "notifications/initialized"})
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def test_stdout_is_pure_json_rpc_and_the_server_ends_with_its_input(tmp_path: Path) -> None:
    with _served() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert _handshake(process)["result"]["serverInfo"]["name"] == "quantgate"
        bad = {"name": "check_config", "arguments": {"config": str(tmp_path / "none.yaml")}}
        _say(process, {"id": 2, "method": "tools/list"}, {"id": 3, "method": "tools/call", "params": bad})
        answers = {}
        while set(answers) != {2, 3}:
            message = json.loads(process.stdout.readline())
            answers[message["id"]] = message
        assert answers[3]["result"]["isError"]
        process.stdin.close()
        assert process.wait(timeout=10) == 0
        assert process.stdout.read() == ""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, None], ids=["SIGTERM", "SIGINT", "end of input"])
def test_the_server_ends_at_once_with_no_child_and_no_private_file_left(
    how: signal.Signals | None, tmp_path: Path
) -> None:
    import psutil

    config = tmp_path / "eval.yaml"
    config.write_text((Path(__file__).parents[2] / "recipes" / "examples" / "ifbench_process.yaml").read_text())
    with _served() as process:
        _handshake(process)
        _say(
            process,
            {"id": 2, "method": "tools/call", "params": {"name": "dry_run", "arguments": {"config": str(config)}}},
        )
        me = psutil.Process(process.pid)
        deadline = time.monotonic() + 20
        while not (children := me.children(recursive=True)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert children, "the dry run started no child"
        if how is None:
            assert process.stdin is not None
            process.stdin.close()
        else:
            process.send_signal(how)
        assert process.wait(timeout=10) == 0
        assert list((workspace.state_dir() / "scratch").iterdir()) == []
        _, alive = psutil.wait_procs(children, timeout=5)
        assert alive == []


def test_a_waiting_call_does_not_hold_the_server_when_its_input_ends(tmp_path: Path) -> None:
    with _served({"QUANTGATE_HOME": str(tmp_path)}) as process:
        assert process.stdin is not None
        _handshake(process)
        _say(process, {"id": 2, "method": "tools/call", "params": {"name": "check_environment", "arguments": {}}})
        time.sleep(0.2)
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def test_importing_the_server_imports_nothing_of_the_launcher_and_prints_nothing() -> None:
    code = (
        "import sys, quantgate.server as s; s.build(); "
        "heavy = ('nemo_evaluator', 'hydra', 'paramiko', 'numpy', 'jinja2', 'ruamel', 'quantgate.server.http'); "
        "print([m for m in sys.modules if m.startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert done.stderr == ""
