"""What one client of the server over HTTP can take from the others: connections, sessions, lines of the log."""

from __future__ import annotations

import contextlib
import socket
import time
import urllib.request
from pathlib import Path

import pytest

from quantgate.server.http import limits, tokens
from tests.server.http_server import Serving, post, serving, with_client

SHORT = "from quantgate.server.http import limits; limits.HEADER_SECONDS = 1.0"
LIST = b'{"jsonrpc": "2.0", "id": 2, "method": "tools/list"}'


def _connected(server: Serving) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1].partition("/")[0])), timeout=20)


def test_too_many_requests_of_one_token_are_told_when_to_come_again(tmp_path: Path) -> None:
    token = tokens.make("anna", read_only=False).token
    with serving(tmp_path, "--requests-per-minute", "5", QUANTGATE_HTTP_TOKEN=token) as server:
        answers = [post(server.url, Authorization=f"Bearer {token}") for _ in range(20)]
        wrong = [post(server.url, Authorization="Bearer wrong") for _ in range(20)]
    statuses = [answer.status for answer in answers]
    assert statuses[0] == 200
    assert set(statuses) == {200, 429}
    late = next(answer for answer in answers if answer.status == 429)
    assert int(late.headers["retry-after"]) >= 1
    # Whoever only guesses is counted by himself, and sooner.
    assert {answer.status for answer in wrong} == {401, 429}


def test_a_body_that_never_ends_does_not_hold_a_connection(tmp_path: Path) -> None:
    before = "import quantgate.server.http.app as app; app.BODY_SECONDS = 1.0"
    with serving(tmp_path, before=before) as server, _connected(server) as client:
        client.sendall(
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        client.settimeout(20)
        assert b" 408 " in client.recv(4096)


@pytest.mark.parametrize("said", [b"", b"POST /mcp HTTP/1.1\r\nHost: local"], ids=["nothing", "half a header"])
def test_a_connection_on_which_no_request_comes_is_closed(said: bytes, tmp_path: Path) -> None:
    with serving(tmp_path, before=SHORT) as server, _connected(server) as client:
        client.sendall(said)
        assert client.recv(4096) == b""


def test_a_connection_on_which_no_second_request_comes_is_closed_however_it_begins(tmp_path: Path) -> None:
    with serving(tmp_path, before=SHORT) as server, _connected(server) as client:
        client.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"Not Found"):
            answer += client.recv(4096)
        client.sendall(b"P")
        assert client.recv(4096) == b""


def test_an_open_answer_may_stay_silent_for_longer(tmp_path: Path) -> None:
    with serving(tmp_path, before=SHORT) as server, _connected(server) as client:
        session = post(server.url).headers["mcp-session-id"]
        client.sendall(
            f"GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: {session}\r\n\r\n".encode()
        )
        assert b" 200 " in client.recv(4096)
        client.settimeout(0.1)
        ends = time.monotonic() + 2.5
        while time.monotonic() < ends:
            with contextlib.suppress(TimeoutError):
                assert client.recv(4096) != b""


def test_more_silent_connections_than_the_server_takes_keep_nobody_out(tmp_path: Path) -> None:
    with serving(tmp_path) as server, contextlib.ExitStack() as opened:
        for _ in range(limits.MOST_CONNECTIONS + 40):
            opened.enter_context(_connected(server))
        time.sleep(0.5)
        assert [post(server.url).status for _ in range(3)] == [200] * 3


def test_one_token_ends_its_own_oldest_session_and_no_other_s(tmp_path: Path) -> None:
    made = [tokens.make(name, read_only=False) for name in ("anna", "bert")]
    for one in made:
        tokens.append(tmp_path / "tokens", one.line)
    anna, bert = ({"Authorization": f"Bearer {one.token}"} for one in made)
    before = "from quantgate.server.http import limits; limits.OWN_SESSIONS = 2"
    with serving(tmp_path, "--tokens-file", str(tmp_path / "tokens"), before=before) as server:

        def opened(own: dict[str, str]) -> str:
            return post(server.url, **own).headers["mcp-session-id"]

        def status(own: dict[str, str], session: str) -> int:
            return post(server.url, LIST, **own, Mcp_Session_Id=session).status

        other, first, second = opened(bert), opened(anna), opened(anna)
        assert status(anna, first) == 200
        third = opened(anna)
        assert [status(anna, one) for one in (first, second, third)] == [200, 404, 200]
        assert status(bert, other) == 200


def test_a_session_that_was_ended_takes_no_place_of_one_that_is_alive(tmp_path: Path) -> None:
    before = "from quantgate.server.http import limits; limits.OWN_SESSIONS = 2"
    with serving(tmp_path, before=before) as server:
        alive = post(server.url).headers["mcp-session-id"]
        for _ in range(3):
            short = post(server.url).headers["mcp-session-id"]
            ended = urllib.request.Request(server.url, method="DELETE", headers={"Mcp-Session-Id": short})
            with urllib.request.urlopen(ended, timeout=10) as answer:
                assert answer.status < 400
        assert post(server.url, LIST, Mcp_Session_Id=alive).status == 200


def test_requests_that_are_refused_do_not_fill_the_log(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for number in range(60):
            assert post(server.url, Host=f"attacker{number}.example" + "e" * 5000).status == 421
        said = server.said()
    # The first one is what a person needs who has forgotten --allowed-host.
    assert "attacker0.example" in said
    assert said.count("Invalid Host header") <= 20
    assert len(said) < 20_000


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_call_is_counted_for_the_token_that_it_came_with(mode: str, tmp_path: Path) -> None:
    token = tokens.make("anna", read_only=False)
    tokens.append(tmp_path / "tokens", token.line)
    before = (
        "from quantgate.server import working\nreal = working.in_thread\n"
        "def told(work, holder):\n    print('for', holder, file=sys.stderr, flush=True)\n    return real(work, holder)\n"
        "working.in_thread = told"
    )
    with serving(tmp_path, "--tokens-file", str(tmp_path / "tokens"), before=before) as server:
        with_client(server.url, token.token, mode, lambda client: client.call_tool("list_tasks", {"limit": 1}))
        assert "for anna" in server.said()
