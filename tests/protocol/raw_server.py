"""`quantgate serve` as a child that is written to in bytes, and whose every line is read as it came."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ANSWER_SECONDS = 90.0
HANDSHAKE, SESSIONLESS = "2025-11-25", "2026-07-28"


class RawServer:
    """The child and what it wrote.

    Attributes:
        process: The child.
        lines: Every line of its standard output so far, without the line's end.
    """

    def __init__(self, process: subprocess.Popen[bytes], stderr: Path, generation: str) -> None:
        self.process, self._stderr, self._generation = process, stderr, generation
        self.lines: list[bytes] = []
        self._seen: queue.Queue[dict[str, Any]] = queue.Queue()
        self._kept: dict[Any, dict[str, Any]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip(b"\n"))
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    self._seen.put(message)

    def write(self, raw: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(raw)
        self.process.stdin.flush()

    def encoded(self, number: int | None, method: str, params: Mapping[str, Any] | None = None) -> bytes:
        """A message of this generation as one line, without its end; a notification when it has no number."""
        given = dict(params or {})
        if self._generation == SESSIONLESS:
            # Each request says for itself what the handshake said before.
            given["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": SESSIONLESS,
                "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
                **given.get("_meta", {}),
            }
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": given}
        if number is not None:
            message["id"] = number
        return json.dumps(message).encode()

    def send(self, number: int | None, method: str, params: Mapping[str, Any] | None = None) -> None:
        """Write a message."""
        self.write(self.encoded(number, method, params) + b"\n")

    def call(self, number: int, tool: str, arguments: Mapping[str, Any]) -> None:
        """Call a tool."""
        self.send(number, "tools/call", {"name": tool, "arguments": dict(arguments)})

    def answer(self, number: int, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """The answer to a request; others that come before are kept."""
        deadline = time.monotonic() + seconds
        while number not in self._kept:
            message = self._seen.get(timeout=max(0.01, deadline - time.monotonic()))
            if "id" in message and "method" not in message:
                self._kept[message["id"]] = message
        return self._kept.pop(number)

    def begin(self) -> None:
        """Shake hands, in the generation that does."""
        if self._generation == HANDSHAKE:
            info = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
            self.send(0, "initialize", info)
            assert self.answer(0)["result"]["protocolVersion"] == HANDSHAKE
            self.send(None, "notifications/initialized")

    def end(self) -> int:
        """Close its input and wait; its exit status. `lines` is then all that it wrote."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        code = self.process.wait(timeout=20)
        self._reader.join(timeout=10)
        return code

    def complaints(self) -> str:
        """What it wrote to standard error."""
        return self._stderr.read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def raw_server(folder: Path, generation: str, *flags: str, **env: str) -> Iterator[RawServer]:
    """A server of this environment until the end of the block.

    Args:
        folder: Its working directory, and where its standard error goes.
        generation: Of the protocol.
        flags: Of `quantgate serve`.
        env: Further variables.
    """
    command = [sys.executable, "-m", "quantgate", "serve", *flags]
    with serving(command, folder, generation, {**os.environ, **env}) as server:
        yield server


@contextlib.contextmanager
def serving(
    command: Sequence[str | Path], folder: Path, generation: str, env: Mapping[str, str]
) -> Iterator[RawServer]:
    """The server that a command starts, greeted, until the end of the block."""
    stderr = folder / "stderr.log"
    with stderr.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, cwd=folder, env=env
        )
    server = RawServer(process, stderr, generation)
    try:
        server.begin()
        yield server
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
