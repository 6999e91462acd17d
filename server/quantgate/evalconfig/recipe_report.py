"""A config's tasks beside their recipes: what differs, and the edit that adopts the recipe. A difference is a note, no error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..benchmarks import catalogue, recipes
from ..benchmarks.recipe import Recipe, Variant
from ..errors import BadInput
from . import paths
from .compose import merged

_MOST_NAMED = 6


@dataclass(frozen=True)
class Difference:
    """One task that is not as its recipe has it.

    Attributes:
        task: Its name in the config.
        recipe: The recipe's name.
        what: What differs, in words.
        edit: The arguments of edit_config that adopt the recipe, without the config's path.
    """

    task: str
    recipe: str
    what: str
    edit: str


def differences(config: Mapping[str, Any]) -> list[Difference]:
    """Each task of a config that a recipe covers and that differs from it.

    Args:
        config: A config as written or composed.
    """
    evaluation = config.get("evaluation")
    tasks = evaluation.get("tasks") if isinstance(evaluation, Mapping) else None
    found = []
    for index, task in enumerate(tasks if isinstance(tasks, list) else []):
        covered = _recipe_of(task)
        if covered is not None:
            difference = _difference(evaluation, index, task, *covered)
            found += [difference] if difference else []
    return found


def _recipe_of(task: Any) -> tuple[Recipe, Variant] | None:
    try:
        entry = catalogue.load_catalogue().resolve(str(task.get("name") or "")) if isinstance(task, Mapping) else None
    except BadInput:
        return None
    return recipes.variant_of_task(entry.id) if entry else None


def _difference(
    evaluation: Any, index: int, task: Mapping[str, Any], recipe: Recipe, variant: Variant
) -> Difference | None:
    shared = {
        key: evaluation[key] for key in ("env_vars", "nemo_evaluator_config") if isinstance(evaluation.get(key), dict)
    }
    actual = merged(shared, task)
    repeats_at = ("nemo_evaluator_config", "config", "params", *variant.repeats_at.split("."))
    parts: list[str] = []
    only_repeats = bool(variant.repeats_at)
    for at, wanted in paths.walk(variant.fragment):
        given = paths.dig(actual, *at)
        if at == ("name",) or given == wanted or (wanted == recipes.GAP and given is not None):
            continue
        if at == repeats_at:
            now = f"{given}" if given is not None else "the harness's own number"
            parts.insert(0, f"repeats: {now}, the recipe has {wanted}")
        else:
            only_repeats = False
            state = "is not set" if given is None else f"is {given}"
            parts.append(f"{paths.join(at[-2:])} {state}")
    if not parts:
        return None
    if only_repeats:
        edit = f"set=['evaluation.tasks[{index}].{paths.join(repeats_at)}={variant.repeats}']"
    else:
        # A name that stands there twice means neither; the last is removed first, so that the positions stay.
        same = [i for i, other in enumerate(evaluation["tasks"]) if paths.dig(other, "name") == task["name"]]
        named = [f"{task['name']}.{i}" for i in reversed(same)] if len(same) > 1 else [task["name"]]
        edit = f"remove_tasks={named}, add_tasks=['{recipe.name}']"
    more = f" and {len(parts) - _MOST_NAMED} more" if len(parts) > _MOST_NAMED else ""
    return Difference(str(task["name"]), recipe.name, "; ".join(parts[:_MOST_NAMED]) + more, edit)
