"""The container engine that NEL's local executor would call."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from .. import children, redact
from ..errors import LauncherError

ENGINE_SECONDS = 8.0


@dataclass(frozen=True)
class Containers:
    """The Docker-compatible engine that NEL's local executor would call."""

    engine: str
    usable: bool
    reason: str


def look() -> Containers:
    """Ask the engine; nothing is started."""
    engine = next((name for name in ("docker", "podman") if shutil.which(name)), "")
    if not engine:
        return Containers("", False, "neither docker nor podman is on PATH; execution.type process needs none")
    info = children.run([engine, "info", "--format", "{{json .}}"], stdin=b"", env=os.environ, seconds=ENGINE_SECONDS)
    if info.timed_out:
        return Containers(engine, False, f"`{engine} info` did not answer within {ENGINE_SECONDS:.0f} s")
    lines = [line for line in info.output.strip().splitlines() if line.strip()]
    # The docker client exits 0 on some versions although no engine answers; it then says so.
    problem = next((line for line in lines if "annot connect" in line or "error" in line.lower()[:12]), "")
    if info.returncode != 0 or problem:
        return Containers(engine, False, redact.redact(problem or (lines[-1] if lines else "no answer"))[:200])
    if engine != "docker":
        return Containers(engine, False, "podman works, but NEL calls `docker`: link docker to podman first on PATH")
    return Containers(engine, True, "")


def require_engine() -> None:
    """Refuse when no engine answers.

    Raises:
        LauncherError: With the engine's own reason.
    """
    engine = look()
    if not engine.usable:
        raise LauncherError(
            f"No container engine is usable: {engine.reason}",
            where="execution.type local",
            fix="start one, or set execution.type=process for a harness with a wheel; nothing was launched",
        )
