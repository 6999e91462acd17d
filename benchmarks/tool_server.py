"""A tool server over stdio, as a client starts it: one JSON-RPC message a line."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

QUANTGATE = (sys.executable, "-m", "quantgate", "serve")
EMPTY = (
    sys.executable,
    "-c",
    """
from mcp.server import MCPServer
server = MCPServer(name="empty", log_level="WARNING")
@server.tool()
def nothing(text: str = "") -> str:
    "Does nothing."
    return text
server.run("stdio")
""",
)
"""A server with one tool that does nothing: what the protocol's library costs by itself."""


class ToolServer:
    """A server until the end of the block.

    Args:
        argv: How it is started.
        env: Its whole environment; ours when None.
        cwd: Its working directory.
    """

    def __init__(
        self, argv: Sequence[str] = QUANTGATE, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self._number = 0
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the server
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env=None if env is None else dict(env),
            cwd=cwd,
        )

    def __enter__(self) -> ToolServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._complaints.close()

    def _write(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def ask(self, method: str, **params: Any) -> str:
        """The line that answers a request."""
        self._number += 1
        self._write({"id": self._number, "method": method, "params": params})
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if json.loads(line).get("id") == self._number:
                return line
        code = self.process.wait()
        self._complaints.seek(0)
        last = self._complaints.read()[-1000:].decode("utf-8", "replace")
        raise SystemExit(f"the server ended with {code} during {method} {params.get('name', '')}: {last}")

    def begin(self) -> str:
        """Shake hands and ask for the list of tools: the answer."""
        info = {"name": "benchmark", "version": "1"}
        self.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=info)
        self._write({"method": "notifications/initialized"})
        return self.ask("tools/list")

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured result of a tool; a refusal ends the benchmark."""
        answer = json.loads(self.ask("tools/call", name=tool, arguments=arguments))
        result = answer.get("result", answer)
        if "structuredContent" not in result:
            raise SystemExit(f"{tool} was refused: {json.dumps(answer)[:600]}")
        found: dict[str, Any] = result["structuredContent"]
        return found
