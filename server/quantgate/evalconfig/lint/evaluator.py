"""Rules about fields of `nemo_evaluator_config` that take the place of what NEL would fill in."""

from __future__ import annotations

from collections.abc import Iterable

from .. import paths
from ..compose import MISSING
from .rule import EVALUATOR, Hit, Rule, Subject, as_mapping

FILLED = "NeMo Evaluator Launcher 0.2.6 common/helpers.py (_set_nested_optionally_overriding: what is given wins)"
RESULTS = "/results"


def endpoint_left_out(subject: Subject) -> Iterable[Hit]:
    """No deployment, and no endpoint to ask."""
    if subject.composed.deployment != "none":
        return
    endpoint = as_mapping(subject.at("target", "api_endpoint"))
    for key in ("url", "model_id"):
        if endpoint.get(key) in (None, ""):
            message = f"There is no deployment and no target.api_endpoint.{key}: NEL has no model to ask"
            yield Hit(f"target.api_endpoint.{key}", message, f"edit_config(set=['target.api_endpoint.{key}=…'])")


def another_task(subject: Subject) -> Iterable[Hit]:
    """A type, a task or an output directory other than the one that NEL fills in."""
    for task in subject.tasks:
        entry = subject.catalogue_tasks.get(task.index)
        bare = task.name.rpartition(".")[2]
        path, kind = subject.given(task, "config", "type")
        if isinstance(kind, str) and kind.rpartition(".")[2] != bare:
            yield Hit(path, f"{path} is {kind[:60]!r}: the container runs that instead of {task.name[:60]}")
        path, directory = subject.given(task, "config", "output_dir")
        if isinstance(directory, str) and not f"{directory.rstrip('/')}/".startswith(f"{RESULTS}/"):
            message = f"{path} is {directory[:80]!r}: only what lies under {RESULTS} survives the container"
            yield Hit(path, message)
        path, name = subject.given(task, "config", "params", "task")
        wanted = entry.params.get("task") if entry else None
        if isinstance(name, str) and isinstance(wanted, str) and name != wanted:
            yield Hit(path, f"{path} is {name[:60]!r}: {task.name[:60]} then runs that instead of {wanted!r}")
        yield from _another_model(subject, task.index)


def _another_model(subject: Subject, index: int) -> Iterable[Hit]:
    path, model = subject.given(subject.tasks[index], "target", "api_endpoint", "model_id")
    deployed = subject.composed.deployment != "none"
    served = subject.at(*(("deployment", "served_model_name") if deployed else ("target", "api_endpoint", "model_id")))
    if isinstance(model, str) and isinstance(served, str) and MISSING not in (model, served) and model != served:
        message = f"{path} asks for {model[:80]!r}, and the model is {served[:80]!r}"
        yield Hit(path, message, f"edit_config(unset=['{path}'])")


def key_not_passed(subject: Subject) -> Iterable[Hit]:
    """A key's name inside nemo_evaluator_config whose variable the container does not get."""
    top = subject.at("target", "api_endpoint", "api_key_name")
    for task in subject.tasks:
        path, name = subject.given(task, "target", "api_endpoint", "api_key_name")
        groups = (subject.at("env_vars"), subject.at("evaluation", "env_vars"), task.raw.get("env_vars"))
        if isinstance(name, str) and name != top and not any(name in as_mapping(group) for group in groups):
            message = f"{path} names {name[:60]!r}, and the container does not get that variable"
            yield Hit(path, message, f"edit_config(set=['evaluation.env_vars.{name[:60]}=host:{name[:60]}'])")


def parameter_twice(subject: Subject) -> Iterable[Hit]:
    """A request field that replaces a parameter by another value."""
    names = {
        "temperature": "temperature",
        "top_p": "top_p",
        "max_tokens": "max_new_tokens",
        "max_new_tokens": "max_new_tokens",
    }
    for task in subject.tasks:
        path, added = subject.given(task, "target", "api_endpoint", "adapter_config", "params_to_add")
        for field, value in as_mapping(added).items():
            given = subject.param(task, names[field]) if field in names else None
            if given is not None and value != given and value is not None:
                message = (
                    f"params_to_add sends {field} {str(value)[:40]}, and params.{names[field]} is {str(given)[:40]}"
                )
                yield Hit(
                    paths.join((*paths.parse(path), str(field))),
                    message,
                    f"set it in one place, {EVALUATOR}.config.params",
                )


RULES = (
    Rule("P22", "error", "Endpoint left out", "give url and model_id", FILLED, endpoint_left_out),
    Rule("P23", "error", "Another task than its name says", "remove the field: NEL fills it in", FILLED, another_task),
    Rule("P24", "error", "Key that is not passed on", "declare the variable", FILLED, key_not_passed),
    Rule("P26", "warning", "Parameter given twice", "set it in one place", FILLED, parameter_twice),
)
