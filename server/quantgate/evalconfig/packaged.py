"""Single values of NEL's packaged config groups: what holds where a file says nothing."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..launcher import package
from . import choices, paths
from .document import ConfigDocument

_INHERITS = {"deployment/vllm_ray": "deployment/vllm"}


def group(document: ConfigDocument, section: str) -> str:
    """The packaged group that a file's `defaults` take for a section ("vllm_ray"), else the section's type, else ""."""
    for _, named, group in choices.groups(document):
        if named == section:
            return group
    return choices.deployment(document) if section == "deployment" else choices.executor(document)


def value(document: ConfigDocument, section: str, *segments: str) -> Any:
    """A value as the file has it, else as the packaged group has it, interpolations unresolved; None when neither has."""
    written = paths.dig(document.plain, section)
    for place in range(len(segments)):
        if not paths.has(written, segments[place]):
            return default(f"{section}/{group(document, section)}", *segments)
        written = paths.dig(written, segments[place])
    return written


def default(name: str, *segments: str) -> Any:
    """A value of a packaged group such as "deployment/vllm", or None."""
    found = paths.dig(content(name), *segments)
    if found is None and name in _INHERITS:
        return default(_INHERITS[name], *segments)
    return found


@cache
def content(name: str) -> dict[str, Any]:
    """What a packaged group such as "deployment/vllm" says itself; empty for one that there is not."""
    from ruamel.yaml import YAML

    if not all(part.replace("_", "").isalnum() for part in name.split("/")):
        return {}
    path = package.resource("configs") / f"{name}.yaml"
    if not path.is_file():
        path = package.resource("configs") / name / "default.yaml"
    if not path.is_file():
        return {}
    content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}
