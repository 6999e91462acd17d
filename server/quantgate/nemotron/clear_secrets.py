"""Refuses a config that has a secret written in it: the snapshots of a run would keep it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from .. import redact
from ..errors import ConfigError
from ..evalconfig import paths
from ..evalconfig.paths import Segment
from .change import Config

_HARMLESS = re.compile(r"(?:lit:)?(?:|dummy|empty|none|null|\?\?\?|x{3,}|<[^<>]*>)", re.IGNORECASE)
_REFERENCE = re.compile(r"host:\w+|runtime:\w+|\$\{[^{}]*\}|\$\w+")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_CAPITALS_KEY = re.compile(r"[A-Z0-9]{16,}")
"""Some providers' keys are of capitals and digits only; a variable's name of this length has `_`, or is set."""
_LOOKS_RANDOM = re.compile(r"(?=.*[A-Za-z])(?=.*[0-9])[^\s${}]{16,}")
_NOTHING_ELSE = re.compile(
    r"(?:^|_)(?:API_?KEY|ACCESS_?KEY|PASSWORD|PASSWD|PASSPHRASE|SECRETS?|(?:API|ACCESS|AUTH|BEARER|HF)_?TOKEN)$",
    re.IGNORECASE,
)
"""Not every `…_token`: `eos_token` is none."""
_ITEM = re.compile(r"(?P<name>[A-Za-z_]\w*)=")
_DEFAULT = re.compile(r"\$\{oc\.env:\s*(?P<name>\w+)\s*,(?P<default>[^{}]*)\}")


def refuse(config: Config, source: str, environment: Mapping[str, str] | None = None) -> None:
    """Refuse secrets in clear, wherever they stand.

    Args:
        config: With the profile and the overrides in it.
        source: What it was made of, for the message.
        environment: Which variables are set; None for this process's own.

    Raises:
        ConfigError: It names the places; no value is repeated.
    """
    set_ones = os.environ if environment is None else environment
    texts = ((at, value) for at, value in paths.walk(config) if isinstance(value, str))
    found = [(at, value) for at, value in texts if is_clear(at, value, set_ones)]
    if found:
        variable = _variable(*found[0])
        raise ConfigError(
            "A secret is written in clear (it is not shown)",
            where=f"{source}: {', '.join(paths.join(at) for at, _ in found[:5])}",
            fix=f"export it as a variable, say {variable}, and write host:{variable} (in env_vars) or its name "
            "(api_key_name); then change the secret: it may be in a shell history or a repository",
        )


def _variable(at: tuple[Segment, ...], value: str) -> str:
    """A name for the variable that is to hold the secret: that of an item `NAME=value` of a list, else the key's."""
    item = _ITEM.match(value) if isinstance(at[-1], int) else None
    name = item["name"] if item else next((s for s in reversed(at) if isinstance(s, str)), "NAME")
    if "wandb" in at and name == "api_key":
        return "WANDB_API_KEY"
    return name if _VARIABLE.fullmatch(name) else re.sub(r"\W", "_", name.upper())


def is_clear(at: tuple[Segment, ...], value: str, environment: Mapping[str, str]) -> bool:
    """Whether a value at some place is a secret itself, and not a reference to one, such as the name of a variable that is set."""
    name = next((s for s in reversed(at) if isinstance(s, str)), "")
    for match in _DEFAULT.finditer(value):
        default = match["default"].strip().strip("'\"")
        if redact.is_secret_name(match["name"]) and not _HARMLESS.fullmatch(default):
            return True
    if _HARMLESS.fullmatch(value) or _REFERENCE.fullmatch(value):
        return False
    if redact.redact(value) != value:
        return True
    if not redact.is_secret_name(name):
        return False
    bare = value.removeprefix("lit:")
    if _in_variables(at):
        if _CAPITALS_KEY.fullmatch(bare) and not environment.get(bare):
            return True
        return value.startswith("lit:") or not (_VARIABLE.fullmatch(bare) or _REFERENCE.search(bare))
    # Elsewhere a word may be a name or a mode (`auth: basic`): under a name that means nothing but a secret, any value is one.
    return bool(_LOOKS_RANDOM.fullmatch(bare)) or bool(_NOTHING_ELSE.search(name) and not _VARIABLE.fullmatch(bare))


def _in_variables(at: tuple[Any, ...]) -> bool:
    return any(segment in {"env_vars", "wandb"} for segment in at[:-1])
