"""The container images that a config needs, and whether pulling them needs credentials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

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
        path: The key of the config that asks for it.
    """

    image: str
    registry: str
    access: Access
    path: str


def images(composed: Composed) -> list[Image]:
    """The images of a config, each once, at the first place that asks for it; none for the process executor."""
    if composed.executor == "process":
        return []
    found: dict[str, str] = {}
    for place, image in _wanted(composed):
        if isinstance(image, str) and image not in ("", MISSING):
            found.setdefault(image, place)
    return [_image(name, place) for name, place in found.items()]


def _wanted(composed: Composed) -> Iterator[tuple[str, Any]]:
    """Place and image of each container: tasks, the model's server and its proxy, other servers, the export's job."""
    config = composed.config
    for task in composed.tasks:
        own = task.raw.get("container")
        if isinstance(own, str) and own:
            yield f"evaluation.tasks[{task.index}].container", own
            continue
        try:
            yield "evaluation.tasks", catalogue.load_catalogue().resolve(task.name).container
        except BadInput:
            continue
    if composed.deployment != "none":
        yield "deployment.image", paths.dig(config, "deployment", "image")
        instances = paths.dig(config, "execution", "num_instances")
        if isinstance(instances, int) and instances > 1:
            yield "execution.proxy.image", paths.dig(config, "execution", "proxy", "image")
    others = config.get("auxiliary_deployments")
    for name, one in others.items() if isinstance(others, dict) else ():
        if paths.dig(one, "type") not in (None, "none"):
            yield paths.join(("auxiliary_deployments", str(name), "image")), paths.dig(one, "image")
    if paths.dig(config, "execution", "auto_export", "destinations"):
        yield "execution.auto_export.export_image", paths.dig(config, "execution", "auto_export", "export_image")


def _image(name: str, place: str) -> Image:
    if name.startswith(("/", "./", "../")) or name.endswith(".sqsh"):
        return Image(name, "", "file", place)
    # enroot writes the registry before a `#`.
    first, _, rest = name.removeprefix("docker://").replace("#", "/", 1).partition("/")
    has_registry = bool(rest) and ("." in first or ":" in first or first == "localhost")
    registry = first if has_registry else "docker.io"
    repository = rest if has_registry else name.removeprefix("docker://")
    if registry == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    full = f"{registry}/{repository}"
    public = any(full.startswith(prefix) for prefix in _public())
    return Image(name, registry, "public" if public else "unknown", place)


@cache
def _public() -> tuple[str, ...]:
    from ruamel.yaml import YAML

    return tuple(YAML(typ="safe").load(_TABLE.read_text(encoding="utf-8")))
