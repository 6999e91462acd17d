"""Steps 0 and 1: what is here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import BaseModel, Field

from .. import environment
from ..gates import ledger
from ..redact import redact
from .next_call import call
from .spec import ToolResult


class Launcher(BaseModel):
    """NEL as it is installed."""

    version: str
    validated_version: str
    build_config_works: bool


class Containers(BaseModel):
    """The container engine."""

    engine: str
    usable: bool
    reason: str


class Credential(BaseModel):
    """One variable; never its value."""

    name: str
    set: bool
    found_in: str
    needed_by: str


class Cluster(BaseModel):
    """One cluster."""

    host: str
    reachable: bool
    reason: str
    address: str
    user: str
    slurm: str
    partitions: str
    accounts: list[str]
    rsync: bool
    python3: bool
    workspace: str
    gpu_type: str


class Patch(BaseModel):
    """A runtime patch that the deployment needed, and how to carry it into the evaluation."""

    path: str
    carry: str


class WorkspaceRow(BaseModel):
    """What a quantization project left."""

    path: str
    checkpoints: list[str]
    configs: list[str]
    runs: list[str]
    patches: list[Patch]


class CheckEnvironmentResult(ToolResult):
    """What this machine has for an evaluation."""

    ready: bool
    blockers: list[str]
    launcher: Launcher
    containers: Containers
    credentials: list[Credential]
    clusters: list[Cluster]
    workspaces: list[WorkspaceRow]


def check_environment(
    workspace: Annotated[
        str, Field(description="A workspace or the root of several; empty: MODELOPT_WORKSPACE_ROOT or ./workspaces.")
    ] = "",
    config: Annotated[str, Field(description="A launcher config: the variables it needs are looked up.")] = "",
    host: Annotated[
        str, Field(description="A cluster's login host or its name in clusters.yaml: looked at over SSH.")
    ] = "",
) -> CheckEnvironmentResult:
    """Look at what this machine has for an evaluation: launcher, container engine, credentials (names, never values), workspaces
    with checkpoints, configs, earlier runs and runtime patches, clusters.

    Use it as the first call of every evaluation, and with `config` before a launch: is every variable set? Not for faults in a
    config: that is check_config.
    Example: check_environment(config="eval.yaml")
    """
    found = environment.look(workspace=workspace, config=config, host=host)
    note = ledger.network_note()
    return CheckEnvironmentResult(
        next_step=_next_step(found, {"workspace": workspace, "config": config, "host": host}),
        warnings=_warnings(note, found),
        **_rows(found),
    )


def _rows(found: environment.Environment) -> dict[str, Any]:
    return {
        "ready": not found.blockers,
        "blockers": found.blockers,
        "launcher": asdict(found.launcher),
        "containers": asdict(found.containers),
        "credentials": [asdict(c) for c in found.credentials],
        "clusters": [asdict(c) | {"accounts": list(c.accounts)} for c in found.clusters],
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


def _warnings(note: str, found: environment.Environment) -> list[str]:
    return [*([note] if note else []), *[redact(text) for text in found.warnings]]


def _next_step(found: environment.Environment, asked: dict[str, str]) -> str:
    if found.blockers:
        again = call("check_environment", **{name: value for name, value in asked.items() if value})
        return f"Tell the user the blockers and how to remove them; then {again} once more."
    if found.config:
        return f"{call('check_config', config=found.config)}: a config that exists goes straight to step 8."
    checkpoints = [str(path) for workspace in found.workspaces for path in workspace.checkpoints]
    model = checkpoints[0] if len(checkpoints) == 1 else "<checkpoint directory or Hugging Face handle>"
    which = "which of the checkpoints is meant" if len(checkpoints) > 1 else "for the model, if it is not known"
    return f"Ask the user {which}; then {call('detect_quantization', model=model)}."
