"""The container engine that NEL's local executor would call."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

from .. import children, redact
from ..errors import LauncherError
from ..system import machine

ENGINE_SECONDS = 8.0
REGISTRY_SECONDS = 15.0
"""How long a registry may take to say whether it has an image; no answer is no refusal."""

_EMULATION = machine.EMULATORS
# What a registry says of an image that it has not or does not give. An unreachable one is left to the engine: the daemon may
# have a proxy that its client has not.
_NOT_GIVEN = re.compile(
    r"(?:manifest|name) unknown|no such manifest|unauthorized|(?<!permission )denied", re.IGNORECASE
)
_NOBODY = re.compile(r"connection refused", re.IGNORECASE)


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


def require_images(names: Iterable[str]) -> None:
    """Refuse an image that cannot run here, before a launch that would end with it.

    An image that is not on this machine is no error while its registry has it: the engine pulls it at the launch.

    Args:
        names: Images as the config or the catalogue names them; empty ones and repeated ones are passed over.

    Raises:
        LauncherError: An image is built for another processor, or is neither here nor to be had.
    """
    for name in dict.fromkeys(n for n in names if n):
        built_for = _architecture(name)
        if built_for is None:
            _require_in_registry(name)
        elif built_for and not _runs_here(built_for):
            raise LauncherError(
                f"The image {name} is built for {built_for}, and this machine is {_machine()}",
                fix=f"`docker pull --platform linux/{_machine()} {name}`, or run it on such a machine; nothing was launched",
            )


def _docker(*arguments: str, seconds: float) -> children.Finished:
    return children.run(["docker", *arguments], stdin=b"", env=os.environ, seconds=seconds)


def _architecture(image: str) -> str | None:
    """What an image on this machine is built for; None when it is not here, empty when the engine does not tell."""
    answer = _docker("image", "inspect", "--format", "{{.Architecture}}", "--", image, seconds=ENGINE_SECONDS)
    if answer.returncode == 0:
        return answer.output.strip()
    return None if re.search(r"no such image|image not known", answer.output, re.IGNORECASE) else ""


def _machine() -> str:
    return machine.processor()


def _runs_here(architecture: str) -> bool:
    return machine.runs_programs_for(architecture, _EMULATION)


def _require_in_registry(image: str) -> None:
    answer = _docker("manifest", "inspect", "--", image, seconds=REGISTRY_SECONDS)
    if answer.returncode == 0 or answer.timed_out:
        return
    local = image.split("/", 1)[0].split(":", 1)[0] == "localhost"
    if not _NOT_GIVEN.search(answer.output) and not (local and _NOBODY.search(answer.output)):
        return
    lines = [line for line in answer.output.strip().splitlines() if line.strip()]
    raise LauncherError(
        f"The image {image} is not on this machine, and its registry does not give it",
        where=redact.redact(lines[-1])[:300],
        fix=f"correct its name or tag, or log in (`docker login`) and `docker pull {image}`; nothing was launched",
    )
