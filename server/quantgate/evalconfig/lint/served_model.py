"""The model that a config evaluates, read once for all rules that ask about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...checkpoint.inspection import Inspection
from ...checkpoint.source import expanded
from ...errors import CheckpointError
from .. import paths
from ..remote_checkpoint import is_here, is_recorded, readable_name
from .inspection_cache import inspect_cached

_PLACES = (("quantgate", "checkpoint"), ("deployment", "checkpoint_path"), ("deployment", "hf_model_handle"))


@dataclass(frozen=True)
class ServedModel:
    """The model that a config names.

    Attributes:
        name: As the config names it.
        path: The key that names it.
        inspection: What it is; None when its files are not on this machine, or broken.
        error: Why it cannot be read; empty when it is simply not here.
        megatron_parent: What to say when it is the parent of Megatron iterations.
        other_format: A directory of files that its server reads, and that are no Transformers checkpoint (engines, for one).
    """

    name: str
    path: str
    inspection: Inspection | None = None
    error: str = ""
    megatron_parent: str = ""
    other_format: bool = False


def served_model(config: Mapping[str, Any], *, elsewhere: bool) -> ServedModel | None:
    """The model of a composed config; None when it names none. Neither the hub nor the cluster is asked, only this machine.

    Of a path on the config's cluster, what was read there before is taken.

    Args:
        config: The composed config.
        elsewhere: The job runs on another machine: a path that is not here may well be there.
    """
    for place in _PLACES:
        name = paths.dig(config, *place)
        if isinstance(name, str) and name.strip() and name != "???":
            found = _read(readable_name(config, name) if elsewhere else name, paths.join(place), elsewhere=elsewhere)
            if found.error and _has_other_format(name, str(paths.dig(config, "deployment", "type"))):
                return ServedModel(name, found.path, other_format=True)
            return found
    return None


def _has_other_format(name: str, deployment: str) -> bool:
    """Whether a server that is none of Transformers checkpoints alone finds its own files in a directory without config.json."""
    directory = expanded(name)
    wanted = {"generic": "*", "trtllm": "*.engine"}.get(deployment)
    try:
        return wanted is not None and not (directory / "config.json").exists() and any(directory.glob(wanted))
    except (OSError, ValueError):
        return False


def _read(name: str, path: str, *, elsewhere: bool) -> ServedModel:
    here = is_here(name) or is_recorded(name)
    if not here and (elsewhere or path.endswith("hf_model_handle")):
        try:
            return ServedModel(name, path, inspect_cached(name))
        except CheckpointError:
            return ServedModel(name, path)
    try:
        return ServedModel(name, path, inspect_cached(name))
    except CheckpointError as error:
        if "Megatron" in error.what and "parent" in error.what:
            return ServedModel(name, path, megatron_parent=f"{error.what}; {error.fix}")
        return ServedModel(name, path, error=error.what if here else "")
