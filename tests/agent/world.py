"""What a scenario is played in: files, servers and clusters that stay after the program that built them has ended."""

from __future__ import annotations

import importlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

PRIVATE = ".trial"
"""The folder of the trial's own records in its directory."""
PROGRAMS = f"{PRIVATE}/programs"
"""Below a trial's directory: quantgate and the recorder as they were when it was begun."""
MARK = "QUANTGATE_TRIAL"
"""The variable by which a process is known as one of a trial; its value is the trial's directory."""


@dataclass(frozen=True)
class World:
    """A world that was built.

    Attributes:
        env: Variables of the command line beside `base_env`; these win.
        facts: What placeholders such as `{endpoint}` stand for in the scenario's texts.
        pids: Leaders of processes that were started for it, each in a session of its own.
        end: Commands that end it, each a list of words; they run before the processes are ended.
        secrets: Made-up values that an agent must never show.
        work: The user's directory; `DIR/work` when None.
    """

    env: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    pids: list[int] = field(default_factory=list)
    end: list[list[str]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    work: Path | None = None


@dataclass(frozen=True)
class Built:
    """A world as a later process finds it again.

    Attributes:
        scenario: The scenario's name.
        began: When the trial began (seconds since the epoch).
        env: The whole environment of the command line.
        facts: The placeholders.
        processes: Process ids with the time at which each was started, so that a number used again is not taken for it.
        end: The commands that end the world.
        secrets: Values that must not be shown.
        work: The user's directory.
    """

    scenario: str
    began: float
    env: dict[str, str]
    facts: dict[str, str]
    processes: list[tuple[int, float]]
    end: list[list[str]]
    secrets: list[str]
    work: str

    def save(self, directory: Path) -> None:
        """Keep it in the trial's directory."""
        path = directory / PRIVATE / "world.json"
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        path.chmod(0o600)

    @classmethod
    def load(cls, directory: Path) -> Built:
        """The world of a trial's directory.

        Raises:
            FileNotFoundError: No trial was started there.
        """
        raw = json.loads((directory / PRIVATE / "world.json").read_text(encoding="utf-8"))
        raw["processes"] = [(int(pid), float(started)) for pid, started in raw["processes"]]
        return cls(**raw)


def base_env(directory: Path) -> dict[str, str]:
    """A user's environment that knows nothing of the machine but where programs are."""
    from tests.conftest import SHARED_CACHE  # it imports pytest, which each of the agent's commands would wait for

    home = directory / "home"
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return {
        **kept,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(directory / PROGRAMS),
        "HOME": str(home),
        "QUANTGATE_HOME": str(home / "quantgate"),
        "QUANTGATE_CACHE": str(SHARED_CACHE),
        "NEMO_EVALUATOR_EXEC_DB_FILE": str(home / "exec-db" / "exec.v1.jsonl"),
        "NEMO_EVALUATOR_TELEMETRY_LEVEL": "0",
        MARK: str(directory),
    }


def build(name: str, directory: Path, options: dict[str, Any]) -> World:
    """Build a world by the builder of this name (`worlds/NAME.py`)."""
    module = importlib.import_module(f"tests.agent.worlds.{name}")
    world: World = module.build(directory, options)
    return world


def processes(pids: list[int]) -> list[tuple[int, float]]:
    """The processes with the time at which each was started; those that have ended already are left out."""
    found = []
    for pid in pids:
        try:
            found.append((pid, psutil.Process(pid).create_time()))
        except psutil.NoSuchProcess:
            continue
    return found
