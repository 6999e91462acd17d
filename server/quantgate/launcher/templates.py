"""The base configs that `nel skills build-config` writes, made from the installed launcher's template files.

NEL 0.2.6 crashes there on Python 3.11 (it joins two path parts on a namespace package in one call), and importing it
is slow and noisy; the templates are plain files, so they are read and merged here in the order that NEL does. The same
YAML library writes the text, so that it is equal byte for byte.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import BadInput, StorageError, UnknownName
from . import package

TEMPLATES = "resources/config_templates"
PROCESS = "process"
"""Our own execution: NEL's local template with `execution.type: process`."""

_DEFAULT = "default"
_NUMBERED_AT_MOST = 1000


@dataclass(frozen=True)
class Options:
    """What can be asked for, as the template folders of the installed launcher have it.

    `bundles` maps a model type to its benchmark bundles.
    """

    execution: tuple[str, ...]
    deployment: tuple[str, ...]
    export: tuple[str, ...]
    bundles: dict[str, tuple[str, ...]]

    @property
    def model_type(self) -> tuple[str, ...]:
        """The model types, each of which has its own bundles."""
        return tuple(self.bundles)


@cache
def choices() -> Options:
    """The options of the installed launcher and our `process` execution.

    Raises:
        LauncherError: The launcher is not installed, or has no templates.
    """
    root = package.resource(TEMPLATES)
    model_types = sorted(
        folder.name for folder in (root / "evaluation").iterdir() if (folder / f"{_DEFAULT}.yaml").is_file()
    )
    return Options(
        execution=(*_stems(root / "execution"), PROCESS),
        deployment=_stems(root / "deployment"),
        export=_stems(root / "export"),
        bundles={
            name: tuple(stem for stem in _stems(root / "evaluation" / name) if stem != _DEFAULT) for name in model_types
        },
    )


def options() -> dict[str, Any]:
    """`choices()` as plain data: lists of names, and for `benchmarks` a list for each model type."""
    found = choices()
    return {
        "execution": list(found.execution),
        "deployment": list(found.deployment),
        "export": list(found.export),
        "model_type": list(found.model_type),
        "benchmarks": {name: list(bundles) for name, bundles in found.bundles.items()},
    }


def build(
    execution: str, deployment: str, model_type: str, benchmarks: Sequence[str], export: str = "none"
) -> dict[str, Any]:
    """The base config that NEL would write for these answers.

    The parts are merged in NEL's order (execution, export, the model type's defaults, bundles as given, deployment):
    later values win, lists are joined, and `_self_` ends the defaults. Source: `common/build_config.py` of NEL 0.2.6.

    Args:
        benchmarks: Bundles; an empty sequence gives a config without tasks.

    Raises:
        UnknownName: An answer is not one of `options()`.
        BadInput: The process execution with a deployment, which it cannot start.
    """
    found = choices()
    for question, answer, known in (
        ("execution", execution, found.execution),
        ("deployment", deployment, found.deployment),
        ("model type", model_type, found.model_type),
        ("export", export, found.export),
    ):
        if answer not in known:
            raise UnknownName(question, answer, fix="one of " + ", ".join(known))
    for bundle in benchmarks:
        if bundle not in found.bundles[model_type]:
            bundles = ", ".join(found.bundles[model_type])
            raise UnknownName("benchmark bundle", bundle, where=f"model type {model_type}", fix=f"one of {bundles}")
    if execution == PROCESS and deployment != "none":
        raise BadInput(
            f"The process execution starts no model server, so deployment {deployment!r} cannot be used with it",
            fix="serve the model yourself and build with deployment='none', or use execution='local' with containers",
        )
    parts = [
        f"execution/{'local' if execution == PROCESS else execution}",
        f"export/{export}",
        f"evaluation/{model_type}/{_DEFAULT}",
        *(f"evaluation/{model_type}/{bundle}" for bundle in benchmarks),
        f"deployment/{deployment}",
    ]
    config: dict[str, Any] = {}
    for part in parts:
        config = _merge(config, _template(part))
    config["defaults"] = [entry for entry in config.get("defaults", []) if entry != "_self_"] + ["_self_"]
    if execution == PROCESS:
        config["execution"] = {"type": PROCESS, **config["execution"]}
    return config


def dumps(config: Mapping[str, Any]) -> str:
    """A config as NEL writes it: block style, keys in the order of the templates."""
    import yaml

    return str(yaml.dump(dict(config), default_flow_style=False, sort_keys=False))


def file_name(execution: str, deployment: str, model_type: str, benchmarks: Sequence[str]) -> str:
    """The name that NEL gives the file when the caller names only a directory, or nothing."""
    return "_".join([execution, deployment, model_type, *sorted(benchmarks)]) + ".yaml"


def write(config: Mapping[str, Any], output: str, name: str) -> Path:
    """Write a new file; an existing one is never touched.

    Args:
        output: A file (`.yaml` or `.yml`), a directory, or empty for the current directory. Missing ones are made.
        name: The file's name when `output` is not a file.

    Returns:
        The absolute path written: the one asked for, or with _1, _2, ... before the suffix when it exists.

    Raises:
        BadInput: `output` leads through something that is not a directory.
        StorageError: The place cannot be written.
    """
    wanted = Path(output).expanduser() if output.strip() else Path.cwd()
    target = (wanted if wanted.suffix in (".yaml", ".yml") else wanted / name).absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return _place(dumps(config), target)
    except (FileExistsError, NotADirectoryError):
        raise BadInput(
            f"{target.parent} is not a directory", where="output", fix="give a directory or a new .yaml file"
        ) from None
    except OSError as error:
        raise StorageError(
            f"The config cannot be written: {error.strerror or type(error).__name__}",
            where=str(target),
            fix="give an `output` in a directory that you can write to",
        ) from None


def _place(text: str, target: Path) -> Path:
    """Write beside the target, reserve the first free name, then rename over the reservation: whole or not at all."""
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        reserved = _reserve(target)
        temporary.replace(reserved)
    finally:
        temporary.unlink(missing_ok=True)
    return reserved


def _reserve(target: Path) -> Path:
    for number in range(_NUMBERED_AT_MOST):
        candidate = target.with_stem(f"{target.stem}_{number}") if number else target
        try:
            candidate.touch(exist_ok=False)
        except FileExistsError:
            continue
        return candidate
    raise BadInput(f"{target} and {_NUMBERED_AT_MOST - 1} numbered copies of it exist", fix="give another `output`")


def _stems(folder: Path) -> tuple[str, ...]:
    """The templates of a folder by name, "none" first."""
    return tuple(sorted((file.stem for file in folder.glob("*.yaml")), key=lambda stem: (stem != "none", stem)))


def _template(part: str) -> dict[str, Any]:
    import yaml

    # Read anew each time: equal objects in one config would be written as YAML anchors, which NEL does not do.
    return yaml.safe_load(package.resource(f"{TEMPLATES}/{part}.yaml").read_text(encoding="utf-8")) or {}


def _merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in override.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            merged[key] = old + value
        else:
            merged[key] = value
    return merged
