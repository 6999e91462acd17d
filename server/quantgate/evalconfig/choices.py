"""What a config file chooses before it is composed: its executor and its deployment.

An edit must know them also while the config has gaps that keep it from composing.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import paths
from .document import ConfigDocument
from .paths import Segment


def executor(document: ConfigDocument) -> str:
    """`execution.type` as written, else the name in the defaults list ("slurm/default": "slurm"), else "local"."""
    return _choice(document, "execution") or "local"


def deployment(document: ConfigDocument) -> str:
    """`deployment.type` as written, else the name in the defaults list, else "none"."""
    return _choice(document, "deployment") or "none"


def _choice(document: ConfigDocument, group: str) -> str:
    written = paths.dig(document.plain, group, "type")
    if isinstance(written, str) and written != "???":
        return written
    return next((name.partition("/")[0] for _, section, name in groups(document) if section == group), "")


def groups(document: ConfigDocument) -> Iterator[tuple[tuple[Segment, ...], str, str]]:
    """Place, section and group of each entry of the defaults list that names one (`override /deployment: vllm`)."""
    defaults = document.plain.get("defaults")
    for index, entry in enumerate(defaults if isinstance(defaults, list) else []):
        for key, value in entry.items() if isinstance(entry, dict) else ():
            if isinstance(value, str):
                yield ("defaults", index, str(key)), str(key).removeprefix("override ").strip("/ "), value
