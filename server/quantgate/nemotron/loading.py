"""The first stage: a config by name or path, with the files of its `defaults` list merged as Hydra merges them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ConfigError, UnknownName
from ..evalconfig.compose import merged
from ..evalconfig.document import ConfigDocument, located
from . import booleans
from .change import EMPTY, Change, Config, Staged, copied, made

MAX_DEPTH = 10
"""Files that may include each other in a row."""
_SELF = "_self_"
NEL_GROUPS = ("execution", "deployment")
"""Groups whose options NEL packages; an entry without a file beside the config is left to NEL."""


def config_path(name: str, directory: Path) -> Path:
    """The file that `-c NAME` means: a path when it has a `/` or ends in `.yaml`, else `<directory>/<name>.yaml`.

    Raises:
        UnknownName: The recipe has no config of this name.
        ConfigError: There is no such file.
    """
    if "/" in name or name.endswith(".yaml"):
        path = located(name)
        if not path.is_file():
            raise ConfigError("Config file not found", where=str(path), fix="give an existing .yaml file, or a name")
        return path
    path = directory / f"{name}.yaml"
    if not name or "\0" in name or not path.is_file():
        known = sorted(p.stem for p in directory.glob("*.yaml") if p.stem != "contract")
        listed = ", ".join(known) or "none"
        raise UnknownName(
            "config", name[:80], known, where=str(directory), fix=f"one of: {listed}; or give a path that ends in .yaml"
        )
    return path


def load(path: Path) -> Staged:
    """Read a config and merge the files of its `defaults` list.

    Only files beside the config are merged here; entries of NEL's own groups stay in `defaults` for the composition.

    Raises:
        ConfigError: A file cannot be read, is no mapping, or includes itself.
    """
    changes: list[Change] = []
    return Staged(_load(path, (), changes), tuple(changes))


def named_types(config: Config) -> Staged:
    """Write `execution.type` and `deployment.type` out where only the `defaults` list says them (`execution: slurm/default`).

    The later stages look at the type; NEL would take it from its packaged group.
    """
    entries = config.get("defaults")
    named = (
        {str(k): v for e in entries if isinstance(e, dict) for k, v in e.items()} if isinstance(entries, list) else {}
    )
    result: Config = copied(config)
    changes: list[Change] = []
    for group in NEL_GROUPS:
        option, given = named.get(group), config.get(group)
        if (
            not isinstance(option, str)
            or (given and not isinstance(given, dict))
            or (given or {}).get("type") not in EMPTY
        ):
            continue
        kind = option.partition("/")[0]
        made(result, group)["type"] = kind
        changes.append(Change(f"{group}.type: {kind}", f"the defaults list names {group}: {option}"))
    return Staged(result, tuple(changes))


def _load(path: Path, above: tuple[Path, ...], changes: list[Change]) -> Config:
    real = path.resolve()
    if real in above or len(above) >= MAX_DEPTH:
        chain = " → ".join(p.name for p in (*above, real))
        raise ConfigError(
            f"The defaults lists go in a circle: {chain}", where=str(path), fix="remove one of the entries"
        )
    document = ConfigDocument.load(path)
    spoken = booleans.as_omegaconf(document)
    changes.extend(spoken.changes)
    config: Config = copied(spoken.config)
    entries = config.pop("defaults", None)
    if entries is None:
        return config
    if not isinstance(entries, list):
        raise ConfigError(
            "`defaults` must be a list", where=f"{path}:{document.line_of('defaults')}", fix="write `- …`"
        )
    below: Config = {}
    left: list[Any] = []
    placed = False
    for entry in entries:
        if entry == _SELF:
            below, placed = merged(below, config), True
            continue
        part, kept = _entry(entry, path, (*above, real), changes)
        below = merged(below, part)
        left.extend(kept)
    result = below if placed else merged(below, config)
    if left:
        result["defaults"] = [*left, _SELF]
    return result


def _entry(entry: Any, path: Path, above: tuple[Path, ...], changes: list[Change]) -> tuple[Config, list[Any]]:
    """What one entry brings, and what of it is left to NEL's composition."""
    group, option = "", entry
    if isinstance(entry, dict) and len(entry) == 1:
        group, option = next((str(key), value) for key, value in entry.items())
    if option is None:
        return {}, []
    if not isinstance(option, str):
        raise ConfigError(
            f"{str(entry)[:80]!r} is no entry of a defaults list", where=str(path), fix="write group: option"
        )
    package = group.removeprefix("override ").removeprefix("optional ").strip().lstrip("/").partition("@")[0]
    file = path.parent / package / (option if option.endswith(".yaml") else f"{option}.yaml")
    if not file.is_file():
        if package in NEL_GROUPS:
            return {}, [{package: option}]
        raise ConfigError(
            f"The defaults entry {str(entry)[:80]!r} is no file beside the config and none of NEL's groups",
            where=str(path),
            fix=f"make {file}, or remove the entry",
        )
    part = _load(file, above, changes)
    left = part.pop("defaults", [])
    changes.append(
        Change(f"defaults: {file.name} is merged into the config", "the saved config needs no file beside it")
    )
    for name in reversed(package.split("/") if package else []):
        part = {name: part}
    return part, [e for e in left if e != _SELF]
