"""Weights & Biases: whether a config needs it, and its variables by name in the places that NEL 0.2.6 reads.

A key is never written anywhere: what `wandb login` left in netrc stays in the mapping that is given here, and the config says
`host:WANDB_API_KEY`; `credentials` finds it in netrc again for the launch.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from .. import wandb_login
from ..wandb_login import KEY, Login
from .change import EMPTY, Change, Config, Staged, copied, made, section

PROJECT, ENTITY = "WANDB_PROJECT", "WANDB_ENTITY"
PLACES = ("evaluation", "export")
"""Sections whose `env_vars` get the variables: the task's container, and the job that exports."""


def needed(config: Config) -> bool:
    """Whether a config exports to W&B: `wandb` is a destination of auto_export, or `export.wandb` is not null."""
    export, automatic = section(config, "export"), section(config, "execution", "auto_export")
    destinations: Any = automatic.get("destinations") if automatic else None
    named = destinations if isinstance(destinations, list) else [destinations]
    return "wandb" in named or (export is not None and export.get("wandb") is not None)


def login(environment: MutableMapping[str, str]) -> Login:
    """Find the login; a key of netrc becomes WANDB_API_KEY in `environment` and is redacted from now on."""
    found = wandb_login.find(environment)
    if found.key:
        environment[KEY] = found.key
    return found


def apply(config: Config, environment: Mapping[str, str], found: Login | None = None) -> Staged:
    """Map W&B's variables by name, where they exist, and fill `export.wandb` from `run.wandb`, and that from the environment.

    A variable that is not set is not mapped: NEL 0.2.6 refuses `host:` of it, even in a dry run. Keys that the config has
    stay. Nothing is done for a config that does not need W&B.
    """
    if not needed(config):
        return Staged(config)
    result: Config = copied(config)
    changes: list[Change] = []
    _fill_run(result, environment, changes)
    given = section(result, "run", "wandb") or {}
    _fill_export(result, given, changes)
    for name in (KEY, PROJECT, ENTITY):
        open_places = [place for place in PLACES if not _has(result, place, name, environment)]
        value, why = _value(name, environment, given, found)
        if not value and open_places:
            changes.append(Change(f"{name}: not mapped", why, "unset_host"))
        for place in open_places if value else ():
            made(result, place, "env_vars")[name] = value
            shown = value if value.startswith("host:") else "the value of run.wandb"
            changes.append(Change(f"{place}.env_vars.{name}: {shown}", why))
    if not environment.get(KEY):
        problem = found.problem if found else ""
        why = problem or "neither WANDB_API_KEY nor an entry of `wandb login` in netrc was found"
        changes.append(Change("W&B: not logged in", f"{why}; the export would fail: run `wandb login`"))
    return Staged(result, tuple(changes))


def _value(name: str, environment: Mapping[str, str], given: Config, found: Login | None) -> tuple[str, str]:
    """What a variable is mapped to (empty: not at all), and why."""
    if environment.get(name):
        if name == KEY and found is not None and found.found_in not in ("", "environment"):
            return f"host:{name}", f"wandb login left the key in {found.found_in}; it is passed by name only"
        return f"host:{name}", "the variable is set"
    written = given.get(name.removeprefix("WANDB_").lower())
    if name != KEY and _plain(written):
        return f"lit:{written}", "run.wandb names it, and the variable is not set"
    return "", "it is not set, and NEL refuses host: of an unset variable"


def _plain(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and "${" not in value


def _has(config: Config, place: str, name: str, environment: Mapping[str, str]) -> bool:
    """Whether the config maps a variable itself, in NEL's place or in Nemotron's older one; not by a variable that is not set."""
    spots = (section(config, place, "env_vars"), section(config, "execution", "env_vars", place))
    given = [spot.get(name) for spot in spots if spot is not None]
    unset = f"host:{name}" if not environment.get(name) else None
    return any(value is not None and value != unset for value in given)


def _fill_run(config: Config, environment: Mapping[str, str], changes: list[Change]) -> None:
    """Entity and project are no secrets: W&B itself takes them from the environment, and NEL's exporter does not."""
    for key, name in (("entity", ENTITY), ("project", PROJECT)):
        given, value = section(config, "run", "wandb") or {}, environment.get(name)
        if given.get(key) in EMPTY and _plain(value):
            made(config, "run", "wandb")[key] = value
            changes.append(Change(f"run.wandb.{key}: taken from {name}", "the config and env.toml leave it open"))


def _fill_export(config: Config, given: Config, changes: list[Change]) -> None:
    export = made(config, "export", "wandb")
    for key in ("entity", "project"):
        value = given.get(key)
        if export.get(key) in EMPTY and _plain(value):
            export[key] = value
            changes.append(Change(f"export.wandb.{key}: taken from run.wandb", "NEL's exporter requires it"))
