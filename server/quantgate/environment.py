"""What this machine has for an evaluation: launcher, containers, credentials, clusters, workspaces."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import credentials, workspace
from .benchmarks import recipes
from .evalconfig import compose, variables
from .evalconfig.document import ConfigDocument
from .launcher import containers, package

JOINPATH_FIXED = (3, 12)
"""From this Python on, NEL 0.2.6's own build-config works: before, MultiplexedPath.joinpath takes one argument only."""


@dataclass(frozen=True)
class Launcher:
    """NEL as it is installed; `build_config_works` speaks of NEL's own command, not of quantgate's tool."""

    version: str
    validated_version: str
    build_config_works: bool


@dataclass(frozen=True)
class Credential:
    """One variable: where it was found and who needs it."""

    name: str
    set: bool
    found_in: str
    needed_by: str


@dataclass(frozen=True)
class Cluster:
    """One cluster's login host."""

    host: str
    reachable: bool
    reason: str


@dataclass(frozen=True)
class Environment:
    """Everything that `look` found; `blockers` is what must be removed before an evaluation can run."""

    blockers: list[str]
    launcher: Launcher
    containers: containers.Containers
    credentials: list[Credential]
    clusters: list[Cluster]
    workspaces: list[workspace.Workspace]
    config: str


def look(*, workspace: str = "", config: str = "", host: str = "") -> Environment:
    """Look at what is here; nothing is changed and no cluster is contacted.

    Raises:
        BadInput: A given workspace or config does not exist or cannot be read.
    """
    composed, unset = compose.compose_despite_unset(ConfigDocument.load(config)) if config else (None, ())
    engine = containers.look()
    needed = variables.needed(composed.config) if composed else _recipe_needs()
    needed |= {name: place for place, name in unset}  # of `${oc.env:NAME}`, in NEL's own defaults too
    found = credentials.locate(needed, Path(config).expanduser() if config else None)
    rows = [Credential(f.name, f.set, f.found_in, needed[f.name]) for f in found]
    launcher = Launcher(package.launcher_version(), package.VALIDATED_VERSION, sys.version_info >= JOINPATH_FIXED)
    blockers = _blockers(launcher, engine, composed, rows)
    clusters = [Cluster(host, False, "this version does not contact clusters")] if host else []
    return Environment(blockers, launcher, engine, rows, clusters, _workspaces(workspace), config)


def _workspaces(path: str) -> list[workspace.Workspace]:
    return workspace.find_workspaces(path)


def as_rows(found: Environment) -> dict[str, Any]:
    """The environment as the tool's rows; paths become text."""
    return {
        "ready": not found.blockers,
        "blockers": found.blockers,
        "launcher": dataclasses.asdict(found.launcher),
        "containers": dataclasses.asdict(found.containers),
        "credentials": [dataclasses.asdict(c) for c in found.credentials],
        "clusters": [dataclasses.asdict(c) for c in found.clusters],
        "workspaces": [
            {
                "path": str(w.path),
                "checkpoints": [str(p) for p in w.checkpoints],
                "configs": [str(p) for p in w.configs],
                "runs": [str(p) for p in w.runs],
                "patches": [{"path": str(p.path), "carry": p.carry} for p in w.patches],
            }
            for w in found.workspaces
        ],
    }


def _recipe_needs() -> dict[str, str]:
    needed: dict[str, str] = {}
    for recipe in recipes.load_recipes().values():
        for need in recipe.needs:
            needed[need] = f"{needed[need]}, {recipe.name}" if need in needed else f"recipe {recipe.name}"
    return needed


def _blockers(
    launcher: Launcher, engine: containers.Containers, composed: compose.Composed | None, rows: list[Credential]
) -> list[str]:
    blockers = []
    if not launcher.version:
        blockers.append(
            f"nemo-evaluator-launcher is not installed: pip install nemo-evaluator-launcher=={launcher.validated_version}"
        )
    if composed is None:
        return blockers
    blockers += [f"{c.name} is not set ({c.needed_by})" for c in rows if not c.set]
    if composed.executor == "local" and not engine.usable:
        blockers.append(f"execution.type local needs a container engine: {engine.reason}")
    return blockers
