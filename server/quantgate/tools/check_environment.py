"""Steps 0 and 1: what is here."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from .. import environment
from ..gates import ledger
from ..redact import redact
from .spec import ToolResult, ToolSpec


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
    config: Annotated[str, Field(description="A launcher config whose variables are looked up.")] = "",
    host: Annotated[str, Field(description="A cluster's login host or name, looked at over SSH.")] = "",
) -> CheckEnvironmentResult:
    """Look at what is here before an evaluation: the launcher, container engine, credentials (by name, never the value),
    workspaces with their checkpoints, configs, earlier runs and runtime patches, clusters. The first call of every evaluation.
    Example: check_environment() or check_environment(config="eval.yaml")."""
    found = environment.look(workspace=workspace, config=config, host=host)
    note = ledger.network_note()
    return CheckEnvironmentResult.model_validate(
        {"next_step": _next_step(found), "warnings": _warnings(note, found), **environment.as_rows(found)}
    )


def _warnings(note: str, found: environment.Environment) -> list[str]:
    return [*([note] if note else []), *[redact(text) for text in found.warnings]]


def _next_step(found: environment.Environment) -> str:
    if found.blockers:
        return "Tell the user the blockers and how to remove them; then check_environment again."
    if found.config:
        return f"check_config(config={found.config!r}), then dry_run: an existing config goes straight to step 8."
    checkpoint = next((str(c) for w in found.workspaces for c in w.checkpoints), "")
    model = repr(checkpoint) if checkpoint else "PATH or HANDLE"
    return f"Ask for the model if it is not known, then detect_quantization(model={model})."


TOOL = ToolSpec(function=check_environment, step="0, 1", title="Check the environment", open_world=True)
