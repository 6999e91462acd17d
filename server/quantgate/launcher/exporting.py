"""The export of a process run's tasks through NEL's exporters: what goes where, in which environment, and what became of it.

An export follows the exit record: it cannot fail a run. Each destination gets a child process (`export_child`), whose output
is `logs/export.log`; how it went stands in `logs/export.json`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from .. import redact
from ..system.files import open_plain
from .export_environment import environment

CONFIG = "export_config.yml"
"""In the invocation's directory; `nel export JOB --dest DESTINATION --config FILE` takes it too."""
RECORD = "export.json"
LOG = "export.log"
EXPORT_SECONDS = 900.0
MAX_RECORD = 1 << 20
MAX_DETAIL = 400
NOT_MADE = "it has not been made"
_TAIL = 16 << 10
PACKAGES = {"mlflow": "mlflow", "wandb": "wandb", "gsheets": "gspread", "local": ""}
"""The destinations of NEL 0.2.6, and the module that each needs."""
LOCAL_FOLDER = "nemo-evaluator-launcher-results"
"""Where NEL 0.2.6 writes a local export that names no directory, below the current one."""
_SAYS_WHY = ("error", "failed", "exception")


@dataclass(frozen=True)
class ExportPlan:
    """What is exported after each task that succeeds.

    Attributes:
        destinations: NEL's names of them.
        variables: Names of the variables that the config declares for exports.
    """

    destinations: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exported:
    """How one export went.

    Attributes:
        destination: NEL's name of it.
        ok: Whether everything arrived.
        detail: Why not, bounded and redacted.
        run: The address of the exported run ("mlflow:…"); empty where it has none.
        ended: UTC, ISO 8601; empty while it has not been made.
    """

    destination: str
    ok: bool
    detail: str
    run: str
    ended: str


@dataclass(frozen=True)
class Export:
    """One export of one task.

    Attributes:
        destination: NEL's name of where it goes.
        logs: The task's logs.
        work: A directory that is removed when the task is done.
    """

    destination: str
    logs: Path
    work: Path

    @property
    def answer(self) -> Path:
        """Where the exporter leaves its answer."""
        return self.work / f"export-{self.destination}.json"

    def note(self, ended_by: str) -> Exported:
        """Write down how it went.

        Args:
            ended_by: Why it was ended before it had finished; empty when it ended by itself.
        """
        try:
            said = json.loads(self.answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            said = {}
        ok, told = bool(said.get("ok")), str(said.get("detail") or "")
        detail = told if ok else ended_by or told or _last_words(self.logs / LOG) or "the exporter ended without a word"
        done = Exported(self.destination, ok, _shown(detail), str(said.get("run") or ""), _now())
        rows = {row.destination: row for row in read_record(self.logs)} | {self.destination: done}
        _write(self.logs, list(rows.values()))
        return done


@dataclass(frozen=True)
class Exports:
    """The exports of one invocation, as its runner needs them.

    Attributes:
        invocation: Its directory.
        invocation_id: Its id.
        plan: What is exported where.
        declared: The config's variables for exports, with their values.
    """

    invocation: Path
    invocation_id: str
    plan: ExportPlan
    declared: Mapping[str, str]

    def begin(self, export: Export, index: int) -> subprocess.Popen[bytes]:
        """Start the exporter of one task.

        Args:
            export: Where it goes to.
            index: The task's position in the config.

        Raises:
            OSError: It cannot be started.
        """
        settings = _section(self.invocation, export.destination)
        if export.destination == "local":
            # A relative one would lie in the working directory, which goes with the task.
            settings = {
                **settings,
                "output_dir": str(self.invocation / str(settings.get("output_dir") or LOCAL_FOLDER)),
            }
        home = export.work / "home"
        home.mkdir(mode=0o700, exist_ok=True)
        job = {"job_id": f"{self.invocation_id}.{index}", "destination": export.destination, "settings": settings}
        with (export.logs / LOG).open("ab") as out, tempfile.TemporaryFile() as given:
            given.write(json.dumps({**job, "answer": str(export.answer), "secrets": redact.known_values()}).encode())
            given.seek(0)
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "quantgate.launcher.export_child"],
                cwd=export.work,
                env=environment(export.destination, settings, self.declared, home),
                stdin=given,
                stdout=out,
                stderr=subprocess.STDOUT,
                process_group=0,
            )


def expect(logs: Path, destinations: Sequence[str]) -> None:
    """Note the exports that are to come, so that one that is never made is seen.

    Raises:
        OSError: The logs cannot be written.
    """
    _write(logs, [Exported(destination, False, NOT_MADE, "", "") for destination in dict.fromkeys(destinations)])


def _write(logs: Path, rows: Sequence[Exported]) -> None:
    temporary = logs / f".{RECORD}"
    temporary.write_text(json.dumps({"exports": [asdict(row) for row in rows]}, indent=1), encoding="utf-8")
    temporary.replace(logs / RECORD)


def read(invocation: Path, prefix: str) -> Exports:
    """The exports of an invocation, by its plan.json; their variables stand in this process's environment under a prefix."""
    plan = json.loads((invocation / "plan.json").read_text(encoding="utf-8"))
    given = plan.get("export") or {}
    names = tuple(given.get("variables", ()))
    declared = {name: os.environ[prefix + name] for name in names if prefix + name in os.environ}
    return Exports(
        invocation,
        str(plan.get("invocation_id", "")),
        ExportPlan(tuple(given.get("destinations", ())), names),
        declared,
    )


def _section(invocation: Path, destination: str) -> dict[str, Any]:
    """The settings of a destination, as the config had them at the launch."""
    try:
        config = yaml.safe_load((invocation / CONFIG).read_text(encoding="utf-8"))
        found = config["export"][destination]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def read_record(logs: Path) -> list[Exported]:
    """How the exports of a task went, by its record; empty without one. Anybody may have written it: it is bounded."""
    try:
        with open_plain(logs / RECORD) as file:
            rows = json.loads(file.read(MAX_RECORD))["exports"]
        return [
            Exported(
                str(r["destination"])[:40],
                r["ok"] is True,
                _shown(r["detail"]),
                str(r["run"])[:80],
                str(r["ended"])[:40],
            )
            for r in rows[: len(PACKAGES)]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def _shown(text: Any) -> str:
    return " ".join(redact.redact(str(text)[:4000]).split())[:MAX_DETAIL]


def _last_words(log: Path) -> str:
    """The last line of an exporter's output that says why it failed, else its last line."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            lines: Sequence[str] = file.read(_TAIL).decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    told = [line for line in lines if line.strip()]
    return next(
        (line for line in reversed(told) if any(w in line.lower() for w in _SAYS_WHY)), told[-1] if told else ""
    )


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
