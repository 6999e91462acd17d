"""The table of tools over MCP, in both generations of the protocol, and over real stdio."""

from __future__ import annotations

import ast
import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import anyio
import pytest
from mcp import Client

import quantgate
from quantgate import server, workspace
from quantgate.tools import TOOLS, calling
from quantgate.tools import spec as specs

from ..next_steps import BY_NAME

MODES = ["legacy", "auto"]
"""The handshake of 2025-11-25, and the sessionless 2026-07-28."""
PACKAGE = Path(quantgate.__file__).parent


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
        # The first call loads what is below; on a machine with much to do, or with nothing compiled yet, that takes its time.
        deadline = time.monotonic() + 120
        while not (children := me.children(recursive=True)) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not children:
            process.kill()
            said = process.communicate(timeout=30)
            pytest.fail(f"the dry run started no child: {said}")
        if how is None:
            assert process.stdin is not None
            process.stdin.close()
        else:
            process.send_signal(how)
        assert process.wait(timeout=30) == 0
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


def _printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


LISTED = """
import sys, anyio
from mcp import Client
from quantgate import server
async def go():
    async with Client(server.build(), mode=MODE) as client:
        await client.list_tools(), await client.list_prompts()
        await client.list_resources(), await client.list_resource_templates()
        print(sorted(m for m in sys.modules if m.startswith(WATCHED)))
        await client.read_resource("quantgate://runs")
        print(sorted(m for m in sys.modules if m.startswith((*HEAVY, "quantgate.tools"))))
anyio.run(go)
"""
HEAVY = ("nemo_evaluator", "hydra", "omegaconf", "paramiko", "numpy", "scipy", "mlflow", "jinja2", "ruamel", "gguf")
AT_THE_START = {
    "quantgate.cluster.leaving", "quantgate.compare.report", "quantgate.gates.permission.consent", "quantgate.tools.answer",
    "quantgate.tools.calling", "quantgate.tools.entry", "quantgate.tools.next_call", "quantgate.tools.orders",
    "quantgate.tools.schemas", "quantgate.tools.spec",
}  # fmt: skip
"""All that a server loads of the tools and of the rooms below them, before the first call."""


@pytest.mark.parametrize("mode", MODES)
def test_no_tool_and_no_room_below_is_loaded_before_it_is_needed_and_nothing_heavy_with_it(mode: str) -> None:
    if "coverage" in sys.modules:
        pytest.skip("coverage.py loads sqlite3 by itself")
    rooms = [f"quantgate.{path.name}" for path in PACKAGE.iterdir() if (path / "__init__.py").exists()]
    below = tuple(room for room in rooms if room not in {"quantgate.server", "quantgate.demo", "quantgate.system"})
    code = f"MODE, WATCHED, HEAVY = {mode!r}, {(*below, *HEAVY, 'yaml', 'sqlite3')!r}, {HEAVY!r}" + LISTED
    before, after = (set(ast.literal_eval(line)) for line in _printed(code).splitlines())
    packages = {name.rpartition(".")[0] for name in AT_THE_START} | {"quantgate.compare", "quantgate.gates"}
    assert before == AT_THE_START | packages
    # The first request that may need them loads all tools, and what they need of other packages is left for the calls.
    assert {f"quantgate.tools.{spec.name}" for spec in TOOLS} <= after
    assert [name for name in after if not name.startswith("quantgate.")] == []


def test_tools_called_side_by_side_in_a_fresh_server_are_all_answered() -> None:
    calls = [spec.name for spec in TOOLS if spec.read_only] * 2
    reads = ["quantgate://runs", "quantgate://reports"]
    with _served() as process:
        assert process.stdout is not None
        _handshake(process)
        for number, name in enumerate(calls, start=100):
            given = dict.fromkeys(calling.input_schema(BY_NAME[name]).get("required", []), "/nowhere")
            _say(process, {"id": number, "method": "tools/call", "params": {"name": name, "arguments": given}})
        for number, uri in enumerate(reads, start=200):
            _say(process, {"id": number, "method": "resources/read", "params": {"uri": uri}})
        answers = [json.loads(process.stdout.readline()) for _ in range(len(calls) + len(reads))]
    assert {answer["id"] for answer in answers} == {*range(100, 100 + len(calls)), *range(200, 200 + len(reads))}
    assert [answer for answer in answers if "error" in answer or "unexpected" in json.dumps(answer)] == []


def test_two_threads_never_load_tools_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most = 0, 0

    def imported(name: str, package: str) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.05)
        at_once -= 1

    monkeypatch.setattr(specs.importlib, "import_module", imported)
    made = [specs.ToolSpec(f"made_{number}", "-", "Made") for number in range(4)]
    with ThreadPoolExecutor(len(made)) as threads:
        list(threads.map(specs.ToolSpec.load, made))
    assert most == 1


def test_the_whole_http_side_is_left_out_on_stdio_and_nothing_is_printed() -> None:
    code = "import sys, quantgate.server as s; s.build(); print([m for m in sys.modules if m.startswith('quantgate.server.http')])"
    assert _printed(code) == "[]\n"
