"""Rules about container images: whether a name is one, and whether the harness is in it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from ...benchmarks import catalogue
from .. import paths
from ..compose import MISSING
from ..paths import Segment
from .rule import Hit, Rule, Subject, as_mapping

REFERENCE = "OCI distribution specification 1.1 (names and tags); NeMo Evaluator Launcher 0.2.6 common/mapping.py"
PACKAGED = "nvcr.io/nvidia/eval-factory/"
_NAME = re.compile(
    r"(?:docker://)?(?:[A-Za-z0-9][\w.\-]*(?::\d{1,5})?[/#])?[a-z0-9]+(?:[._\-/]+[a-z0-9]+)*(?::[\w][\w.\-]{0,127})?"
    r"(?:@sha256:[0-9a-f]{64})?"
)


def _images(subject: Subject) -> Iterator[tuple[str, str]]:
    places: list[tuple[Segment, ...]] = [("evaluation", "tasks", task.index, "container") for task in subject.tasks]
    if subject.composed.deployment != "none":
        places.append(("deployment", "image"))
    places += [
        ("auxiliary_deployments", str(name), "image") for name in as_mapping(subject.at("auxiliary_deployments"))
    ]
    places += [("execution", "proxy", "image"), ("execution", "auto_export", "export_image")]
    for place in places:
        value = subject.at(*place)
        if isinstance(value, str) and value and MISSING not in value and "<" not in value:
            yield paths.join(place), value


def no_image(subject: Subject) -> Iterable[Hit]:
    """A name that is no image, or a harness image of another harness or of none."""
    for path, image in _images(subject):
        if image.startswith(("/", "./", "../")) or image.endswith(".sqsh"):
            continue
        if not _NAME.fullmatch(image) and image.isprintable() and "$(" not in image:  # else P07 speaks of it
            yield Hit(path, f"{path} is {image[:100]!r}, which is no name of a container image")
    containers = {
        entry.container.rpartition(":")[0]: entry.name for entry in catalogue.load_catalogue().harnesses.values()
    }
    for task in subject.tasks:
        own = str(task.raw.get("container") or "").removeprefix("docker://").partition("@")[0]
        if not own.startswith(PACKAGED):
            continue
        name = own.rpartition(":")[0] or own
        path = f"evaluation.tasks[{task.index}].container"
        if name not in containers:
            near = difflib.get_close_matches(name, containers, n=1, cutoff=0.85)
            if near:
                yield Hit(path, f"The launcher knows no image {name}", f"did you mean {near[0]}?")
        elif subject.harness(task) not in ("", containers[name]):
            message = f"{name} is the image of {containers[name]}, and {task.name[:60]} is of another harness"
            yield Hit(path, message, f"remove `container`, or write {containers[name]}.…")


RULES = (Rule("P21", "error", "Image that is none", "correct the image's name", REFERENCE, no_image),)
