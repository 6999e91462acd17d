"""Taking away what only Nemotron's command line understands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import BadInput, ConfigError, UnknownName
from ..evalconfig import paths
from . import overrides
from .change import Change, Config, Staged, copied, made, section
from .interpolation import NEMOTRON_ONLY

SECTIONS = ("run", "execution", "deployment", "evaluation", "target", "export", "run.env", "run.wandb", "run.artifacts")


def require_sections(config: Config, source: str) -> None:
    """Refuse a section that is no mapping.

    Raises:
        ConfigError: With its name.
    """
    for name in SECTIONS:
        value = paths.dig(config, *name.split("."))
        if value and not isinstance(value, dict):
            raise ConfigError(
                f"`{name}` must be a section with keys",
                where=f"{source}: {name}",
                fix="correct its indentation or value",
            )


def asks_for_dry_run(config: Config, source: str) -> bool:
    """Whether the config itself asks for no more than a dry run.

    Args:
        config: With its references written out; what a variable says is a text.
        source: The config's file, for the message.

    Raises:
        ConfigError: It is neither true nor false. `yes` from an override is a text: taken for false, it would launch what
            was to be looked at.
    """
    given = config.get("dry_run")
    value = overrides.typed(given) if isinstance(given, str) else given
    if value is None or isinstance(value, bool):
        return value is True
    raise ConfigError("`dry_run` is neither true nor false", where=f"{source}: dry_run", fix="write dry_run: true")


def strip(config: Config) -> Staged:
    """Remove `run`, `dry_run`, `output_dir` and `task_filters`; `output_dir` becomes the default of `execution.output_dir`."""
    result: Config = copied(config)
    changes: list[Change] = []
    directory = result.get("output_dir")
    execution = made(result, "execution")
    if directory not in (None, "", "???") and execution.get("output_dir") in (None, "", "???"):
        execution["output_dir"] = str(directory)
        changes.append(
            Change("execution.output_dir: taken from output_dir", "an explicit execution.output_dir would win")
        )
    for key in NEMOTRON_ONLY:
        if key in result:
            del result[key]
            changes.append(
                Change(f"{key}: removed", "only Nemotron's command line reads it; the launcher would refuse it")
            )
    return Staged(result, tuple(changes))


def absolute_output(config: Config, start: Path) -> Staged:
    """A relative `execution.output_dir` on this machine, from where the command was given; on a cluster it stays and is refused."""
    execution = section(config, "execution") or {}
    directory = execution.get("output_dir")
    here = (execution.get("type") or "local") in ("local", "process")
    if not here or not isinstance(directory, str) or not directory or directory == "???" or "${" in directory:
        return Staged(config)
    if Path(directory).expanduser().is_absolute():
        return Staged(config)
    result: Config = copied(config)
    result["execution"]["output_dir"] = str(Path(os.path.normpath(start.absolute() / directory)))
    what = f"execution.output_dir: {result['execution']['output_dir']}"
    return Staged(result, (Change(what, "a relative directory would depend on where the launcher is started"),))


def configured(config: Config) -> list[str]:
    """The names of the configured tasks, in order."""
    evaluation = config.get("evaluation")
    tasks: Any = evaluation.get("tasks") if isinstance(evaluation, dict) else None
    entries = tasks if isinstance(tasks, list) else []
    return [str(entry.get("name") or "") for entry in entries if isinstance(entry, dict)]


def configured_filters(config: Config, wanted: Sequence[str], source: str) -> tuple[str, ...]:
    """The filter in the names that the config has, which the gates go by; the end of one such name after a dot may stand for it.

    Raises:
        UnknownName: It names a task that is not configured, and would select nothing; with the configured tasks.
        BadInput: The short name means several tasks.
        ConfigError: No task is configured at all.
    """
    names = configured(config)
    if not names and wanted:
        raise ConfigError("No task is configured", where=source, fix="write tasks below evaluation.tasks, as - name: …")
    where = f"{source}: task filter"
    found: list[str] = []
    for name in wanted:
        meant = [name] if name in names else list(dict.fromkeys(n for n in names if n.endswith(f".{name}")))
        if not meant:
            raise UnknownName("task", name[:80], names, where=where, fix=f"configured: {', '.join(names)[:600]}")
        if len(meant) > 1:
            what = f"The task {name[:80]!r} means several of the config's"
            raise BadInput(what, where=where, fix=f"give one in full: {', '.join(meant)[:600]}")
        found += meant
    return tuple(dict.fromkeys(found))
