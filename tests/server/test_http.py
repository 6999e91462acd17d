"""Streamable HTTP on loopback, with the SDK's client in both generations of the protocol: who is let in, to what, and how much."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from quantgate.server.http import limits, tokens
from quantgate.tools import TOOLS
from tests.server.http_server import Serving, post, serving, with_client

MODES = pytest.mark.parametrize("mode", ["legacy", "auto"])
READ_ONLY_TOOLS = [spec.name for spec in TOOLS if spec.read_only or spec.read_only_without]


@dataclass(frozen=True)
class Guarded:
    """A server with three tokens."""

    server: Serving
    full: str
    another: str
    reads: str

    @property
    def url(self) -> str:
        return self.server.url


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    full, another = (tokens.make(name, read_only=False) for name in ("anna", "bert"))
    reads = tokens.make("ci", read_only=True)
    file = folder / "tokens"
    for made in (full, another, reads):
        tokens.append(file, made.line)
    home = {"QUANTGATE_HOME": str(folder / "home")}
    with serving(folder, "--tokens-file", str(file), "--requests-per-minute", "6000", **home) as server:
        yield Guarded(server, full.token, another.token, reads.token)


@MODES
def test_a_token_lets_a_client_list_and_call_every_tool(mode: str, guarded: Guarded) -> None:
    async def use(client: Client) -> tuple[list[str], Any, str]:
        listed = [tool.name for tool in (await client.list_tools()).tools]
        return listed, await client.call_tool("list_tasks", {"query": "mmlu pro"}), str(client.protocol_version)

    listed, result, version = with_client(guarded.url, guarded.full, mode, use)
    assert listed == [spec.name for spec in TOOLS]
    assert result.structured_content["tasks"]
    assert version == {"legacy": "2025-11-25", "auto": "2026-07-28"}[mode]


@MODES
def test_a_read_only_token_sees_only_what_changes_nothing_and_cannot_call_the_rest(mode: str, guarded: Guarded) -> None:
    async def use(client: Client) -> tuple[list[str], Any, Any, Any]:
        listed = [tool.name for tool in (await client.list_tools()).tools]
        run = await client.call_tool("run", {"config": "eval.yaml"})
        report = await client.call_tool(
            "compare_runs", {"baseline": "abcd", "candidate": "abce", "report": "/tmp/never.html"}
        )
        return listed, run, report, await client.call_tool("list_tasks", {"limit": 1})

    listed, run, report, tasks = with_client(guarded.url, guarded.reads, mode, use)
    assert listed == READ_ONLY_TOOLS
    assert run.is_error
    assert "Unknown tool" in run.content[0].text
    assert report.is_error
    assert "read-only" in report.content[0].text
    assert not tasks.is_error


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Bearer ", "Basic YTpi", "Bearer " + "x" * 3000])
def test_without_a_right_token_nothing_is_told(header: str, guarded: Guarded) -> None:
    answer = post(guarded.url, **({"Authorization": header} if header else {}))
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "quantgate" not in answer.text


@MODES
@pytest.mark.parametrize("token", ["", "wrong"])
def test_the_client_of_the_sdk_is_refused_without_a_right_token(mode: str, token: str, guarded: Guarded) -> None:
    with pytest.raises(Exception) as refused:  # noqa: PT011 - the SDK wraps it in groups that differ by generation
        with_client(guarded.url, token, mode, lambda client: client.list_tools())
    assert "Server returned an error response" in _texts(refused.value)


def _texts(error: BaseException) -> str:
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return " ".join([str(error), *map(_texts, inner)])


def test_a_session_of_one_token_is_not_to_be_had_with_another(guarded: Guarded) -> None:
    opened = post(guarded.url, Authorization=f"Bearer {guarded.full}")
    assert opened.status == 200
    session = opened.headers["mcp-session-id"]
    body = b'{"jsonrpc": "2.0", "id": 2, "method": "tools/list"}'
    own = post(guarded.url, body, Authorization=f"Bearer {guarded.full}", Mcp_Session_Id=session)
    assert own.status == 200
    assert '"run"' in own.text
    # One with the same rights, who reaches the same sessions, and one with fewer.
    for token in (guarded.another, guarded.reads):
        other = post(guarded.url, body, Authorization=f"Bearer {token}", Mcp_Session_Id=session)
        assert other.status == 404
        assert '"run"' not in other.text


def test_a_request_that_is_too_large_is_refused_and_its_body_is_not_logged(guarded: Guarded) -> None:
    marker = b"do-not-log-me"
    # Only its beginning is sent: a server that has refused need not read the rest, and cuts the connection.
    with _connected(int(guarded.url.rsplit(":", 1)[1].partition("/")[0])) as client:
        client.sendall(
            f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer {guarded.full}\r\n"
            f"Content-Length: {limits.MOST_BODY + 1}\r\n\r\n".encode()
            + marker
        )
        assert b" 413 " in client.recv(4096)
    assert post(guarded.url, marker * 70, Authorization=f"Bearer {guarded.full}").status == 400
    assert marker.decode() not in guarded.server.said()
    assert guarded.full not in guarded.server.said()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "attacker.example"}, 421),
        ({"Host": "127.0.0.1.attacker.example:80"}, 421),
        ({"Origin": "https://attacker.example"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
    ],
)
def test_other_hosts_and_origins_are_refused_before_the_token_is_looked_at(
    headers: dict[str, str], status: int, guarded: Guarded
) -> None:
    assert post(guarded.url, Authorization=f"Bearer {guarded.full}", **headers).status == status
    assert post(guarded.url, **headers).status == (status if status != 200 else 401)


def test_many_clients_of_both_generations_are_served_at_once(guarded: Guarded) -> None:
    async def one(mode: Any, token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(guarded.url, http_client=http), mode=mode) as client,
        ):
            found = [await client.call_tool("list_tasks", {"query": "gpqa", "limit": 2}) for _ in range(3)]
            assert all(result.structured_content["tasks"] for result in found)
            return len((await client.list_tools()).tools)

    async def go() -> list[int]:
        counts: list[int] = []

        async def note(mode: Any, token: str) -> None:
            counts.append(await one(mode, token))

        async with anyio.create_task_group() as group:
            for number in range(8):
                token = guarded.full if number % 2 else guarded.reads
                group.start_soon(note, "legacy" if number < 4 else "auto", token)
        return counts

    counts = anyio.run(go)
    assert sorted(counts) == [len(READ_ONLY_TOOLS)] * 4 + [len(TOOLS)] * 4


@MODES
def test_a_form_reaches_the_user_over_http_and_without_one_the_questions_are_told(
    mode: str, guarded: Guarded, tmp_path: Path
) -> None:
    answers = {"execution": "local", "deployment": "none", "model_type": "chat_reasoning", "benchmarks": ["coding"]}
    shown: list[Any] = []

    async def person(context: Any, params: Any) -> types.ElicitResult:
        shown.append(params)
        return types.ElicitResult(action="accept", content={**answers, "export": "none"})

    async def use(client: Client) -> Any:
        return await client.call_tool("build_config", {"output": str(tmp_path / "eval.yaml")})

    without = with_client(guarded.url, guarded.full, mode, use)
    assert without.is_error
    assert "execution" in without.content[0].text
    made = with_client(guarded.url, guarded.full, mode, use, elicitation_callback=person)
    assert not made.is_error, made.content
    assert len(shown) == 1
    assert (tmp_path / "eval.yaml").exists()


@MODES
def test_only_a_token_that_may_change_things_is_asked_for_a_persons_yes(mode: str, guarded: Guarded) -> None:
    shown: list[Any] = []

    async def person(context: Any, params: Any) -> types.ElicitResult:
        shown.append(params)
        return types.ElicitResult(action="decline")

    async def use(client: Client) -> Any:
        return await client.call_tool("check_environment", {"host": "login.nobody-named.invalid"})

    full = with_client(guarded.url, guarded.full, mode, use, elicitation_callback=person)
    assert "the user was asked and said no" in full.content[0].text
    assert len(shown) == 1
    reads = with_client(guarded.url, guarded.reads, mode, use, elicitation_callback=person)
    assert reads.is_error
    assert "a person's yes is missing (nobody could be asked here)" in reads.content[0].text
    assert len(shown) == 1


def test_on_loopback_a_server_without_tokens_is_open_and_says_so(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for mode in ("legacy", "auto"):
            listed = with_client(server.url, "", mode, lambda client: client.list_tools()).tools
            assert len(listed) == len(TOOLS)
        assert "every user of this machine" in server.said()
        assert post(server.url, Host="attacker.example").status == 421
        assert post(server.url, Host="LocalHost:1", Origin="HTTP://LOCALHOST:3000").status == 200


def test_read_only_beats_a_full_token_and_the_flag_for_gates(tmp_path: Path) -> None:
    token = tokens.make("anna", read_only=False).token
    flags = ("--read-only", "--allow-skip-gates")
    with serving(tmp_path, *flags, QUANTGATE_HTTP_TOKEN=token) as server:
        for mode in ("legacy", "auto"):
            listed = with_client(server.url, token, mode, lambda client: client.list_tools()).tools
            assert [tool.name for tool in listed] == READ_ONLY_TOOLS


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_the_server_ends_on_a_signal_while_clients_are_connected(how: signal.Signals, tmp_path: Path) -> None:
    with serving(tmp_path) as server:

        async def use(client: Client) -> int:
            await client.list_tools()
            began = time.monotonic()
            server.process.send_signal(how)
            status = await anyio.to_thread.run_sync(lambda: server.process.wait(timeout=20))
            assert time.monotonic() - began < 10
            return status

        with pytest.MonkeyPatch.context() as patch:
            # The session's stream stays open until the server cuts it; what the client makes of that is its own affair.
            patch.setattr("mcp.client.streamable_http.logger.exception", lambda *a, **k: None)
            assert with_client(server.url, "", "legacy", use) == 0
        assert "Traceback" not in server.said()


def _connected(port: int) -> socket.socket:
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _refused(*flags: str, **env: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "quantgate", "serve", *flags],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **env},
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.7:0", "example.org:0"])
def test_beyond_loopback_it_is_not_bound_without_a_token(listen: str) -> None:
    status, said = _refused("--http", listen)
    assert status == 1
    assert "there is no token" in said
    assert "http-token" in said


def test_every_address_wants_the_names_by_which_clients_come(tmp_path: Path) -> None:
    token = tokens.make("anna", read_only=False).token
    status, said = _refused("--http", "0.0.0.0:0", QUANTGATE_HTTP_TOKEN=token)
    assert status == 1
    assert "--allowed-host" in said
    flags = ("--allowed-host", "eval.example.org")
    with serving(tmp_path, *flags, listen="0.0.0.0:0", QUANTGATE_HTTP_TOKEN=token) as server:
        assert "Without TLS" in server.said()
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        own = {"Authorization": f"Bearer {token}"}
        assert post(url, Host="eval.example.org", **own).status == 200
        assert post(url, **own).status == 421


def test_a_token_of_the_file_and_one_of_a_variable_do_not_pass_for_one_holder(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    tokens.append(file, tokens.make("variable", read_only=True).line)
    own = tokens.make("anna", read_only=False).token
    status, said = _refused("--http", "127.0.0.1:0", "--tokens-file", str(file), QUANTGATE_HTTP_TOKEN=own)
    assert status == 1
    assert "Two tokens have the name variable" in said


def test_a_port_that_is_taken_is_told_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, said = _refused("--http", f"127.0.0.1:{taken.getsockname()[1]}")
    assert status == 1
    assert "Cannot listen" in said


def test_options_of_http_without_it_are_refused() -> None:
    status, said = _refused("--tokens-file", "tokens")
    assert status == 2
    assert "go with --http" in said
