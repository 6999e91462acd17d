"""What `run.env` says of the cluster, where the config's `execution` leaves it open."""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError
from .change import Change, Config, Staged, copied, made, section

FROM_PROFILE = {
    "type": "executor",
    "hostname": "host",
    "username": "user",
    "account": "account",
    "partition": "partition",
    "num_nodes": "nodes",
    "ntasks_per_node": "ntasks_per_node",
    "walltime": "time",
}
"""Keys of `execution` by the key of `run.env` that fills them."""
_OPEN = (None, "", "???")
_LOCAL_KEYS = ("type",)
MOUNTED = ("deployment", "evaluation")


def fill(config: Config) -> Staged:
    """Fill gaps of `execution` with references into `run.env`; what the config says itself stays."""
    env = section(config, "run", "env")
    if not env:
        return Staged(config)
    result: Config = copied(config)
    execution = made(result, "execution")
    changes: list[Change] = _fill_variables(result, env)
    for key, source in FROM_PROFILE.items():
        if key not in _LOCAL_KEYS and not _on_slurm(execution, env):
            continue
        if execution.get(key) in _OPEN and env.get(source) not in _OPEN:
            execution[key] = f"${{run.env.{source}}}"
            changes.append(Change(f"execution.{key}: taken from run.env.{source}", "the config leaves it open"))
    changes.extend(_other_executor(execution, env))
    gpus = env.get("gpus_per_node")
    if _on_slurm(execution, env) and execution.get("gres") in _OPEN and isinstance(gpus, int) and gpus > 0:
        execution["gres"] = f"gpu:{gpus}"
        changes.append(Change("execution.gres: taken from run.env.gpus_per_node", "the config leaves it open"))
    if _on_slurm(execution, env) and env.get("mounts"):
        changes.extend(_fill_mounts(execution))
    return Staged(result, tuple(changes))


def _other_executor(execution: Config, env: Config) -> list[Change]:
    """What is easily overlooked: a profile of a cluster does not move a config that names another executor."""
    kind, named = execution.get("type"), env.get("executor")
    if (
        not isinstance(named, str)
        or not isinstance(kind, str)
        or named in _OPEN
        or "${" in f"{kind}{named}"
        or kind == named
    ):
        return []
    what = f"execution.type: stays {kind}, though run.env.executor is {named}"
    return [Change(what, f"the config's own value wins; give execution.type={named} to run there")]


def _fill_variables(config: Config, env: Config) -> list[Change]:
    """The profile's variables, for every job; one that the config names itself stays.

    Raises:
        ConfigError: They are no mapping.
    """
    given = env.get("env_vars")
    if not given:
        return []
    if not isinstance(given, dict):
        raise ConfigError(
            "run.env.env_vars is no mapping of variables",
            where="run.env.env_vars",
            fix='write NAME = "value" below [PROFILE.env_vars] of env.toml',
        )
    own = config.get("env_vars")
    if own and not isinstance(own, dict):
        return []  # the check of the config names it
    place = made(config, "env_vars")
    taken = [name for name, value in given.items() if value not in _OPEN and place.get(name) is None]
    for name in taken:
        place[name] = copied(given[name])
    return [
        Change(f"env_vars.{name}: taken from run.env.env_vars", "the profile sets it for its jobs") for name in taken
    ]


def _fill_mounts(execution: Config) -> list[Change]:
    """The profile's mounts, where the config has none for a container."""
    given = execution.get("mounts")
    if given not in (None, "") and not isinstance(given, dict):
        return []
    mounts_of = execution["mounts"] = given or {}
    open_ones = [name for name in MOUNTED if not mounts_of.get(name)]
    for name in open_ones:
        mounts_of[name] = "${run.env.mounts}"
    return [
        Change(f"execution.mounts.{name}: taken from run.env.mounts", "the config leaves it open") for name in open_ones
    ]


def _on_slurm(execution: Config, env: Config) -> bool:
    kind = execution.get("type")
    return (env.get("executor") if kind in _OPEN or kind == "${run.env.executor}" else kind) == "slurm"


def mounts(config: Config) -> Staged:
    """Mounts that are a list of `host:container`, as in env.toml, become the mappings that NEL reads.

    Raises:
        ConfigError: One of them is no `host:container`.
    """
    execution = section(config, "execution")
    given: Any = execution.get("mounts") if execution else None
    result: Config = copied(config)
    if isinstance(given, list):
        result["execution"]["mounts"] = {name: _mapping(given, "execution.mounts") for name in MOUNTED}
        why = "env.toml lists mounts, and NEL reads a mapping for each container"
        return Staged(result, (Change("execution.mounts: the list is mounted in deployment and evaluation", why),))
    changes: list[Change] = []
    for name, inner in (given or {}).items() if isinstance(given, dict) else ():
        if isinstance(inner, list):
            result["execution"]["mounts"][name] = _mapping(inner, f"execution.mounts.{name}")
            changes.append(Change(f"execution.mounts.{name}: a list became a mapping", "NEL reads a mapping"))
    return Staged(result, tuple(changes))


def _mapping(given: list[Any], where: str) -> dict[str, str]:
    result: dict[str, str] = {}
    for item in given:
        host, _, container = item.partition(":") if isinstance(item, str) else ("", "", "")
        if not host.startswith("/") or (container and not container.startswith("/")):
            raise ConfigError(f"{str(item)[:120]!r} is no mount", where=where, fix="write /host/path:/container/path")
        result[host] = container or host
    return result
