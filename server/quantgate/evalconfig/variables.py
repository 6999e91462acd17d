"""The variables that a config takes from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import paths

HOST_PREFIX = "host:"
RUNTIME_PREFIX = "runtime:"
PREFIXES = (HOST_PREFIX, "lit:", RUNTIME_PREFIX)


def needed(config: Mapping[str, Any]) -> dict[str, str]:
    """Variables that the submitting shell must have, each with the key of the config that names it.

    Args:
        config: The composed config; `host:NAME` in any value, and the name of the endpoint's key when nothing declares it.
    """
    texts = paths.texts(config)
    found = {value[len(HOST_PREFIX) :]: paths.join(at) for at, value in texts if value.startswith(HOST_PREFIX)}
    key = _mapping(_mapping(config.get("target")).get("api_endpoint")).get("api_key_name")
    declared = _mapping(_mapping(config.get("evaluation")).get("env_vars"))
    if isinstance(key, str) and key and key not in declared and key not in _mapping(config.get("env_vars")):
        found.setdefault(key, "target.api_endpoint.api_key_name")
    return found


def taken(config: Mapping[str, Any]) -> set[str]:
    """Every variable whose value a config takes from outside, `runtime:NAME` included."""
    late = {v[len(RUNTIME_PREFIX) :] for _, v in paths.texts(config) if v.startswith(RUNTIME_PREFIX)}
    return set(needed(config)) | late


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
