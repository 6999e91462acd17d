"""Composition as NEL does it, without importing NEL: Hydra's defaults list over the packaged config groups.

NEL 0.2.6 (`RunConfig.from_hydra`) initialises Hydra in the config's directory with its packaged configs on the search path.
The same is done here with the package's folder given as a file path.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import credentials, redact
from ..errors import ConfigError
from ..launcher import composition, package
from . import expansion, paths, resolve
from .document import ConfigDocument

MISSING = "???"

# What Hydra 1.3.2 lets through for a malformed defaults list (it asserts types, and opens a name as a file).
_OF_HYDRA = (ValueError, TypeError, KeyError, AssertionError, AttributeError, OSError)

# Hydra keeps its state in a process-wide singleton.
_LOCK = threading.Lock()


_UNSET = re.compile(r"interpolation at (?P<path>\S+) cannot .*the environment variable '(?P<name>\w+)' is not set")
_MAX_UNSET = 50


@dataclass(frozen=True)
class ConfiguredTask:
    """One entry of `evaluation.tasks`.

    Attributes:
        index: Its position in the list, which is part of NEL's directory name.
        name: As written in the config: `harness.task` or a bare name.
        directory: NEL's directory for it, `<name>.<index>`.
        params: `nemo_evaluator_config.config.params` of the evaluation with the task's own on top, as NEL merges them.
        raw: The entry itself.
    """

    index: int
    name: str
    directory: str
    params: dict[str, Any]
    raw: dict[str, Any]


@dataclass(frozen=True)
class Composed:
    """A config as NEL would run it.

    Attributes:
        config: Everything resolved, except that `???` and what refers to it stay as text.
        executor: `execution.type`: "local", "slurm", "process", ...
        deployment: `deployment.type`: "none", "vllm", ...
        tasks: The configured tasks, in order.
        derived_missing: Paths whose value refers to a `???`; they are no gaps of their own.
        digest: `launcher.composition.digest` of it: the launch's child composes once more, and must come to the same.
        environment: What `${oc.env:...}` was read from; it holds secrets.
    """

    config: dict[str, Any]
    executor: str
    deployment: str
    tasks: tuple[ConfiguredTask, ...]
    derived_missing: frozenset[str] = field(default_factory=frozenset)
    digest: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


def compose(path: Path) -> Composed:
    """Compose a config file with NEL's packaged defaults.

    Args:
        path: The config, a `.yaml` file.

    Raises:
        ConfigError: The file cannot be read or composed, or an interpolation cannot be resolved; with file and line.
    """
    return compose_document(ConfigDocument.load(path))


def compose_despite_unset(document: ConfigDocument) -> tuple[Composed, tuple[tuple[str, str], ...]]:
    """A config with gaps in the place of variables that are set nowhere, and these as pairs of a path and a name.

    Raises:
        ConfigError: It does not compose for another reason.
    """
    stand_ins: dict[str, str] = {}
    unset: list[tuple[str, str]] = []
    while True:
        try:
            composed = compose_document(document, stand_ins=stand_ins)
        except ConfigError as error:
            match = _UNSET.search(error.what)
            if not match or match["name"] in stand_ins or len(unset) >= _MAX_UNSET:
                raise
            stand_ins[match["name"]] = MISSING
            unset.append((match["path"], match["name"]))
            continue
        gaps = composed.derived_missing | {at for at, _ in unset}
        return replace(composed, derived_missing=frozenset(gaps)), tuple(unset)


def compose_document(document: ConfigDocument, stand_ins: Mapping[str, str] | None = None) -> Composed:
    """As `compose`, for a document that was just read from (or saved to) its file.

    Args:
        stand_ins: Values for variables that are set nowhere, so that one `${oc.env:...}` does not hide the rest.
    """
    _check_before(document)
    given = credentials.environment(document.path)
    token = resolve.environment.set({**(stand_ins or {}), **given})
    try:
        with _LOCK:
            config, derived, digest = _hydra_compose(document)
    finally:
        resolve.environment.reset(token)
    return Composed(
        config=config,
        executor=str(paths.dig(config, "execution", "type") or ""),
        deployment=str(paths.dig(config, "deployment", "type") or "none"),
        tasks=_tasks(config, document),
        derived_missing=frozenset(derived),
        digest=digest,
        environment=given,
    )


def _check_before(document: ConfigDocument) -> None:
    """What Hydra would report less clearly, or not at all."""
    expansion.Budget(str(document.path)).spend("", document.text.count("${"))
    if document.path.suffix != ".yaml":
        raise ConfigError(
            f"NEL reads only files named *.yaml, and this one ends in {document.path.suffix or 'nothing'!r}",
            where=str(document.path),
            fix=f"rename it to {document.path.stem}.yaml",
        )
    defaults = document.plain.get("defaults")
    for index, entry in enumerate(defaults if isinstance(defaults, list) else []):
        if isinstance(entry, dict) and any(v == "process" for k, v in entry.items() if str(k).endswith("execution")):
            raise ConfigError(
                "NEL has no packaged defaults for the process executor",
                where=f"{document.path}:{document.line_of(f'defaults[{index}]')}",
                fix="write `- execution: local` in defaults and `type: process` under `execution`",
            )


def _hydra_compose(document: ConfigDocument) -> tuple[dict[str, Any], list[str], str]:
    """The resolved config, the paths that refer to a gap, and the digest of the unresolved one."""
    import hydra
    import yaml
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    resolve.register_resolvers()
    path = document.path.resolve()
    packaged = str(package.resource("configs")).replace("\\", "\\\\").replace("'", "\\'")
    GlobalHydra.instance().clear()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            hydra.initialize_config_dir(config_dir=str(path.parent), version_base=None)
            composed = hydra.compose(config_name=path.stem, overrides=[f"hydra.searchpath=['file://{packaged}']"])
        raw = OmegaConf.to_container(composed, resolve=False)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, *_OF_HYDRA) as error:
        raise _composition_error(error, document) from None
    except RecursionError:
        raise ConfigError("The config refers to itself", where=str(document.path), fix="remove the cycle") from None
    finally:
        GlobalHydra.instance().clear()
    derived: list[str] = []
    assert isinstance(raw, dict)
    with expansion.bounded(str(document.path)) as budget:
        config = resolve.Resolver(document, derived, budget).mapping(composed, raw, ())
        budget.check()
    return config, derived, composition.digest(raw)


def _composition_error(error: Exception, document: ConfigDocument) -> ConfigError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = redact.redact(" ".join(lines)[:400]) if lines else type(error).__name__
    return ConfigError(
        f"NEL cannot compose the config: {text}",
        where=f"{document.path}:{document.line_of('defaults')}",
        fix="check the `defaults` list against NEL's packaged groups (execution: local, slurm/default, lepton/default; "
        "deployment: none, vllm, vllm_ray, sglang, nim, trtllm, generic)",
    )


def _tasks(config: dict[str, Any], document: ConfigDocument) -> tuple[ConfiguredTask, ...]:
    evaluation = _section(config, "evaluation", document)
    entries = evaluation.get("tasks") or []
    if entries == MISSING:
        return ()
    if not isinstance(entries, list):
        raise _shape("evaluation.tasks", "a list of tasks", document)
    shared = _params(evaluation, "evaluation", document)
    tasks = []
    for index, entry in enumerate(entries):
        where = f"evaluation.tasks[{index}]"
        if not isinstance(entry, dict):
            raise _shape(where, "a mapping with a `name`", document)
        name = str(entry.get("name") or "")
        tasks.append(
            ConfiguredTask(
                index=index,
                name=name,
                directory=f"{name}.{index}",
                params=merged(shared, _params(entry, where, document)),
                raw=entry,
            )
        )
    return tuple(tasks)


def _section(config: dict[str, Any], name: str, document: ConfigDocument) -> dict[str, Any]:
    value = config.get(name)
    if value is None or value in ([], MISSING):
        return {}
    if not isinstance(value, dict):
        raise _shape(name, "a section with keys", document)
    return value


def _params(owner: dict[str, Any], where: str, document: ConfigDocument) -> dict[str, Any]:
    value: Any = owner
    for key in ("nemo_evaluator_config", "config", "params"):
        value = value.get(key)
        where = f"{where}.{key}"
        if value is None or value == MISSING:
            return {}
        if not isinstance(value, dict):
            raise _shape(where, "a section with keys", document)
    return dict(value)


def _shape(dotted: str, wanted: str, document: ConfigDocument) -> ConfigError:
    return ConfigError(
        f"{dotted} must be {wanted}",
        where=f"{document.path}:{document.line_of(dotted)}",
        fix="correct its indentation or its value",
    )


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested mappings as one; `over` wins, and lists are replaced, not joined (as OmegaConf merges)."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(result.get(key), Mapping) and isinstance(value, Mapping)
        result[key] = merged(result[key], value) if both else value
    return result
