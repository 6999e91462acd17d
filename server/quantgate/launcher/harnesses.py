"""The table of harnesses that run without a container: which wheel each one is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ..errors import HarnessError

_TABLE = Path(__file__).with_name("harnesses.yaml")


@dataclass(frozen=True)
class HarnessWheel:
    """One harness as pip installs it.

    Attributes:
        harness: NEL's name of the harness.
        requirements: Pinned requirements, installed with their dependencies.
        alone: Requirements installed without dependencies, for the data they carry.
        environment: Variables set for the harness; `{site}` stands for its site-packages.
        patches: Names of modules in `harness_patches/` that start with the harness's interpreter.
        megabytes: Disk space that must be free before an installation.
        tested: Whether this project's tests run it.
        note: A limit a person must know; empty when there is none.
    """

    harness: str
    requirements: list[str]
    megabytes: int
    alone: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    patches: list[str] = field(default_factory=list)
    tested: bool = False
    note: str = ""


@cache
def table() -> dict[str, HarnessWheel]:
    """Every harness that has a wheel, by NEL's name."""
    from ruamel.yaml import YAML

    rows = YAML(typ="safe").load(_TABLE.read_text(encoding="utf-8"))
    return {name: HarnessWheel(harness=name, **row) for name, row in rows.items()}


def wheel_for(harness: str) -> HarnessWheel | None:
    """The wheel of a harness, or None when it comes only as a container."""
    return table().get(harness)


def require_wheel(harness: str, container: str = "") -> HarnessWheel:
    """As `wheel_for`.

    Raises:
        HarnessError: The harness comes only as a container; the message names the container way.
    """
    wheel = wheel_for(harness)
    if wheel is None:
        image = f" ({container})" if container else ""
        raise HarnessError(
            f"The harness {harness} has no wheel, so the process executor cannot run it",
            fix=f"use `execution.type: local` with a container engine{image}, or a harness that has a wheel: "
            + ", ".join(sorted(table())),
        )
    return wheel
