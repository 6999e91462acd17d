"""Variables of jobs: from Nemotron's `execution.env_vars` to the places and the prefixes of NEL 0.2.6."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .. import redact
from ..errors import ConfigError
from ..evalconfig.variables import PREFIXES
from .change import Change, Config, Staged, copied, made, section

GROUPS = ("deployment", "evaluation", "export")
_CAPITALS = re.compile(r"[A-Z][A-Z0-9_]*")
_CONSTANTS = frozenset(
    {"INFO", "DEBUG", "WARN", "WARNING", "ERROR", "TRACE", "TRUE", "FALSE", "YES", "NO", "ON", "OFF"}
)
"""Words in capitals that are settings (`NCCL_DEBUG: INFO`), and no names of variables unless one of that name is set."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FROM_ENVIRONMENT = re.compile(r"\$\{oc\.env:\s*(?P<name>\w+)\s*(?:,(?P<default>[^{}]*))?\}")


def moved(config: Config) -> Staged:
    """Move `execution.env_vars`, in every form, to where NEL 0.2.6 reads it.

    Forms: null or empty; by group (deployment, evaluation, export); flat, for every job; and lists of `NAME` or
    `NAME=value`. A variable that stands in the new place already stays.

    Raises:
        ConfigError: The section has a form that means nothing; no value is repeated.
    """
    execution = section(config, "execution")
    if execution is None or "env_vars" not in execution:
        return Staged(config)
    result: Config = copied(config)
    given = result["execution"].pop("env_vars")
    changes: list[Change] = []
    if not given:
        changes.append(
            Change("execution.env_vars: removed", "it was empty, and NEL refuses it even so", "execution_env_vars")
        )
        return Staged(result, tuple(changes))
    flat: Config = {}
    for name, value in _mapping(given, "execution.env_vars").items():
        if name in GROUPS and (value is None or isinstance(value, dict | list)):
            inner = _mapping(value or {}, f"execution.env_vars.{name}")
            _put(made(result, name, "env_vars") if inner else {}, inner, f"execution.env_vars.{name}", name, changes)
        elif isinstance(value, dict | list):
            raise ConfigError(
                f"execution.env_vars.{name[:80]} is no group of variables",
                where="execution.env_vars",
                fix=f"the groups are {', '.join(GROUPS)}; variables for every job stand in env_vars at the top",
            )
        else:
            flat[name] = value
    if flat:
        _put(made(result, "env_vars"), flat, "execution.env_vars", "", changes)
    return Staged(result, tuple(changes))


def _mapping(given: Any, where: str) -> Config:
    if isinstance(given, dict):
        return {str(name): value for name, value in given.items()}
    if isinstance(given, list) and all(isinstance(item, str) and _NAME.match(item) for item in given):
        pairs = (item.partition("=") for item in given)
        return {name: value if separator else f"host:{name}" for name, separator, value in pairs}
    raise ConfigError(f"{where} must be a mapping of variables", where=where, fix="write NAME: host:NAME below it")


def _put(place: Config, given: Config, source: str, section_name: str, changes: list[Change]) -> None:
    target = f"{section_name}.env_vars" if section_name else "env_vars"
    row = "export_variables" if section_name == "export" else "execution_env_vars"
    for name, value in given.items():
        if place.get(name) is not None:
            changes.append(
                Change(f"{source}.{name}: dropped", f"{target} has it already, and that is NEL's place", row)
            )
            continue
        place[name] = value
        changes.append(Change(f"{source}.{name}: moved to {target}", "NEL 0.2.6 refuses execution.env_vars", row))


def prefixed(config: Config, environment: Mapping[str, str] | None = None) -> Staged:
    """Give every variable's value one of NEL's prefixes.

    Raises:
        ConfigError: A value is a list or a mapping, or mixes text with a secret variable; it is not repeated.
    """
    environment = os.environ if environment is None else environment
    result: Config = copied(config)
    changes: list[Change] = []
    for where, variables in _places(result):
        for name, value in list(variables.items()):
            at = f"{where}.{name}"
            if value is None:
                del variables[name]
                changes.append(Change(f"{at}: dropped", "it is null, and NEL wants a prefixed text", "bare_values"))
                continue
            if isinstance(value, str) and _unset_wandb(value, environment):
                del variables[name]
                changes.append(
                    Change(f"{at}: dropped", "it is not set, and NEL refuses host: of an unset variable", "unset_host")
                )
                continue
            new = prefixed_value(value, at, environment)
            if new != value:
                variables[name] = new
                kind = new if new.startswith("host:") else "lit:…"
                changes.append(
                    Change(
                        f"{at}: {kind}",
                        "NEL 0.2.6 wants host: (a variable's name), lit: (the word itself) or runtime: before the value",
                        "bare_values",
                    )
                )
    return Staged(result, tuple(changes))


def _unset_wandb(value: str, environment: Mapping[str, str]) -> bool:
    """Whether it names one of W&B's two optional variables, which is not set: only these may go without a word of the user."""
    whole = _FROM_ENVIRONMENT.fullmatch(value.strip())
    name = whole["name"] if whole and whole["default"] is None else value.removeprefix("host:")
    return name in ("WANDB_PROJECT", "WANDB_ENTITY") and not environment.get(name)


def prefixed_value(value: Any, at: str, environment: Mapping[str, str]) -> str:
    """A variable's value as NEL 0.2.6 wants it.

    Raises:
        ConfigError: As `prefixed`.
    """
    if isinstance(value, bool):
        return f"lit:{str(value).lower()}"
    if isinstance(value, int | float):
        return f"lit:{value}"
    if not isinstance(value, str):
        raise ConfigError(
            f"The variable {at} is a list or a mapping", where=at, fix="write one text, such as host:NAME"
        )
    if value.startswith(PREFIXES) or value == "???":
        return value
    whole = _FROM_ENVIRONMENT.fullmatch(value.strip())
    if whole:
        name, default = whole["name"], whole["default"]
        if default is None or environment.get(name) or redact.is_secret_name(name):
            return f"host:{name}"
        text = default.strip().strip("'\"")
        return "lit:" if text == "null" else f"lit:{text}"
    if any(redact.is_secret_name(found["name"]) for found in _FROM_ENVIRONMENT.finditer(value)):
        raise ConfigError(
            f"The variable {at} mixes a text with a secret variable",
            where=at,
            fix="export the whole value, and write host:NAME",
        )
    constant = value in _CONSTANTS and not environment.get(value)
    return f"host:{value}" if _CAPITALS.fullmatch(value) and not constant else f"lit:{value}"


def _places(config: Config) -> Iterator[tuple[str, Config]]:
    """Every mapping of variables that NEL reads, with its path."""
    owners: list[tuple[str, Any]] = [("", config)]
    owners += [(name, config.get(name)) for name in GROUPS]
    auxiliary = config.get("auxiliary_deployments")
    owners += [(f"auxiliary_deployments.{n}", a) for n, a in auxiliary.items()] if isinstance(auxiliary, dict) else []
    evaluation = config.get("evaluation")
    tasks = evaluation.get("tasks") if isinstance(evaluation, dict) else None
    owners += [(f"evaluation.tasks[{i}]", t) for i, t in enumerate(tasks)] if isinstance(tasks, list) else []
    for where, owner in owners:
        variables = owner.get("env_vars") if isinstance(owner, dict) else None
        if isinstance(variables, dict):
            yield (f"{where}.env_vars" if where else "env_vars"), variables
