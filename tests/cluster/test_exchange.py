"""A host that opens a session and then says nothing costs its time limit, not for ever."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

import paramiko
import pytest

from quantgate.cluster import exchange
from quantgate.cluster.link import Link, LinkBroken

LIMIT = 0.5


class _Silent(paramiko.ServerInterface):
    """Lets everybody in and opens sessions; a request is not answered until the test has ended."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def check_auth_none(self, username: str) -> int:
        return paramiko.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username: str) -> str:
        return "none"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.ended.wait(30)
        return False

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        self.ended.wait(30)
        return False


@pytest.fixture
def link() -> Iterator[Link]:
    """A link to a server on loopback that stands for an sshd whose host hangs after the login."""
    silent = _Silent()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client_end = socket.create_connection(listening.getsockname())
        server_end, _ = listening.accept()
    server = paramiko.Transport(server_end)
    server.add_server_key(paramiko.RSAKey.generate(2048))
    server.start_server(server=silent, event=threading.Event())
    transport = paramiko.Transport(client_end)
    transport.start_client(timeout=10)
    transport.auth_none("tester")
    client = paramiko.SSHClient()
    client._transport = transport  # type: ignore[attr-defined]
    try:
        yield Link(client)
    finally:
        silent.ended.set()
        for end in (transport, server):
            with contextlib.suppress(OSError, EOFError):
                end.close()


def test_a_command_that_is_never_started_ends_at_its_time_limit(link: Link) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        link.run(link.session(), ["true"], b"", LIMIT, 1000)
    assert LIMIT <= time.monotonic() - began < LIMIT + 3


def test_a_file_transfer_that_is_never_offered_ends_at_its_time_limit(link: Link) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        link.sftp(link.session(), LIMIT)
    assert LIMIT <= time.monotonic() - began < LIMIT + 3


def test_what_is_done_in_time_leaves_no_watch_behind(link: Link) -> None:
    silent_threads = threading.active_count()
    channel = link.session()
    channel.close()
    with pytest.raises(LinkBroken, match="not open"):
        link.run(channel, ["true"], b"", 60, 1000)
    time.sleep(0.1)
    assert threading.active_count() <= silent_threads


class _EndsBetweenTwoLooks:
    """Stands for a paramiko channel whose end and close arrive right after it was asked whether it has ended."""

    def __init__(self) -> None:
        self._pipe = os.pipe()
        os.write(self._pipe[1], b"x")
        self._over = False

    def fileno(self) -> int:
        return self._pipe[0]

    def recv_ready(self) -> bool:
        return False

    recv_stderr_ready = recv_ready

    @property
    def closed(self) -> bool:
        return self._over

    @property
    def eof_received(self) -> bool:
        before, self._over = self._over, True
        return before

    def shut(self) -> None:
        for end in self._pipe:
            os.close(end)


def test_a_command_that_ends_between_two_looks_is_not_taken_for_a_broken_link() -> None:
    channel = _EndsBetweenTwoLooks()
    seen = exchange._Streams(b"begin", 100)
    try:
        seen.read(channel, time.monotonic() + 5)  # type: ignore[arg-type]
    finally:
        channel.shut()
    assert seen.done(0).code == 0


class _EndsAtOnce:
    """Stands for paramiko's channel of a command that has ended before its input is sent, or whose link broke then."""

    def __init__(self, exit_status: int) -> None:
        self.exit_status = exit_status

    def sendall(self, data: bytes) -> None:
        raise OSError("Socket is closed")


def test_a_command_that_ends_without_reading_its_input_is_no_broken_link() -> None:
    exchange._feed(_EndsAtOnce(127), b"unread")  # type: ignore[arg-type]
    with pytest.raises(OSError, match="closed"):
        exchange._feed(_EndsAtOnce(-1), b"unread")  # type: ignore[arg-type]
