"""How the server ends, and what does not end it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.requirements import require

HELLO = (
    '{"jsonrpc": "2.0", "id": %d, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}, '
    '"clientInfo": {"name": "test", "version": "1"}}}\n'
)
START = "import signal; signal.signal(signal.SIGHUP, signal.%s); from quantgate.server.stdio import serve; serve()"
"""What `nohup quantgate serve` is (SIG_IGN), and without nohup (SIG_DFL): a child inherits an ignored signal as ignored."""


@pytest.mark.parametrize(("inherited", "lives"), [("SIG_IGN", True), ("SIG_DFL", False)])
def test_a_closed_terminal_ends_the_server_unless_it_was_started_to_ignore_that(
    tmp_path: Path, inherited: str, lives: bool
) -> None:
    hang_up = getattr(signal, "SIGHUP", None)
    require(hang_up is not None, "this system has no SIGHUP")
    assert hang_up is not None
    server = subprocess.Popen(
        [sys.executable, "-c", START % inherited],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        server.stdin.write(HELLO % 1)
        server.stdin.flush()
        assert "quantgate" in server.stdout.readline()
        server.send_signal(hang_up)
        if not lives:
            assert server.wait(30) == 0
            return
        server.stdin.write('{"jsonrpc": "2.0", "id": 2, "method": "ping"}\n')
        server.stdin.flush()
        assert '"id":2' in server.stdout.readline().replace(" ", "")
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        server.kill()
        server.communicate()
