"""What a config file chooses before it is composed: its executor and its deployment.

An edit must know them also while the config has gaps that keep it from composing.
"""

from __future__ import annotations

from . import paths
from .document import ConfigDocument


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
    defaults = document.plain.get("defaults")
    for entry in defaults if isinstance(defaults, list) else []:
        for key, value in entry.items() if isinstance(entry, dict) else ():
            if str(key).removeprefix("override ").strip("/ ") == group and isinstance(value, str):
                return value.partition("/")[0]
    return ""
