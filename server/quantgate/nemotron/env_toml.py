"""The second stage: env.toml, with its profiles, `[wandb]` and `[artifacts]`.

For `run.env` the order is: the YAML, then the profile; of the keys in `YAML_OWNED` the YAML's value stays.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError, UnknownName
from ..evalconfig.compose import merged
from ..system.files import open_plain
from .change import Change, Config, Staged, copied, made, section

VARIABLE = "NEMOTRON_ENV_FILE"
MAX_BYTES = 1 << 20
YAML_OWNED = ("container_image", "nodes", "gpus_per_node", "ntasks_per_node", "nproc_per_node")
"""Keys of run.env that describe the job and not the cluster: the YAML's value wins over the profile's."""
NO_PROFILES = ("wandb", "artifacts", "cli", "cache", "build")
"""Tables of the file that are no profiles."""


@dataclass(frozen=True)
class EnvFile:
    """An env.toml as it was read.

    Attributes:
        path: The file; None when there is none.
        profiles: The profiles by name, as written (`extends` not yet followed).
        wandb: The table `[wandb]`, or None.
        artifacts: The table `[artifacts]`, or None.
    """

    path: Path | None = None
    profiles: dict[str, Config] = field(default_factory=dict)
    wandb: Config | None = None
    artifacts: Config | None = None


def find(start: Path) -> Path | None:
    """The env.toml that counts: `$NEMOTRON_ENV_FILE`, else the nearest one from `start` up to the first directory
    with a pyproject.toml (or the root).

    Raises:
        ConfigError: The variable names no file.
    """
    named = os.environ.get(VARIABLE, "")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigError(f"${VARIABLE} names no file", where=named, fix=f"correct it, or unset {VARIABLE}")
        return path
    for directory in (start.resolve(), *start.resolve().parents):
        if (directory / "env.toml").is_file():
            return directory / "env.toml"
        if (directory / "pyproject.toml").is_file():
            return None
    return None


def read_from(start: Path) -> EnvFile:
    """The env.toml that counts from a directory on, as `find` and `read`."""
    return read(find(start))


def listed(file: EnvFile) -> str:
    """The profiles of a file, for a message."""
    known = sorted(file.profiles)
    return f"available: {', '.join(known)}"[:600] if known else "env.toml has no profiles"


def read(path: Path | None) -> EnvFile:
    """Read an env.toml.

    Raises:
        ConfigError: It cannot be read, is over 1 MiB, is not TOML, or a table has the wrong shape. Its text is not
            repeated: it may hold a key.
    """
    if path is None:
        return EnvFile()
    try:
        with open_plain(path) as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"Cannot read env.toml: {error.strerror}", where=str(path), fix="make it readable") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError("env.toml is over 1 MiB", where=str(path), fix="keep only profiles in it")
    try:
        tables = tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise ConfigError("env.toml is not UTF-8 text", where=str(path), fix="save it as UTF-8") from None
    except (ValueError, RecursionError) as error:  # ValueError: also a number of more digits than Python reads
        place = _place(str(error))
        raise ConfigError(
            f"env.toml is not TOML{place}", where=str(path), fix="correct it; text needs quotes"
        ) from None
    return _file(path, tables)


def _place(message: str) -> str:
    """Line and column of a TOML error, without the text that stands there."""
    at = message.rfind("(at ")
    return " " + message[at:] if at >= 0 else ""


def _file(path: Path, tables: dict[str, Any]) -> EnvFile:
    for name in ("wandb", "artifacts"):
        if name in tables and not isinstance(tables[name], dict):
            raise ConfigError(
                f"[{name}] of env.toml is no table", where=str(path), fix=f"write [{name}] and keys below it"
            )
    # TOML's dates become text: a config holds none.
    plain = {name: _plain(table) for name, table in tables.items() if isinstance(table, dict)}
    profiles = {name: table for name, table in plain.items() if name not in NO_PROFILES}
    return EnvFile(path, profiles, plain.get("wandb"), plain.get("artifacts"))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_plain(child) for child in value]
    return value if isinstance(value, str | int | float | bool) else str(value)


def profile(file: EnvFile, name: str) -> Config:
    """A profile with those that it extends merged below it; lists are replaced.

    Raises:
        UnknownName: There is no such profile, or it extends one that does not exist; the known ones are listed.
        ConfigError: The profiles extend each other in a circle, or `extends` is no name.
    """
    result: Config = {}
    seen: list[str] = []
    while True:
        if name in seen:
            chain = " → ".join([*seen, name])
            raise ConfigError(
                f"The profiles extend each other in a circle: {chain}", where=str(file.path), fix="remove one `extends`"
            )
        if name not in file.profiles:
            raise _unknown(file, name, seen)
        seen.append(name)
        table = dict(file.profiles[name])
        parent = table.pop("extends", None)
        result = merged(table, result)
        if parent is None:
            return result
        if not isinstance(parent, str):
            raise ConfigError(
                f"`extends` of the profile {name!r} is no name", where=str(file.path), fix='write extends = "other"'
            )
        name = parent


def _unknown(file: EnvFile, name: str, seen: list[str]) -> UnknownName:
    fix = listed(file)
    where = f"{file.path}, extends of [{seen[-1]}]" if seen else str(file.path or "no env.toml was found")
    if file.path is None:
        fix = f"make an env.toml with a table [{name[:80]}] beside the config or above it, or set {VARIABLE}"
    return UnknownName("parent profile" if seen else "profile", name[:80], where=where, fix=fix)


def apply(config: Config, file: EnvFile, name: str = "") -> Staged:
    """Merge a profile into `run.env`, and `[wandb]` and `[artifacts]` into `run`.

    The profile wins over the YAML, but for `YAML_OWNED`; `env_vars` are merged (the profile's win), `mounts` are joined.
    `[wandb]` replaces `run.wandb`; `[artifacts]` is the base of `run.artifacts`.

    Raises:
        UnknownName, ConfigError: As `profile`.
    """
    result: Config = copied(config)
    changes: list[Change] = []
    if name:
        run = made(result, "run")
        run["env"] = _merged_env(made(result, "run", "env"), profile(file, name))
        changes.append(
            Change(f"run.env: the profile {name!r} is merged", f"it was asked for, and stands in {file.path}")
        )
        changes.extend(_kept(section(config, "run", "env") or {}, profile(file, name)))
    if file.wandb is not None:
        made(result, "run")["wandb"] = copied(file.wandb)
        changes.append(Change("run.wandb: replaced by [wandb]", f"{file.path} has this table"))
    if file.artifacts is not None:
        own = made(result, "run", "artifacts")
        made(result, "run")["artifacts"] = merged(copied(file.artifacts), own)
        changes.append(Change("run.artifacts: [artifacts] is its base", f"{file.path} has this table"))
    return Staged(result, tuple(changes))


def _kept(own: Config, given: Config) -> list[Change]:
    """The profile's values that the YAML's own win over: nobody expects it of a profile."""
    return [
        Change(f"run.env.{key}: the YAML's stays, not the profile's", f"run.env.{key}=… overrides both")
        for key in YAML_OWNED
        if own.get(key) is not None and key in given and given[key] != own[key]
    ]


def _merged_env(own: Config, given: Config) -> Config:
    env = merged(own, given)
    for key in YAML_OWNED:
        if own.get(key) is not None:
            env[key] = own[key]
    mounts = [*_items(own.get("mounts")), *_items(given.get("mounts"))]
    if mounts:
        env["mounts"] = list(dict.fromkeys(str(mount) for mount in mounts))
    return env


def _items(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list) else []
