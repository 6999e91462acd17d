"""Every test has a home of its own; only what is expensive to make is shared."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from .next_steps import every_result_keeps_what_was_promised  # noqa: F401 - a fixture for all tests

SHARED_CACHE = Path(os.environ.get("QUANTGATE_TEST_CACHE", Path.home() / ".cache" / "quantgate-tests"))

SHARING = frozenset(
    f"tests/{room}" for room in ["cluster", "demo", "gates", "integration", "launcher", "runs", "tools", "watch"]
)
"""Rooms whose tests share ports, the containers' storage or the invocation id of made runs: one after the other."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With two workers (`-n 2`): one runs the rooms that share something, the other all else, file by file."""
    from xdist.scheduler import LoadScopeScheduling

    class TwoSides(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            room = "/".join(nodeid.split("/")[:2])
            return "sharing" if room in SHARING else nodeid.partition("::")[0]

    return TwoSides(config, log)


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("QUANTGATE_HOME", str(home))
    monkeypatch.setenv("QUANTGATE_CACHE", str(SHARED_CACHE))
    monkeypatch.setenv("NEMO_EVALUATOR_EXEC_DB_FILE", str(home / "exec-db" / "exec.v1.jsonl"))
    for name in ("MODELOPT_WORKSPACE_ROOT", "NEMO_EVALUATOR_TELEMETRY_LEVEL", "NEMO_EVALUATOR_TRUST_PRE_CMD"):
        monkeypatch.delenv(name, raising=False)
    # A server that closed in this process, in an earlier test, must not end the children of this one.
    monkeypatch.setattr("quantgate.children._closing", threading.Event())
    return home
