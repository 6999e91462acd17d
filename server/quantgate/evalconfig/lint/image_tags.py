"""What a serving image's name says of itself: its framework, its version and its CUDA."""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(r"v?(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?(?:\.?(?:post|rc|dev|a|b)\d+)?(?=[-+_]|\Z)", re.ASCII)
_CUDA = re.compile(r"(?<![a-z])cu(\d{2})(\d)(?!\d)", re.ASCII)
_MOVING = ("nightly", "main", "master", "dev", "edge", "stable")
_FRAMEWORKS = (("vllm/vllm-openai", "vllm"), ("lmsysorg/sglang", "sglang"), ("nvidia/tensorrt-llm", "trtllm"))


@dataclass(frozen=True)
class Tag:
    """A serving image's name, taken apart.

    Attributes:
        framework: vllm, sglang or trtllm for their own public images; else empty, and then `version` is not theirs.
        version: Of the framework, as numbers; empty when the tag gives none.
        cuda: Of a `-cu130` in the tag, as (13, 0); empty when the tag does not say.
        moving: Why the name stands for another image tomorrow, or empty.
    """

    image: str
    framework: str
    version: tuple[int, ...]
    cuda: tuple[int, ...]
    moving: str

    @property
    def shown(self) -> str:
        """The version as text."""
        return ".".join(map(str, self.version))


def read_tag(image: str) -> Tag | None:
    """Take an image's name apart; None for an image file, whose name says nothing."""
    name = image.strip().removeprefix("docker://").replace("#", "/", 1)
    if not name or name.startswith(("/", "./", "../")) or name.endswith(".sqsh"):
        return None
    pinned, _, digest = name.partition("@")
    head, _, last = pinned.rpartition("/")
    repository, _, tag = last.partition(":")
    full = f"{head}/{repository}" if head else repository
    framework = next((found for end, found in _FRAMEWORKS if f"/{full}".endswith((f"/{end}", f"/{end}/release"))), "")
    version = _VERSION.match(tag)
    cuda = _CUDA.search(tag)
    return Tag(
        image=image,
        framework=framework,
        version=tuple(int(part or 0) for part in version.groups()) if version else (),
        cuda=tuple(map(int, cuda.groups())) if cuda else (),
        moving="" if digest else _moving(tag),
    )


def _moving(tag: str) -> str:
    if not tag:
        return "it has no tag, which means `latest`"
    if tag in _MOVING or tag == "latest" or tag.startswith("latest-"):
        return f"the tag `{tag}` moves"
    return ""
