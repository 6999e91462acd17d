"""The migration of what is exported after a run."""

from __future__ import annotations

from ..errors import ConfigError
from .change import EMPTY, Config, Staged, copied, section
from .incompatibilities import change


def auto_export_enabled(config: Config) -> Staged:
    """`execution.auto_export.enabled`, which NEL does not read."""
    automatic = section(config, "execution", "auto_export")
    if automatic is None or "enabled" not in automatic:
        return Staged(config)
    result: Config = copied(config)
    if automatic["enabled"] is False:
        del result["execution"]["auto_export"]
        return Staged(result, (change("auto_export_enabled", "execution.auto_export: removed, as it is not enabled"),))
    del result["execution"]["auto_export"]["enabled"]
    return Staged(result, (change("auto_export_enabled", "execution.auto_export.enabled: removed"),))


def export_wandb_null(config: Config) -> Staged:
    """Drop an export to W&B that names neither entity nor project.

    Raises:
        ConfigError: It names one of the two.
    """
    export = section(config, "export")
    automatic = section(config, "execution", "auto_export") or {}
    destinations = automatic.get("destinations")
    named = isinstance(destinations, list) and "wandb" in destinations
    if (export is None or "wandb" not in export) and not named:
        return Staged(config)
    settings = section(config, "export", "wandb") or {}
    missing = [key for key in ("entity", "project") if settings.get(key) in EMPTY]
    if not missing:
        return Staged(config)
    if len(missing) == 1:
        raise ConfigError(
            f"export.wandb has no {missing[0]}: the export would fail after the run",
            where=f"export.wandb.{missing[0]}",
            fix=f"set {missing[0]} below [wandb] in env.toml, or give export.wandb.{missing[0]}=…",
        )
    result: Config = copied(config)
    changes = []
    if export is not None and "wandb" in export:
        del result["export"]["wandb"]
        changes.append(change("export_wandb_null", "export.wandb: removed, so nothing is exported to W&B"))
    if named:
        result["execution"]["auto_export"]["destinations"].remove("wandb")
        changes.append(change("export_wandb_null", "execution.auto_export.destinations: wandb removed"))
    return Staged(result, tuple(changes))
