"""A checkpoint that a Slurm config names by its path on the cluster, as what was read of it there before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..checkpoint.remote import copy as remote_copy
from ..checkpoint.remote.address import address_of
from ..checkpoint.source import expanded
from ..errors import CheckpointError
from . import paths


def readable_name(config: Mapping[str, Any], name: str) -> str:
    """The name under which a model can be read here: `host:/path` when it was read on the config's cluster, else unchanged.

    A path that is on this machine as well means the one here.

    Args:
        config: The config, composed or as written.
        name: A path, a handle, or `host:/path`.
    """
    host = paths.dig(config, "execution", "hostname")
    if not (isinstance(host, str) and name.startswith("/")) or is_here(name):
        return name
    return f"{host}:{name}" if remote_copy.find(host, name) is not None else name


def is_recorded(name: str) -> bool:
    """Whether a text is a `host:/path` that was read before."""
    try:
        address = address_of(name)
    except CheckpointError:
        return False
    return address is not None and remote_copy.find(address.host, address.path) is not None


def is_here(name: str) -> bool:
    """Whether a path is on this machine."""
    try:
        return expanded(name).exists()
    except (OSError, ValueError):
        return False
