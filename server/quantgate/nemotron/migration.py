"""The migration to NEL 0.2.6: one small function per row of migration.yaml."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..errors import ConfigError
from ..evalconfig import paths
from ..evalconfig.lint.values import null_fails
from . import exports, variables
from .change import EMPTY, Change, Config, Staged, copied, made, section
from .incompatibilities import change

_SELF = "_self_"
_PACKAGED_EXECUTION = {"slurm": "slurm/default", "local": "local", "process": "local", "lepton": "lepton/default"}
SLURM_KEYS = (
    *("hostname", "username", "account", "partition", "cpu_partition", "num_nodes", "num_instances", "ntasks_per_node"),
    *("gres", "walltime", "max_walltime", "subproject", "sbatch_comment", "sbatch_extra_flags", "deployment", "proxy"),
)
_REFERENCE = re.compile(r"\$\{(?P<path>\w+(?:\.\w+)*)\}")
_TOKENIZER = ("nemo_evaluator_config", "config", "params", "extra", "tokenizer")


def _executor(config: Config) -> str:
    return str((section(config, "execution") or {}).get("type") or "local")


def _deployment(config: Config) -> str:
    return str((section(config, "deployment") or {}).get("type") or "none")


def top_level_tasks(config: Config) -> Staged:
    """Refuse `tasks` at the top, which NEL ignores."""
    if "tasks" in config:
        raise ConfigError(
            "`tasks` at the top of the config is silently ignored by NEL",
            where="tasks",
            fix="move it to evaluation.tasks",
        )
    return Staged(config)


def local_parallel(config: Config) -> Staged:
    """One deployment after the other on the local executor."""
    execution = section(config, "execution")
    if execution is None or _executor(config) != "local" or _deployment(config) == "none":
        return Staged(config)
    if execution.get("mode") in (*EMPTY, "sequential"):
        return Staged(config)  # sequential is the packaged default
    result: Config = copied(config)
    result["execution"]["mode"] = "sequential"
    return Staged(result, (change("local_parallel", "execution.mode: sequential"),))


def multiple_instances(config: Config) -> Staged:
    """`deployment.multiple_instances` as a number of instances."""
    deployment = section(config, "deployment")
    if deployment is None or "multiple_instances" not in deployment:
        return Staged(config)
    result: Config = copied(config)
    wanted = result["deployment"].pop("multiple_instances")
    changes = [change("multiple_instances", "deployment.multiple_instances: removed")]
    if wanted is True and _executor(config) == "slurm":
        execution = made(result, "execution")
        nodes, given = execution.get("num_nodes") or 1, execution.get("num_instances")
        if given in EMPTY:
            execution["num_instances"] = nodes
            changes.append(change("multiple_instances", f"execution.num_instances: {nodes}, the number of nodes"))
    return Staged(result, tuple(changes))


def required_null(config: Config) -> Staged:
    """Refuse a Slurm job without account or partition, which NEL would render as `None`."""
    execution = section(config, "execution") or {}
    gaps = [key for key in ("account", "partition") if key in execution and execution[key] in (None, "")]
    if _executor(config) == "slurm" and gaps:
        raise ConfigError(
            f"execution.{gaps[0]} is null: NEL's dry run passes, and Slurm is asked for {gaps[0]} None",
            where=", ".join(f"execution.{key}" for key in gaps),
            fix=f"set {gaps[0]} in the env.toml profile and name it (--run PROFILE), or give execution.{gaps[0]}=…",
        )
    return Staged(config)


def proxy_null(config: Config) -> Staged:
    """Drop nulls below `execution.proxy`, so that NEL's defaults hold."""
    proxy = section(config, "execution", "proxy")
    nulls = [key for key, value in (proxy or {}).items() if value is None]
    execution = section(config, "execution") or {}
    result: Config = copied(config)
    if "proxy" in execution and execution["proxy"] is None:
        del result["execution"]["proxy"]
        return Staged(result, (change("proxy_null", "execution.proxy: removed"),))
    for key in nulls:
        del result["execution"]["proxy"][key]
    return Staged(result, tuple(change("proxy_null", f"execution.proxy.{key}: removed") for key in nulls))


def slurm_keys(config: Config) -> Staged:
    """Drop what only Slurm reads where nothing is submitted: one config with a profile for each place is Nemotron's way."""
    execution = section(config, "execution") or {}
    if _executor(config) not in ("local", "process"):
        return Staged(config)
    dropped = [key for key in SLURM_KEYS if key in execution]
    result: Config = copied(config)
    for key in dropped:
        del result["execution"][key]
    return Staged(result, tuple(change("slurm_keys", f"execution.{key}: removed") for key in dropped))


def local_tokenizer(config: Config) -> Staged:
    """Refuse a tokenizer at a path that the local executor does not mount.

    Raises:
        ConfigError: With the place.
    """
    if _executor(config) != "local":
        return Staged(config)
    tasks = paths.dig(config, "evaluation", "tasks")
    entries: list[Any] = tasks if isinstance(tasks, list) else []
    places: list[tuple[tuple[paths.Segment, ...], str]] = [(("evaluation", *_TOKENIZER), "")]
    places += [(("evaluation", "tasks", i, *_TOKENIZER), _dataset_mount(e)) for i, e in enumerate(entries)]
    for place, mount in places:
        value = _followed(paths.dig(config, *place), config)
        if not isinstance(value, str) or not value.startswith("/") or (mount and value.startswith(mount)):
            continue
        raise ConfigError(
            f"The tokenizer {value[:200]!r} will not be in the task's container: the local executor mounts nothing there",
            where=paths.join(place),
            fix="give its Hugging Face id, or put it below the task's dataset_dir and give its path in the container",
        )
    return Staged(config)


def _followed(value: Any, config: Config) -> Any:
    """A text with its references to other texts of the config written out, for a look at it."""
    if not isinstance(value, str):
        return value

    def written(match: re.Match[str]) -> str:
        found = paths.dig(config, *match["path"].split("."))
        return found if isinstance(found, str) else match[0]

    return _REFERENCE.sub(written, value)


def _dataset_mount(entry: Any) -> str:
    if not isinstance(entry, dict) or not entry.get("dataset_dir"):
        return ""
    return str(entry.get("dataset_mount_path") or "/datasets").rstrip("/") + "/"


def trailing_slash(config: Config) -> Staged:
    """Strip trailing slashes of `deployment.endpoints`."""
    endpoints = section(config, "deployment", "endpoints") or {}
    wrong = [
        key for key, value in endpoints.items() if isinstance(value, str) and len(value) > 1 and value.endswith("/")
    ]
    result: Config = copied(config)
    for key in wrong:
        result["deployment"]["endpoints"][key] = endpoints[key].rstrip("/") or "/"
    return Staged(
        result, tuple(change("trailing_slash", f"deployment.endpoints.{key}: slash stripped") for key in wrong)
    )


def target_with_deployment(config: Config) -> Staged:
    """Drop the endpoint's address and model where NEL serves the model itself."""
    endpoint = section(config, "target", "api_endpoint")
    if endpoint is None or _deployment(config) == "none":
        return Staged(config)
    result: Config = copied(config)
    dropped = [key for key in ("url", "model_id") if key in endpoint]
    for key in dropped:
        del result["target"]["api_endpoint"][key]
    if not result["target"]["api_endpoint"]:
        del result["target"]["api_endpoint"]
    if not result["target"]:
        del result["target"]
    return Staged(result, tuple(change("target_with_deployment", f"target.api_endpoint.{k}: removed") for k in dropped))


def composition(config: Config) -> Staged:
    """A `defaults` list with NEL's packaged groups for this executor and deployment; other options of a group stay."""
    executor, deployment = _executor(config), _deployment(config)
    wanted = {"execution": _PACKAGED_EXECUTION.get(executor, executor), "deployment": deployment}
    given = config.get("defaults")
    listed = given if isinstance(given, list) else []
    entries = {k: str(v) for e in listed if isinstance(e, dict) for k, v in e.items() if k in wanted}
    for group, option in entries.items():
        # Another flavour of the same group (`slurm/ours`) is kept.
        if option.partition("/")[0] == wanted[group].partition("/")[0]:
            wanted[group] = option
    new = [{"execution": wanted["execution"]}, {"deployment": wanted["deployment"]}, _SELF]
    if given == new:
        return Staged(config)
    result: Config = {"defaults": new, **{k: v for k, v in copied(config).items() if k != "defaults"}}
    what = f"defaults: execution {wanted['execution']}, deployment {wanted['deployment']}"
    return Staged(result, (change("composition", what),))


def prefixes(environment: Mapping[str, str] | None) -> Callable[[Config], Staged]:
    """`variables.prefixed` for an environment."""
    return lambda config: variables.prefixed(config, environment)


BEFORE: tuple[Callable[[Config], Staged], ...] = (
    top_level_tasks,
    variables.moved,
)


def null_section(config: Config) -> Staged:
    """Drop nulls where NEL reads a section's keys."""
    result: Config = copied(config)
    changes = []
    for place in null_fails(_executor(config)):
        *way, key = place.split(".")
        for holder, at in _holders(result, way):
            if key in holder and holder[key] is None:
                del holder[key]
                changes.append(change("null_section", f"{paths.join((*at, key))}: removed"))
    return Staged(result, tuple(changes)) if changes else Staged(config)


def _holders(
    value: Any, way: list[str], at: tuple[str | int, ...] = ()
) -> Iterator[tuple[dict[str, Any], tuple[str | int, ...]]]:
    """Every mapping at some keys, with its path; `*` is any element of a list."""
    if not way:
        if isinstance(value, dict):
            yield value, at
    elif way[0] == "*":
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _holders(item, way[1:], (*at, index))
    elif isinstance(value, dict):
        yield from _holders(value.get(way[0]), way[1:], (*at, way[0]))


AFTER: tuple[Callable[[Config], Staged], ...] = (
    null_section,
    multiple_instances,
    slurm_keys,
    proxy_null,
    exports.auto_export_enabled,
    exports.export_wandb_null,
    required_null,
    local_parallel,
    local_tokenizer,
    trailing_slash,
    target_with_deployment,
    composition,
)
"""With `variables.prefixed` between them, the order of the migration. None touches a checkpoint's path: `iter_N` stays."""


def migrate(config: Config, environment: Mapping[str, str] | None = None) -> Staged:
    """Make a config one that NEL 0.2.6 runs.

    Args:
        config: Without Nemotron's own keys, and with nothing that refers to them.
        environment: Which variables are set; None for this process's own.

    Raises:
        ConfigError: Something must be said by the user first.
    """
    changes: list[Change] = []
    for step in (*BEFORE, prefixes(environment), *AFTER):
        config, done = step(config)
        changes.extend(done)
    return Staged(config, tuple(changes))
