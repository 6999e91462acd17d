"""What the tests do with a tool server: wait for a state, pass the first gate, find a run's files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

KEY = "qg-dummy-key-of-a-local-model"
LIVE = {"pending", "running", "resuming"}


def until(
    server: Any, invocation_id: str, seen: Callable[[dict[str, Any]], bool], seconds: float = 240
) -> dict[str, Any]:
    """The run's row of `status` once `seen` holds for it.

    Raises:
        AssertionError: It did not hold within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        (run,) = server.call("status", invocation_ids=[invocation_id], wait_seconds=1)["runs"]
        if seen(run):
            return dict(run)
    raise AssertionError(f"{invocation_id} did not come so far within {seconds} s: {run}")


def ended(server: Any, invocation_id: str, seconds: float = 240) -> dict[str, Any]:
    """The run's row of `status` when nothing of it goes on."""
    return until(server, invocation_id, lambda row: row["state"] not in LIVE, seconds)


def begun(server: Any, invocation_id: str) -> dict[str, Any]:
    """The run's row of `status` once it has an answer and goes on.

    Raises:
        AssertionError: It ended before.
    """
    run = until(server, invocation_id, lambda row: _answers(row) > 0 or row["state"] not in LIVE)
    assert run["state"] == "running", run
    return run


def _answers(run: dict[str, Any]) -> int:
    return sum(int(task["samples_done"]) for task in run["tasks"])


def passed_dry_run(server: Any, config: str) -> dict[str, Any]:
    """The result of a dry run that must pass."""
    result: dict[str, Any] = server.call("dry_run", config=config)
    assert result["passed"], result
    return result


def task_folder(run: dict[str, Any]) -> Path:
    """The directory of the run's first task."""
    return Path(run["run_dir"]) / str(run["tasks"][0]["task"])
