"""The tool build_config: the base config, as NEL's own command would write it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ..benchmarks.bundles import Answers, understand
from ..benchmarks.catalogue import load_catalogue
from ..benchmarks.recipes import load_recipes
from ..evalconfig.missing import missing_values
from ..evalconfig.recipe_report import differences
from ..launcher import harnesses, templates
from .next_call import call
from .spec import ToolResult

LIMIT = "nemo_evaluator_config.config.params.limit_samples"


class MissingRow(BaseModel):
    """A value that is still `???`."""

    model_config = ConfigDict(extra="forbid")

    path: str
    meaning: str


class ConfigOptions(BaseModel):
    """What the installed launcher offers; `benchmarks` is by model type."""

    model_config = ConfigDict(extra="forbid")

    execution: list[str]
    deployment: list[str]
    model_type: list[str]
    benchmarks: dict[str, list[str]]
    export: list[str]


class BuiltConfig(ToolResult):
    """The base config that was written."""

    path: str
    missing: list[MissingRow]
    options: ConfigOptions
    tasks: list[str]
    add_tasks: list[str] = Field(description="In no bundle: edit_config adds them.")
    understood: list[str] = Field(description="Answers taken as other words.")
    recipe_notes: list[str] = Field(default_factory=list)


def build_config(
    execution: Annotated[
        str, Field(description="process (here, no containers), local (here, containers) or slurm.")
    ] = "",
    deployment: Annotated[str, Field(description="none (an endpoint is there), vllm, sglang, nim or trtllm.")] = "",
    model_type: Annotated[str, Field(description="base or chat_reasoning.")] = "",
    benchmarks: Annotated[
        list[str], Field(description="Bundles of the model type, such as core_reasoning; []: tasks are added later.")
    ] = [],  # noqa: B006
    export: Annotated[str, Field(description="none, mlflow or wandb.")] = "none",
    output: Annotated[str, Field(description="New .yaml file or directory; empty: current directory.")] = "",
) -> BuiltConfig:
    """Write a new base config, a YAML file, from the launcher's own templates. Never overwrites a file.

    Use it once the user has answered five questions (execution, deployment, model type, benchmarks, export); without answers it
    is refused with the questions and their options, or the client's form asks the user. Not for a config that exists: that is
    edit_config. Not for Nemotron's YAML: that is compile_config.
    Example: build_config(execution="slurm", deployment="vllm", model_type="chat_reasoning",
    benchmarks=["core_reasoning"], output="/data/evals")
    """
    answers = understand(execution, deployment, model_type, benchmarks, export)
    config = templates.build(answers.execution, answers.deployment, answers.model_type, answers.bundles, answers.export)
    name = templates.file_name(answers.execution, answers.deployment, answers.model_type, answers.bundles)
    path = templates.write(config, output, name)
    tasks = [str(task["name"]) for task in config.get("evaluation", {}).get("tasks", [])]
    add_tasks = _not_there(answers.add_tasks, tasks)
    return BuiltConfig(
        path=str(path),
        missing=_missing(config, answers),
        options=ConfigOptions.model_validate(templates.options()),
        tasks=tasks,
        add_tasks=add_tasks,
        understood=list(answers.notes),
        recipe_notes=_recipe_notes(config, path),
        warnings=_warnings(answers, config, tasks, add_tasks, str(path)),
        next_step=_next_step(path, answers, add_tasks, tasks),
    )


def _missing(config: Mapping[str, Any], answers: Answers) -> list[MissingRow]:
    rows = [MissingRow(path=value.path, meaning=value.meaning) for value in missing_values(config)]
    if answers.deployment == "none":
        # The template names a hosted service; nobody who has a checkpoint means that one.
        for key, meaning in (
            ("url", "Full URL of the user's endpoint"),
            ("api_key_name", "Name of its key's variable"),
        ):
            rows.append(
                MissingRow(path=f"target.api_endpoint.{key}", meaning=f"{meaning} (a template's value is there)")
            )
    return rows


def _recipe_notes(config: Mapping[str, Any], path: Path) -> list[str]:
    return [
        f"{found.task} differs from the recipe {found.recipe} ({found.what}); to adopt it: "
        f"edit_config(config='{path}', {found.edit})"
        for found in differences(config)
    ]


def _not_there(names: tuple[str, ...], tasks: list[str]) -> list[str]:
    """The names that no task of the config is already."""
    catalogue = load_catalogue()
    present = {catalogue.resolve(task).id for task in tasks}
    return [name for name in names if name not in present]


def _warnings(
    answers: Answers, config: Mapping[str, Any], tasks: list[str], add_tasks: list[str], path: str
) -> list[str]:
    warnings = []
    entries = list(enumerate(config.get("evaluation", {}).get("tasks", [])))
    limited = {index: task["name"] for index, task in entries if _limit(task) is not None}
    if limited:
        unset = [f"evaluation.tasks[{index}].{LIMIT}" for index in limited]
        warnings.append(
            f"The launcher's template limits the samples of {', '.join(limited.values())}: remove that with "
            f"{call('edit_config', config=path, unset=unset)}, or every score is of a subset."
        )
    if answers.execution == "slurm" and not os.environ.get("USER"):
        warnings.append(
            "execution.username reads the variable USER, which is not set here: give the cluster's user name with "
            f"{call('edit_config', config=path, set=['execution.username=<name>'])}."
        )
    if answers.deployment == "none":
        warnings.append(
            f"The template's endpoint is {_endpoint(config)}: set target.api_endpoint.url and api_key_name to the user's own."
        )
    if answers.execution == templates.PROCESS:
        for name in add_tasks:
            recipe = load_recipes().get(name)
            if recipe is not None and all(variant.container_only for variant in recipe.variants):
                warnings.append(
                    f"{name} runs in containers only: build with execution=local and a container engine for it."
                )
        catalogue = load_catalogue()
        without = [t for t in tasks if harnesses.wheel_for(catalogue.resolve(t).harness) is None]
        if without:
            warnings.append(
                f"These tasks have no wheel and cannot run with execution=process: {', '.join(without)}. Remove them "
                f"with {call('edit_config', config=path, remove_tasks=without)}, or build with execution=local and a container "
                "engine."
            )
    return warnings


def _endpoint(config: Mapping[str, Any]) -> str:
    target = config.get("target", {}).get("api_endpoint", {})
    return f"{target.get('url', 'empty')} with the key of {target.get('api_key_name', 'no variable')}"


def _limit(task: Mapping[str, Any]) -> object:
    found: Any = task
    for key in LIMIT.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _next_step(path: Path, answers: Answers, add_tasks: list[str], tasks: list[str]) -> str:
    arguments: dict[str, Any] = {"config": str(path), "model": "<checkpoint directory or Hugging Face handle>"}
    settings = [] if answers.execution == "slurm" else ["execution.output_dir=<absolute directory>"]
    if answers.deployment == "none":
        route = "completions" if answers.model_type == "base" else "chat/completions"
        settings.append(f"target.api_endpoint.url=http://<host>:<port>/v1/{route}")
        settings.append("target.api_endpoint.api_key_name=<name of the key's variable>")
    if settings:
        arguments["set"] = settings
    if add_tasks:
        arguments["add_tasks"] = add_tasks
    elif not tasks:
        arguments["add_tasks"] = ["<recipe or task id>"]
    why = "the config has no tasks yet (list_tasks() names them)" if not tasks else "to fill in the model"
    return f"{call('edit_config', **arguments)}, {why}; then ask the user for what `missing` still lists."
