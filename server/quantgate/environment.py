"""What this machine has for an evaluation: launcher, containers, credentials, clusters, workspaces."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from . import credentials, workspaces
from .benchmarks import recipes
from .cluster import known_clusters
from .evalconfig import compose, variables
from .evalconfig.document import ConfigDocument, located
from .gates.planning import cluster_look
from .gates.planning.cluster_look import Cluster
from .launcher import containers, here, package
from .workspaces import Workspace

MAX_CLUSTERS = 20
NOT_ASKED = "not asked: check_environment with this host looks at it"
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
class Environment:
    """Everything that `look` found; `blockers` is what must be removed before an evaluation can run."""

    blockers: list[str]
    launcher: Launcher
    containers: containers.Containers
    credentials: list[Credential]
    clusters: list[Cluster]
    workspaces: list[Workspace]
    config: str
    warnings: tuple[str, ...] = ()


def look(*, workspace: str = "", config: str = "", host: str = "") -> Environment:
    """Look at what is here; nothing is changed, and no cluster but `host` is contacted.

    Raises:
        BadInput: A given workspace or config does not exist or cannot be read, or a clusters.yaml is broken.
        ConsentNeeded: Nobody named the host in clusters.yaml or ssh_config, and a person's yes is missing.
    """
    composed, unset = compose.compose_despite_unset(ConfigDocument.load(config)) if config else (None, ())
    engine = containers.look()
    needed = variables.needed(composed.config) if composed else _recipe_needs()
    needed |= {name: place for place, name in unset}  # of `${oc.env:NAME}`, in NEL's own defaults too
    found = credentials.locate(needed, located(config) if config else None)
    rows = [Credential(f.name, f.set, f.found_in, needed[f.name]) for f in found]
    launcher = Launcher(package.launcher_version(), package.VALIDATED_VERSION, sys.version_info >= JOINPATH_FIXED)
    blockers = _blockers(launcher, engine, composed, rows)
    clusters, notes = _clusters(host)
    places = workspaces.find(workspace)
    notes = (*notes, *_cut(places))
    return Environment(blockers, launcher, engine, rows, clusters, places.workspaces, config, notes)


def _clusters(host: str) -> tuple[list[Cluster], tuple[str, ...]]:
    """The host that was asked for, looked at; without one, the entries of clusters.yaml as they stand."""
    if not host:
        entries = known_clusters.read()
        rows = [
            Cluster(c.name, False, NOT_ASKED, c.host, c.user, workspace=c.workspace, gpu_type=c.gpu_type)
            for c in entries[:MAX_CLUSTERS]
        ]
        more = [f"clusters.yaml has {len(entries) - MAX_CLUSTERS} more entries"] if len(entries) > MAX_CLUSTERS else []
        return rows, (*more, *(f"{c.file}: {c.name} has the {note}" for c in entries for note in c.notes))
    row, notes = cluster_look.look(host)
    return [row], notes


def _cut(found: workspaces.Found) -> Iterator[str]:
    """What was not listed of the workspaces."""
    if found.omitted:
        yield f"{found.omitted} older workspaces are not listed; give one of them as `workspace`"
    for place in found.workspaces:
        if place.omitted:
            yield f"{place.path} holds {place.omitted} more checkpoints, configs, runs or patches than are listed"


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
    if reason := here.reason_against():
        blockers.append(f"nothing can be launched from here: {reason}; {here.ELSEWHERE}")
    elif composed.executor == "local" and not engine.usable:
        blockers.append(f"execution.type local needs a container engine: {engine.reason}")
    return blockers
