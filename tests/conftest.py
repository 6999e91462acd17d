"""Every test has a home of its own; only what is expensive to make is shared."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from .next_steps import every_result_keeps_what_was_promised  # noqa: F401 - a fixture for all tests

SHARED_CACHE = Path(os.environ.get("QUANTGATE_TEST_CACHE", Path.home() / ".cache" / "quantgate-tests"))

ALONE = {
    "tests/integration/slurm": "slurm",
    "tests/integration/containers": "containers",
    **dict.fromkeys(
        [f"tests/{room}" for room in ("cluster", "demo", "gates", "integration", "launcher", "runs", "tools", "watch")],
        "runs",
    ),
}
"""Folders whose tests share something, and the side on which they run one after the other: a cluster's daemons, the containers'
storage, or the model's slots and the invocation ids of made runs. Of folders in each other the inner one counts."""

FIRST = ("slurm", "runs", "containers", "tests/agent/test_played.py")
"""What takes longest is begun first: else one worker is left with it at the end."""


def side(nodeid: str) -> str:
    """The tests that run after one another, with this one among them: those of its side, else those of its file."""
    file = nodeid.partition("::")[0]
    folders = [folder.as_posix() for folder in PurePosixPath(file).parents]
    return next((ALONE[folder] for folder in folders if folder in ALONE), file)


def pytest_configure() -> None:
    """A script that starts pytest in the background has it ignore SIGINT, and every program that a test starts would too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With two workers (`-n 2`) each takes a side, and the next one when it is done with it."""
    from xdist.scheduler import LoadScopeScheduling

    class Sides(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return side(nodeid)

    # The order is that of the workers' collection (below), not of the number of tests.
    config.option.loadscopereorder = False
    return Sides(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker: the sides that take longest come first, the rest as it was collected."""
    if hasattr(config, "workerinput"):
        rank = {name: place for place, name in enumerate(FIRST)}
        items.sort(key=lambda item: rank.get(side(item.nodeid), len(rank)))


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
