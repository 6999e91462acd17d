"""Nemotron's YAML, env.toml and command line become a launcher config, in one visible order."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import credentials
from ..errors import BadInput, ConfigError
from . import (
    clear_secrets,
    cluster_keys,
    env_toml,
    loading,
    migration,
    overrides,
    recipes,
    sample_limit,
    squash,
    stripping,
    wandb_env,
)
from .change import Change, Config, Staged, copied, section
from .interpolation import ArtifactResolver, Interpolator, resolve


@dataclass(frozen=True)
class Request:
    """What a user asked for.

    Attributes:
        config: A name of the recipe's, or a path; empty for `default`.
        recipe: `model_eval` or `nano3`; empty for the default one, or none when the config is a path.
        profile: A profile of env.toml; empty for none.
        overrides: `a.b=c`, in order.
        tasks: Names of tasks; empty for `task_filters`, else all.
        force_squash: Make images again that are there.
        launching: It will be launched on a profile's cluster now (--run or --batch, no dry run): only then images are squashed.
        start: Where env.toml is searched from.
    """

    config: str = ""
    recipe: str = ""
    profile: str = ""
    overrides: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    force_squash: bool = False
    launching: bool = False
    start: Path = field(default_factory=Path.cwd)


@dataclass(frozen=True)
class Compiled:
    """A compiled config.

    Attributes:
        launcher_config: What the launcher gets.
        job_config: What was given: the YAML with its profile and overrides, references as written.
        task_filters: The tasks to run; empty for all.
        changes: What was changed, in order, and why.
        name: Part of the snapshot's name: the recipe's, or `eval`.
        source: The config's file.
        sample_limit: Samples per task; 0 for all.
        dry_run: The config itself asks for no more than a dry run.
        squashed: The images that must be made on the cluster before a launch.
    """

    launcher_config: Config
    job_config: Config
    task_filters: tuple[str, ...]
    changes: tuple[Change, ...]
    name: str
    source: Path
    sample_limit: int = 0
    dry_run: bool = False
    squashed: squash.SquashPlan = field(default_factory=squash.SquashPlan)


def _source(request: Request) -> tuple[Path, str]:
    """The config's file, and the name of its snapshots."""
    is_path = "/" in request.config or request.config.endswith(".yaml")
    if is_path and not request.recipe:
        return loading.config_path(request.config, Path()), "eval"
    directory = recipes.folder(request.recipe)
    name = request.config or recipes.contract(directory.name).default_config
    return loading.config_path(name, directory), f"eval-{directory.name}"


def _env_file(request: Request, source: Path) -> env_toml.EnvFile:
    return env_toml.read(env_toml.find(request.start) or env_toml.find(source.resolve().parent))


def compile_request(
    request: Request,
    environment: MutableMapping[str, str] | None = None,
    artifacts: ArtifactResolver | None = None,
) -> Compiled:
    """Compile a request. Nothing is written, and the network is asked only for an artifact that is used.

    Args:
        request: What was asked for.
        environment: The environment of the launch; None for this process's own, with gaps filled from `.env` beside the config
            and of the workspace. A key that `wandb login` left in netrc is put into it when W&B is needed.
        artifacts: Where artifacts come from; None for what `[artifacts]` of env.toml says.

    Raises:
        QuantgateError: What is wrong, where, and how to mend it.
    """
    if request.config == "" and request.recipe == "":
        raise BadInput("No config is given", fix="give -c NAME or a path, or a recipe such as model_eval")
    source, name = _source(request)
    environment = credentials.Filled(source) if environment is None else environment
    given = _given(request, source)
    stripping.require_sections(given.config, str(source))
    clear_secrets.refuse(given.config, _read_from(request, source), environment)
    job: Config = copied(given.config)
    if request.tasks:
        job["task_filters"] = list(request.tasks)
    prepared = _prepared(job, environment, str(source))
    dry_run = stripping.asks_for_dry_run(prepared.config, str(source))
    launching = request.launching and not dry_run
    planned = squash.plan(_with_env(prepared.config, environment), launching=launching, force=request.force_squash)
    squashed = squash.apply(prepared.config, planned)
    if request.force_squash and not planned.images:
        squashed = squashed._replace(changes=(Change("squash: no image is imported", planned.reason),))
    final = _finished(squashed.config, environment, artifacts, str(source), _env_base(request, source), request.start)
    clear_secrets.refuse(final.launcher_config, f"{source}, compiled", environment)
    return replace(
        final,
        job_config=job,
        changes=(*given.changes, *prepared.changes, *squashed.changes, *final.changes),
        name=name,
        source=source,
        dry_run=dry_run,
        squashed=planned,
    )


def _read_from(request: Request, source: Path) -> str:
    """What a value of the given config may stand in, for a message about it."""
    env = _env_file(request, source).path
    return " or ".join([str(source), *([str(env)] if env else []), *(["the overrides"] if request.overrides else [])])


def _env_base(request: Request, source: Path) -> Path:
    path = _env_file(request, source).path
    return path.resolve().parent if path else request.start


def _given(request: Request, source: Path) -> Staged:
    """What was given: the YAML, the profile, the overrides."""
    loaded = loading.load(source)
    stripping.require_sections(loaded.config, str(source))
    profiled = env_toml.apply(loaded.config, _env_file(request, source), request.profile)
    overridden = overrides.apply(profiled.config, request.overrides)
    return Staged(overridden.config, (*loaded.changes, *profiled.changes, *overridden.changes))


def _prepared(job: Config, environment: MutableMapping[str, str], source: str) -> Staged:
    """Everything that needs no store of artifacts: gaps from the profile, W&B by name, references into `run`."""
    typed = loading.named_types(job)
    filled = cluster_keys.fill(typed.config)
    found = wandb_env.login(environment) if wandb_env.needed(filled.config) else None
    mapped = wandb_env.apply(filled.config, environment, found)
    referred = resolve(mapped.config, Interpolator(mapped.config, None, environment, source))
    return Staged(referred.config, (*typed.changes, *filled.changes, *mapped.changes, *referred.changes))


def _with_env(config: Config, environment: Mapping[str, str]) -> Config:
    """The config with `run.env` written out where it can be: what the plan does not read may stay open."""
    env = section(config, "run", "env")
    if not env:
        return config
    interpolator = Interpolator(config, None, environment)
    result: Config = copied(config)
    for key, value in env.items():
        with contextlib.suppress(ConfigError):
            result["run"]["env"][key] = interpolator.written_out(value, ("run", "env", key))
    return result


def _finished(
    config: Config,
    environment: Mapping[str, str],
    artifacts: ArtifactResolver | None,
    source: str,
    base: Path,
    start: Path,
) -> Compiled:
    """Artifacts, stripping, migration; and the filter checked against what is configured."""
    resolver = artifacts or _resolver(config, base, environment)
    resolved = resolve(config, Interpolator(config, resolver, environment, source))
    versions = tuple(
        Change(f"artifact {said}", "`latest` and aliases move on") for said in getattr(resolver, "asked", ())
    )
    wanted = overrides.task_names(resolved.config)
    stripped = stripping.strip(resolved.config)
    placed = stripping.absolute_output(stripped.config, start)
    mounted = cluster_keys.mounts(placed.config)
    lifted = sample_limit.lift(mounted.config)
    migrated = migration.migrate(lifted.config, environment)
    filters = stripping.configured_filters(migrated.config, wanted, source)
    if filters != wanted:
        said = Change(f"task_filters: {', '.join(filters)}", "a short name is the configured task that ends in it")
        migrated = migrated._replace(changes=(*migrated.changes, said))
    changes = (
        *resolved.changes,
        *versions,
        *stripped.changes,
        *placed.changes,
        *mounted.changes,
        *lifted.changes,
        *migrated.changes,
    )
    return Compiled(
        launcher_config=migrated.config,
        job_config={},
        task_filters=filters,
        changes=changes,
        name="",
        source=Path(source),
        sample_limit=lifted.limit,
    )


def _resolver(config: Config, base: Path, environment: Mapping[str, str]) -> ArtifactResolver:
    """The store that `[artifacts]` names; nothing is opened before its first reference."""
    from .artifacts.settings import resolver

    return resolver(
        section(config, "run", "artifacts"), section(config, "run", "wandb"), base=base, environment=environment
    )
