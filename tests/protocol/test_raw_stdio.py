"""Raw bytes on standard input and output: whatever comes in, what goes out is one JSON-RPC message on each line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from quantgate.tools import TOOLS, calling
from tests.protocol.raw_server import HANDSHAKE, SESSIONLESS, RawServer, raw_server

GENERATIONS = (HANDSHAKE, SESSIONLESS)
REPOSITORY = Path(__file__).parents[2]
CANARIES = {
    # Made up: they are of the length and form of real ones.
    "NGC_API_KEY": "nvapi-canary0000000000000000000000000000000000000000000000000000000000",
    "HF_TOKEN": "hf_canaryCanaryCanaryCanaryCanaryCan",
    "OPENAI_API_KEY": "sk-canary000000000000000000000000000000000000000",
    "JUDGE_SECRET_TOKEN": "not-of-any-known-form-3f9c1d",
}
"""Secrets in the environment of the server."""


def _config(folder: Path) -> Path:
    file = folder / "eval.yaml"
    if not file.exists():
        text = (REPOSITORY / "recipes" / "examples" / "ifbench_process.yaml").read_text(encoding="utf-8")
        file.write_text(text, encoding="utf-8")
    return file


def _good(folder: Path) -> dict[str, dict[str, Any]]:
    """Arguments that fit, for every tool; where a tool would launch, of a config that it must refuse."""
    config = str(_config(folder))
    absent = str(folder / "no-such-run")
    return {
        "check_environment": {},
        "list_tasks": {"query": "ifbench", "limit": 3},
        "read_model_config": {"model": str(folder)},
        "detect_quantization": {"model": str(folder)},
        "build_config": {
            "execution": "process",
            "deployment": "none",
            "benchmarks": ["standard"],
            "output": str(folder / "new.yaml"),
        },
        "edit_config": {"config": config, "set": ["execution.mode=sequential"]},
        "check_config": {"config": config},
        "dry_run": {"config": config},
        "canary": {"config": config},
        "run": {"config": config},
        "status": {},
        "logs": {"invocation_id": absent},
        "grep_slurm_logs": {"invocation_id": absent, "pattern": "error"},
        "resume": {"invocation_id": "0" * 16},
        "cancel": {"invocation_id": "0" * 16},
        "verify_run": {"run": absent},
        "compare_runs": {"baseline": absent, "candidate": absent},
        "compile_config": {"recipe": "none-such"},
    }


def _bad(folder: Path) -> list[dict[str, Any]]:
    long = "x" * 100_000
    return [
        {"no_such_argument": CANARIES["NGC_API_KEY"]},
        {name: [{"deep": 1}] for name in ("config", "model", "run", "query", "invocation_id", "invocation_ids")},
        {"config": "a\nb\u2028\u0000c", "model": "a\u0000b", "run": "\ud83d\ude00", "invocation_id": "\r\n"},
        {"config": long, "model": long, "run": long, "invocation_id": long},
    ]


def _is_message(line: bytes) -> bool:
    message = json.loads(line.decode("utf-8"))
    assert isinstance(message, dict)
    assert b"\r" not in line
    return bool(
        message["jsonrpc"] == "2.0"
        and (("method" in message) != ("result" in message or "error" in message))
        and set(message) <= {"jsonrpc", "id", "method", "params", "result", "error"}
    )


def _assert_pure(server: RawServer, least: int) -> None:
    assert len(server.lines) >= least
    assert [line[:300] for line in server.lines if not _is_message(line)] == []
    said = b"\n".join(server.lines).decode() + server.complaints()
    assert [name for name, secret in CANARIES.items() if secret in said] == []


def test_the_arguments_that_are_tried_fit_every_tool(tmp_path: Path) -> None:
    good = _good(tmp_path)
    assert set(good) == {spec.name for spec in TOOLS}
    for spec in TOOLS:
        calling.validated(spec, good[spec.name])


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_tool_answers_good_and_bad_arguments_in_json_rpc_alone(tmp_path: Path, generation: str) -> None:
    with raw_server(tmp_path, generation, **CANARIES) as server:
        number = 0
        # All at once: answers may come in any order, and lines must not be mixed.
        for spec in TOOLS:
            for arguments in (_good(tmp_path)[spec.name], *_bad(tmp_path)):
                number += 1
                server.call(number, spec.name, arguments)
        for asked in range(1, number + 1):
            answer = server.answer(asked)
            if "result" in answer:
                refused = answer["result"].get("isError")
                assert refused or "next_step" in answer["result"]["structuredContent"]
            else:
                assert answer["error"]["message"]
        assert server.end() == 0
        _assert_pure(server, number)
        assert "Traceback" not in server.complaints()


@pytest.mark.parametrize("generation", GENERATIONS)
def test_lines_that_are_no_messages_neither_stop_the_server_nor_spoil_its_output(
    tmp_path: Path, generation: str
) -> None:
    with raw_server(tmp_path, generation, **CANARIES) as server:
        # mcp 2.2: the generation of a connection is that of its first request.
        server.send(90, "tools/list")
        assert server.answer(90)["result"]["tools"]
        listing = server.encoded(1, "tools/list")
        for raw in (
            b"\n",
            b"   \n",
            b"{\n",
            b"not json\n",
            b"null\n",
            b"42\n",
            b'"text"\n',
            b"[]\n",
            b"[" + listing + b"," + server.encoded(2, "tools/list") + b"]\n",  # a batch: gone since 2025-06-18
            b'{"jsonrpc": "1.0", "id": 3, "method": "tools/list"}\n',
            b'{"jsonrpc": "2.0", "id": 4}\n',
            b'{"jsonrpc": "2.0", "id": {"a": 1}, "method": "tools/list"}\n',
            b'{"jsonrpc": "2.0", "id": 5, "method": 7}\n',
            b"\xff\xfe\xfa\n",
            b'{"jsonrpc": "2.0", "id": 6, "method": "\xc3\x28"}\n',
            b"\x00\n",
            b"[" * 20_000 + b"\n",
            b'{"jsonrpc": "2.0", "id": 8, "method": "' + b"y" * (4 << 20) + b'"}\n',
        ):
            server.write(raw)
        server.send(None, "notifications/cancelled", {"requestId": 999, "reason": "never asked"})
        server.send(None, "notifications/none-such")
        server.send(100, "none/such")
        server.send(101, "tools/list")
        assert server.answer(100)["error"]["code"] == -32601
        assert len(server.answer(101)["result"]["tools"]) == len(TOOLS)
        assert server.end() == 0
        _assert_pure(server, 2)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_line_ends_of_windows_and_a_line_in_parts_are_read(tmp_path: Path, generation: str) -> None:
    with raw_server(tmp_path, generation) as server:
        server.write(server.encoded(1, "tools/list") + b"\r\n")
        assert server.answer(1)["result"]["tools"]
        whole = server.encoded(2, "tools/list") + b"\n"
        for at in range(0, len(whole), 7):
            server.write(whole[at : at + 7])
        assert server.answer(2)["result"]["tools"]
        # The last message may lack its end when a client closes.
        assert server.end() == 0
        _assert_pure(server, 2)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_cancelled_call_leaves_the_server_answering(tmp_path: Path, generation: str) -> None:
    with raw_server(tmp_path, generation, **CANARIES) as server:
        for number in range(1, 6):
            server.call(number, "dry_run", {"config": str(_config(tmp_path))})
            server.send(None, "notifications/cancelled", {"requestId": number, "reason": CANARIES["HF_TOKEN"]})
        server.call(10, "list_tasks", {"query": "ifbench"})
        assert server.answer(10)["result"]["structuredContent"]["tasks"]
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert server.end() == 0
        _, alive = psutil.wait_procs(children, timeout=10)
        assert alive == []
        _assert_pure(server, 1)


def test_a_byte_order_mark_before_the_first_message_does_not_stop_the_server(tmp_path: Path) -> None:
    with raw_server(tmp_path, SESSIONLESS) as server:
        server.write(b"\xef\xbb\xbf" + server.encoded(1, "tools/list") + b"\n")
        server.send(2, "tools/list")
        assert server.answer(2)["result"]["tools"]
        assert server.end() == 0
        _assert_pure(server, 1)


def test_the_read_only_server_is_as_pure(tmp_path: Path) -> None:
    with raw_server(tmp_path, SESSIONLESS, "--read-only", **CANARIES) as server:
        for number, spec in enumerate(TOOLS, start=1):
            server.call(number, spec.name, _good(tmp_path)[spec.name])
        answers = {spec.name: server.answer(n) for n, spec in enumerate(TOOLS, start=1)}
        changing = [spec.name for spec in TOOLS if not spec.read_only]
        assert changing
        assert [name for name in changing if "structuredContent" in answers[name].get("result", {})] == []
        assert server.end() == 0
        _assert_pure(server, len(TOOLS))
