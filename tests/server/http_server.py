"""The real server over real HTTP, on loopback: `quantgate serve --http` in a process of its own, and the SDK's client to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

START_SECONDS = 60


@dataclass(frozen=True)
class Serving:
    """A server that listens."""

    process: subprocess.Popen[bytes]
    url: str
    stderr: Path

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status after a signal."""
        self.process.send_signal(how)
        return self.process.wait(timeout=15)

    def said(self) -> str:
        """What it wrote to standard error so far."""
        return self.stderr.read_text(encoding="utf-8", errors="replace")


@contextmanager
def serving(folder: Path, *flags: str, listen: str = "127.0.0.1:0", before: str = "", **env: str) -> Iterator[Serving]:
    """A server until the end of the block.

    Args:
        folder: Where its output goes.
        flags: Of `quantgate serve`, besides --http.
        listen: Where.
        before: Python that runs in the server's process first, such as one that makes a limit small.
        env: Further variables.
    """
    stderr = folder / "stderr"
    program = f"import sys\n{before}\nfrom quantgate import cli\nsys.exit(cli.main(sys.argv[1:]))"
    with stderr.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *(("-c", program) if before else ("-m", "quantgate")), "serve", "--http", listen, *flags],
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
        )
    try:
        yield Serving(process, _listening(process, stderr), stderr)
    finally:
        process.kill()
        process.wait()


def _listening(process: subprocess.Popen[bytes], stderr: Path) -> str:
    """The URL that the server says it listens at, once it answers there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        text = stderr.read_text(encoding="utf-8", errors="replace")
        if "Listening at " in text:
            url = text.split("Listening at ")[1].split()[0]
            if _answers(url):
                return url
        assert process.poll() is None, text
        time.sleep(0.05)
    raise AssertionError(stderr.read_text())


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url.removesuffix("/mcp") + "/nothing", timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False
    return True


def with_client(url: str, token: str, mode: Any, use: Any, **callbacks: Any) -> Any:
    """What `use(client)` gives, with the SDK's client over HTTP."""

    async def go() -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode, **callbacks) as client,
        ):
            return await use(client)

    return anyio.run(go)


@dataclass(frozen=True)
class Answer:
    """An answer of HTTP."""

    status: int
    headers: Mapping[str, str]
    text: str


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


def post(url: str, body: bytes | None = None, **headers: str) -> Answer:
    """A request of plain HTTP, by default a handshake; `_` in a header's name stands for `-`."""
    request = urllib.request.Request(url, data=json.dumps(INITIALIZE).encode() if body is None else body, method="POST")
    request.add_header("Content-Type", "application/json")
    request.add_header("Accept", "application/json, text/event-stream")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read().decode())
