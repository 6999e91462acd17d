"""The container images that a config needs, and whether pulling them needs credentials."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from ..benchmarks import catalogue
from ..errors import BadInput
from . import paths
from .compose import MISSING, Composed

_TABLE = Path(__file__).with_name("public_images.yaml")

Access = Literal["public", "file", "unknown"]


@dataclass(frozen=True)
class Image:
    """One image.

    Attributes:
        registry: Host of the registry; empty for an image file.
        access: "public" when it is known to need no credentials, "file" for a local image file, else "unknown".
    """

    image: str
    registry: str
    access: Access


def images(composed: Composed) -> list[Image]:
    """The images of a config's tasks, deployment and proxy, each once; none for the process executor."""
    if composed.executor == "process":
        return []
    wanted: list[str] = []
    for task in composed.tasks:
        own = task.raw.get("container")
        if isinstance(own, str) and own:
            wanted.append(own)
            continue
        try:
            wanted.append(catalogue.load_catalogue().resolve(task.name).container)
        except BadInput:
            continue
    if composed.deployment != "none":
        wanted.append(str(paths.dig(composed.config, "deployment", "image") or ""))
        instances = paths.dig(composed.config, "execution", "num_instances")
        if isinstance(instances, int) and instances > 1:
            wanted.append(str(paths.dig(composed.config, "execution", "proxy", "image") or ""))
    return [_image(name) for name in dict.fromkeys(wanted) if name and name != MISSING]


def _image(name: str) -> Image:
    if name.startswith(("/", "./", "../")) or name.endswith(".sqsh"):
        return Image(name, "", "file")
    # enroot writes the registry before a `#`.
    first, _, rest = name.removeprefix("docker://").replace("#", "/", 1).partition("/")
    has_registry = bool(rest) and ("." in first or ":" in first or first == "localhost")
    registry = first if has_registry else "docker.io"
    repository = rest if has_registry else name.removeprefix("docker://")
    if registry == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    full = f"{registry}/{repository}"
    public = any(full.startswith(prefix) for prefix in _public())
    return Image(name, registry, "public" if public else "unknown")


@cache
def _public() -> tuple[str, ...]:
    from ruamel.yaml import YAML

    return tuple(YAML(typ="safe").load(_TABLE.read_text(encoding="utf-8")))
