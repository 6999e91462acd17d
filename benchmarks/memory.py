"""Memory of the server: after its start, and after a thousand calls of every read-only tool.

Resident memory of the process as the kernel counts it. Growth is held against the level after the first hundred calls: what the
tools need to load is loaded then.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import psutil

from . import made_runs
from .kept import ROOT
from .measured import Effort, Result, compared
from .tool_server import EMPTY, ToolServer

IDLE_MEGABYTES = 120.0
GROWTH = 1.10
CALLS, WARM = 1000, 100


def megabytes(server: ToolServer) -> float:
    """Resident memory of a server."""
    return float(psutil.Process(server.process.pid).memory_info().rss) / 2**20


def mixed(folder: Path, ids: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """Calls of every read-only tool; those that are made most in a session stand here more often."""
    data = ROOT / "tests" / "data" / "checkpoints"
    run = ids[0]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("list_tasks", {"query": query}) for query in ("gpqa", "code", "math", "safety")
    ]
    calls += [("status", {"invocation_ids": [one]}) for one in ids]
    calls += [("check_config", {"config": str(path)}) for path in made_runs.examples(folder)[:3]]
    for name in ("nvfp4_default", "fp8_default", "int4_awq"):
        calls.append(("detect_quantization", {"model": str(data / name)}))
        calls.append(("read_model_config", {"model": str(data / name)}))
    calls += [("logs", {"invocation_id": run}), ("grep_slurm_logs", {"invocation_id": run}), ("status", {})]
    calls += [("verify_run", {"run": run}), ("compare_runs", {"baseline": run, "candidate": ids[1]})]
    return [*calls, ("check_environment", {})]


def measure(effort: Effort) -> Result:
    """Two rows."""
    folder, count = Path(tempfile.mkdtemp()), effort.size(CALLS, 2 * WARM)
    calls = mixed(folder, made_runs.local_runs(folder, 4))
    idle, grown = [], []
    for _ in range(effort.rounds()):
        with ToolServer(EMPTY) as empty, ToolServer(cwd=folder) as server:
            empty.begin()
            server.begin()
            idle.append((megabytes(server), megabytes(empty)))
            warm = 0.0
            for number in range(count):
                tool, arguments = calls[number % len(calls)]
                server.call(tool, **arguments)
                if number + 1 == WARM:
                    warm = megabytes(server)
            grown.append((megabytes(server), warm))
    return Result(
        (
            compared("idle", "memory of the server after its first tools/list", "an MCP server with one empty tool",
                     idle, unit="MB", reads="value", limit=IDLE_MEGABYTES),
            compared("calls", f"memory after {count:,} mixed calls", f"after the first {WARM} of them",
                     grown, unit="MB", limit=GROWTH),
        )
    )  # fmt: skip
