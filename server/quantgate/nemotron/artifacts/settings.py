"""`[artifacts]` of env.toml: which store a reference is looked up in.

`backend` is `wandb` (the default), `mlflow`, `directory` (Nemotron calls it `file`) with `root`, or `index` with `index`, a JSON
file. A relative place starts at the env.toml's own directory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from .directory import DirectoryStore, IndexStore
from .mlflow_store import MlflowStore
from .resolver import Resolver
from .store import ArtifactStore
from .wandb_store import VARIABLES, WandbProject, WandbStore

BACKENDS = ("wandb", "mlflow", "directory", "file", "index")
_KEYS = ("backend", "root", "index", "entity", "project", "download")


def resolver(
    artifacts: Mapping[str, Any] | None = None,
    wandb: Mapping[str, Any] | None = None,
    *,
    base: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Resolver:
    """The resolver of a config; nothing is opened or asked before its first reference.

    Args:
        artifacts: `[artifacts]` of env.toml.
        wandb: `run.wandb` or `[wandb]`: `entity` and `project`.
        base: Where relative places start; None for the working directory.
        environment: Where W&B's key, entity and project are looked for; None for this process's environment.

    Raises:
        ConfigError: An unknown key or backend, or a backend without its place.
    """
    given = dict(artifacts or {})
    if unknown := [key for key in given if key not in _KEYS]:
        raise ConfigError(
            f"[artifacts] has an unknown key: {str(unknown[0])[:60]!r}",
            where="env.toml",
            fix=f"it takes {', '.join(_KEYS)}",
        )
    texts = {key: _text(given, key) for key in _KEYS}
    backend = texts["backend"] or ("index" if texts["index"] else "directory" if texts["root"] else "wandb")
    if backend not in BACKENDS:
        raise ConfigError(
            f"[artifacts] names an unknown backend: {backend[:60]!r}",
            where="env.toml",
            fix=f"take {', '.join(BACKENDS)}",
        )
    wanted = {"directory": "root", "file": "root", "index": "index"}.get(backend, "")
    if wanted and not texts[wanted]:
        raise ConfigError(
            f"[artifacts] has no {wanted}", where="env.toml", fix=f'write {wanted} = "/path/of/artifacts"'
        )
    owner = {key: texts[key] or _text(dict(wandb or {}), key) for key in ("entity", "project")}
    variables = os.environ if environment is None else environment
    return Resolver(lambda: _open(backend, texts, WandbProject(**owner), base or Path(), variables))


def _open(
    backend: str, texts: Mapping[str, str], of: WandbProject, base: Path, variables: Mapping[str, str]
) -> ArtifactStore:
    download = base / Path(texts["download"]).expanduser() if texts["download"] else None
    if backend in ("directory", "file"):
        return DirectoryStore(base / Path(texts["root"]).expanduser())
    if backend == "index":
        return IndexStore(base / Path(texts["index"]).expanduser())
    if backend == "mlflow":
        return MlflowStore(download)
    return WandbStore(of, download, {name: variables[name] for name in VARIABLES if variables.get(name)})


def _text(given: Mapping[str, Any], key: str) -> str:
    value = given.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ConfigError(f"{key} is no text", where="env.toml, [artifacts] or [wandb]", fix=f'write {key} = "…"')
    return value.strip()
