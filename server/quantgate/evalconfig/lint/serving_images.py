"""Rules about the container images: pinned, new enough for the model, and with the CUDA that the GPU needs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ...checkpoint import tables
from . import hardware, model_names
from .effective import inspected
from .image_tags import Tag, read_tag
from .quantized_serving import nvfp4
from .rule import Hit, Rule, Subject

IMAGE = "deployment.image"
_TABLE = Path(__file__).with_name("serving_images.yaml")


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str


class Minimum(_Row):
    """The lowest version that serves some model types, and the names of their releases (a pattern)."""

    model_types: tuple[str, ...]
    names: str = ""
    version: tuple[int, int, int]


class Default(_Row):
    """The version from which something is the default."""

    version: tuple[int, int, int]


class Retired(_Row):
    """A variable that a version does not read any more, and what took its place."""

    name: str
    since: tuple[int, int, int]
    instead: str


class ImageTable(BaseModel):
    """serving_images.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    minimum_versions: tuple[Minimum, ...]
    cuda13_default: Default
    retired_variables: tuple[Retired, ...]


@cache
def table() -> ImageTable:
    """serving_images.yaml, read once."""
    import yaml

    return ImageTable.model_validate(yaml.safe_load(_TABLE.read_text(encoding="utf-8")))


def serving_tag(subject: Subject) -> Tag | None:
    """The deployment's image, taken apart; None without one, or for an image file."""
    image = subject.at("deployment", "image")
    if subject.composed.deployment == "none" or not isinstance(image, str) or image == "???" or "$" in image:
        return None
    return read_tag(image)


def shown(version: Iterable[int]) -> str:
    """A version as text."""
    return ".".join(map(str, version))


def moving_tag(subject: Subject) -> Iterable[Hit]:
    """An image that is another one tomorrow."""
    named = [(IMAGE, serving_tag(subject))]
    for task in subject.tasks:
        own = task.raw.get("container")
        if isinstance(own, str) and own and "$" not in own and own != "???":
            named.append((f"evaluation.tasks[{task.index}].container", read_tag(own)))
    for path, tag in named:
        if tag is not None and tag.moving:
            yield Hit(
                path,
                f"The image {tag.image[:120]} is not pinned: {tag.moving}",
                f"give the version that was tested: edit_config(set=['{path}=…:v…'])",
                cause="D07",
            )


def too_old(subject: Subject) -> Iterable[Hit]:
    """An image below the model's documented minimum."""
    tag, model = serving_tag(subject), inspected(subject)
    if tag is None or tag.framework != "vllm" or not tag.version:
        return
    name = model_names.unread(subject) if model is None else ""
    kind = f"of {name[:80]!r}, by its name," if model is None else model.facts.model_type
    row = next(
        (
            row
            for row in table().minimum_versions
            if kind in row.model_types or (row.names and model_names.matches(row.names, name))
        ),
        None,
    )
    if row is not None and tag.version < row.version:
        yield Hit(
            IMAGE,
            f"The model type {kind} needs vLLM {shown(row.version)}, and the image has {tag.shown} ({row.source})",
            f"edit_config(set=['{IMAGE}=vllm/vllm-openai:v{shown(row.version)}']), or a newer one",
            "warning" if model is None else None,
            cause="D08",
        )


def cuda_too_old(subject: Subject) -> Iterable[Hit]:
    """NVFP4 on a GPU whose kernels only an image with CUDA 13 has."""
    tag, known = serving_tag(subject), hardware.gpu(subject)
    needs = {sm for row in tables.serving().images if "NVFP4" in row.formats for sm in row.sms}
    if tag is None or known is None or known[0].sm not in needs or not nvfp4(subject):
        return
    default = table().cuda13_default
    if tag.cuda:
        too_low, has = tag.cuda < (13, 0), f"CUDA {shown(tag.cuda)}"
    elif tag.framework == "vllm" and tag.version:
        too_low, has = tag.version < default.version, "CUDA 12 without a -cu130 in its tag"
    else:
        return
    if too_low:
        older = tag.framework == "vllm" and tag.version and tag.version < default.version and not tag.cuda
        fix = f"edit_config(set=['{IMAGE}={tag.image}-cu130'])" if older else "take a tag with CUDA 13"
        yield Hit(
            IMAGE,
            f"NVFP4 on sm_{known[0].sm} needs an image with CUDA 13, and {tag.image[:120]} has {has}",
            f"{fix}; from vLLM {shown(default.version)} on the unsuffixed tag has it",
            cause="D09",
        )


def no_such_tag(subject: Subject) -> Iterable[Hit]:
    """A -cu130 tag of a version whose plain tag has CUDA 13 already."""
    tag = serving_tag(subject)
    default = table().cuda13_default.version
    if tag is not None and tag.framework == "vllm" and tag.version > default and tag.cuda == (13, 0):
        plain = tag.image.replace("-cu130", "")
        yield Hit(
            IMAGE,
            f"There is no -cu130 tag of vLLM {tag.shown}: from {shown(default)} on the plain tag has CUDA 13",
            f"edit_config(set=['{IMAGE}={plain}'])",
            cause="D10",
        )


RULES = (
    Rule(
        "D08",
        "error",
        "Image too old for the model",
        "take a newer image",
        "vLLM 0.33.0 recipes/models (min_vllm_version)",
        too_old,
        needs=("checkpoint",),
    ),
    Rule(
        "D09",
        "error",
        "NVFP4 on sm_103 without CUDA 13",
        "take an image with CUDA 13",
        "quantgate checkpoint/serving.yaml (images); vLLM issue 42738",
        cuda_too_old,
    ),
    Rule(
        "D10",
        "error",
        "Tag that does not exist",
        "take the unsuffixed tag",
        "vLLM issue 42738; Model Optimizer pull request 2042",
        no_such_tag,
    ),
    Rule(
        "D07",
        "warning",
        "Image that is not pinned",
        "name the version",
        "quantgate: a run must be repeatable",
        moving_tag,
    ),
)
