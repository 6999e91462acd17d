"""The shell commands that a config brings along, and the trust that a person gave them.

NEL 0.2.6 runs pre_cmd and post_cmd only when NEMO_EVALUATOR_TRUST_PRE_CMD is 1 in its environment. A person's yes is for the very
texts that were shown, so the child that launches compares them once more before it sets that variable, for itself alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .. import credentials
from ..errors import BadInput, Refused
from . import raw_values

TRUST_COMMANDS = "NEMO_EVALUATOR_TRUST_PRE_CMD"
TRUST_TASKS = "NEMO_EVALUATOR_TRUST_UNLISTED_TASKS"
_KEYS = ("pre_cmd", "post_cmd")
_NO_SERVER_COMMANDS = ("process", "local")
"""Executors that never run a deployment's pre_cmd (NEL 0.2.6)."""


@dataclass(frozen=True)
class Trusted:
    """What the launch's child may do because a person said yes; what the server's environment trusts is not repeated here.

    Attributes:
        commands: `digest` of the confirmed commands; empty for none.
        tasks: The tasks that are not in NEL's catalogue were confirmed.
    """

    commands: str = ""
    tasks: bool = False


@dataclass(frozen=True)
class Command:
    """One command of a config.

    Attributes:
        place: Its path in the config, such as `evaluation.tasks[0].pre_cmd`.
        text: As it would be run; for a variable, its declaration.
        note: What a text that is no command of its own becomes; empty for a command.
    """

    place: str
    text: str
    note: str = ""


def commands(config: Mapping[str, Any]) -> tuple[Command, ...]:
    """Every command that a launch of this config would run for the config's author, in the order of the config.

    Args:
        config: The composed config, as plain mappings and lists.
    """
    return tuple(_commands(config))


def with_variables(config: Mapping[str, Any]) -> tuple[Command, ...]:
    """`commands` and the declaration of every variable that one of them could use: what a person says yes to.

    A command such as `eval "$SETUP"` is what its variables are. Empty when there is no command.

    Args:
        config: The composed config, as plain mappings and lists.
    """
    found = commands(config)
    told = {command.place for command in found}
    return found + tuple(row for row in _variables(config) if found and row.place not in told)


def _variables(config: Mapping[str, Any]) -> Iterator[Command]:
    deployments = _at(config, "auxiliary_deployments")
    places = [("", config), *_evaluations(config), ("deployment", _at(config, "deployment"))]
    places += [(f"auxiliary_deployments.{name}", _at(deployments, name)) for name in deployments]
    for place, section in places:
        for name, declared in _at(section, "env_vars").items():
            yield Command(f"{place}.env_vars.{name}".lstrip("."), str(declared), "variable")


def _evaluations(config: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The evaluation and its tasks, with their paths."""
    evaluation = _at(config, "evaluation")
    tasks = evaluation.get("tasks")
    places: list[tuple[str, Mapping[str, Any]]] = [("evaluation", evaluation)]
    for index, task in enumerate(tasks if isinstance(tasks, list) else []):
        if isinstance(task, Mapping):
            places.append((f"evaluation.tasks[{index}]", task))
    return places


def _commands(config: Mapping[str, Any]) -> Iterator[Command]:
    execution = str(_at(config, "execution").get("type") or "")
    places = _evaluations(config)
    for place, section in places:
        yield from _of(place, section, _KEYS)
    if execution not in _NO_SERVER_COMMANDS:
        yield from _of("deployment", _at(config, "deployment"), _KEYS[:1])
        for name, section in _at(config, "auxiliary_deployments").items():
            if isinstance(section, Mapping):
                yield from _of(f"auxiliary_deployments.{name}", section, _KEYS[:1])
    if execution == "process":
        # In a container these steer the container's programs; here they steer this machine's.
        for place, section in [("", config), *places]:
            yield from _steering(place, _at(section, "env_vars"))
    raw = {
        "process": raw_values.of_process,
        "local": raw_values.of_local,
        "slurm": raw_values.of_slurm,
    }.get(execution)
    for value in raw(config) if raw else ():
        yield Command(value.place, value.text, value.becomes)


def _at(section: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = section.get(key)
    return value if isinstance(value, Mapping) else {}


def _of(place: str, section: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[Command]:
    for key in keys:
        if section.get(key):
            yield Command(f"{place}.{key}", str(section[key]))


def _steering(place: str, variables: Mapping[str, Any]) -> Iterator[Command]:
    for name, declared in variables.items():
        if credentials.steers_programs(str(name)):
            yield Command(f"{place}.env_vars.{name}".lstrip("."), str(declared), "variable")


def digest(found: tuple[Command, ...]) -> str:
    """SHA-256 over all texts with their places, in any order; empty when there is no command."""
    if not found:
        return ""
    rows = sorted([command.place, command.text] for command in found)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def trust_in_this_process(config: Mapping[str, Any], trusted: Trusted, *, launching: bool = True) -> None:
    """Set NEL's trust variables in this process, which must be the launch's own child, for what a person confirmed.

    Args:
        config: The config that NEL composed, as plain mappings and lists.
        trusted: What the person confirmed.
        launching: Something is started: commands that nobody trusted are refused.

    Raises:
        Refused: The commands are not those that were confirmed.
        BadInput: Nobody confirmed commands, and there are some.
    """
    found = with_variables(config)
    places = ", ".join(command.place for command in found)
    if trusted.commands:
        if digest(found) != trusted.commands:
            raise Refused(
                "The config's commands are not those that were confirmed",
                where=places or "no command is left",
                fix="make the same call again: the commands as they are now are shown to the user",
            )
        os.environ[TRUST_COMMANDS] = "1"
    elif launching and found and os.environ.get(TRUST_COMMANDS) != "1":
        raise BadInput(
            "The config runs commands of its own that nobody confirmed",
            where=places,
            fix=f"a person reviews them and starts the server with {TRUST_COMMANDS}=1",
        )
    if trusted.tasks:
        os.environ[TRUST_TASKS] = "1"
