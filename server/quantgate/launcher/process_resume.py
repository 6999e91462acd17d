"""A process run is taken up again: the same commands in the same directory, for some of its tasks.

Imported only in the child process that talks to NEL. No variable of a run is on disk, so that the config is composed as it was
at the launch and gives them once more; what it gives besides must be what was launched.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from nemo_evaluator_launcher.common import helpers
from nemo_evaluator_launcher.common.mapping import load_tasks_mapping
from omegaconf import DictConfig

from ..errors import Refused
from . import export_planning, process_executor, process_plan

RUN_CONFIG = "config_ef.yaml"
"""What nemo-evaluator runs; its `metadata` only describes where it came from."""
UNRESOLVED = "launcher_unresolved_config.yaml"
_FILE = re.compile(r'echo "([A-Za-z0-9+/=]*)" \| base64 -d > (\S+)')


def take_up(cfg: DictConfig, directory: Path, tasks: Sequence[str]) -> None:
    """Start a runner for some tasks of an invocation.

    Args:
        cfg: The config, composed and filtered as at the launch.
        directory: The invocation's directory.
        tasks: Names of the task directories to run.

    Raises:
        Refused: What the config gives now is not what was launched.
        BadInput: The config asks for something that a process run does not give.
    """
    process_executor.refuse_what_is_not_ours(cfg)
    mapping = load_tasks_mapping()
    prepared = [
        process_executor.prepare(cfg, task, index, directory, mapping)
        for index, task in enumerate(cfg.evaluation.tasks)
    ]
    chosen = [t for t in prepared if Path(t.planned.directory).name in tasks]
    helpers.check_unlisted_tasks_safeguard([t.planned.name for t in chosen if t.unlisted], dry_run=False)
    process_executor.refuse_untrusted(chosen, dry_run=False)
    _require_what_was_launched(directory, chosen, tasks)
    _, variables = export_planning.planned(cfg)
    process_executor.start(directory, chosen, variables, again=True)


def _require_what_was_launched(
    directory: Path, chosen: Sequence[process_executor.Prepared], tasks: Sequence[str]
) -> None:
    """The commands on disk are run with the user's keys: they must be those that the config gives."""
    launched = {Path(t.directory).name: t for t in process_plan.read_plan(directory)}
    for task in chosen:
        place = Path(task.planned.directory)
        same = launched.get(place.name) == task.planned and _executed(_text(place / "command.sh")) == _executed(
            task.script()
        )
        if not same:
            raise Refused(
                "The command of a task is not the one that was launched",
                where=str(place / "command.sh"),
                fix="start a new run: run(config=…)",
            )
    if len(chosen) != len(tasks):
        raise Refused(
            "The run has a task that the config does not give",
            where=str(directory),
            fix="start a new run: run(config=…)",
        )


def _executed(script: str) -> list[tuple[str, tuple[Any, ...]]]:
    """What a command.sh does, less what changes nothing: NEL (0.2.6) lays the config's whole text, comments too, into it.

    Returns:
        For each line that is not a comment: its text without the files that it writes, and those files.
    """
    lines = [line for line in script.split("\n") if line.strip(" \t") and not line.startswith("#")]
    return [(_FILE.sub(r"\2", line), tuple(_content(*match) for match in _FILE.findall(line))) for line in lines]


def _content(encoded: str, name: str) -> Any:
    """A file that the command writes, as far as it counts."""
    if Path(name).name == UNRESOLVED:
        return None
    text = base64.b64decode(encoded)
    if name != RUN_CONFIG:
        return text
    config = yaml.safe_load(text)
    return {key: value for key, value in config.items() if key != "metadata"} if isinstance(config, dict) else config


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
