"""The lock files and pyproject.toml, read side by side."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from .built import ROOT

PYTHONS = ("3.11", "3.12", "3.13")


@dataclass(frozen=True)
class Pin:
    """One release of a lock file, and where it is for."""

    name: str
    version: Version
    marker: Marker | None
    hashes: int

    def on(self, python: str) -> bool:
        """Whether it is for this Python, on Linux."""
        environment = {"python_version": python, "python_full_version": f"{python}.4", "sys_platform": "linux"}
        environment |= {"os_name": "posix", "platform_system": "Linux", "platform_machine": "x86_64"}
        return self.marker is None or self.marker.evaluate(environment)


def text(name: str) -> str:
    """`requirements/NAME.lock` as it stands."""
    return (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")


def pins(name: str) -> list[Pin]:
    """The releases that a lock file names."""
    found = []
    for block in re.split(r"\n(?=[A-Za-z0-9])", text(name)):
        if block.startswith("#"):
            continue
        line = block.partition("\\")[0].strip()
        requirement = Requirement(line)
        (exact,) = requirement.specifier
        assert exact.operator == "==", line
        version = Version(exact.version)
        found.append(
            Pin(canonicalize_name(requirement.name), version, requirement.marker, block.count("--hash=sha256:"))
        )
    return found


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def direct(*, dev: bool) -> list[Requirement]:
    """What pyproject.toml asks for: the package and the demo, and the development group with what it includes."""
    project = _project()
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["demo"]]
    waiting = ["dev"] if dev else []
    while waiting:
        for entry in project["dependency-groups"][waiting.pop()]:
            if isinstance(entry, str):
                wanted.append(entry)
            else:
                waiting.append(entry["include-group"])
    return [Requirement(line) for line in wanted]
