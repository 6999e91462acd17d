"""The list of tasks in a config: adding them from recipes or the catalogue, and removing them."""

from __future__ import annotations

import copy
import difflib
from typing import Any

from ..benchmarks import catalogue, recipes
from ..errors import BadInput, UnknownName
from . import choices, paths, requirements, surgery
from .document import ConfigDocument

TASKS = "evaluation.tasks"


def add(document: ConfigDocument, name: str, notes: list[str]) -> ConfigDocument:
    """The config with one task more.

    Args:
        document: Not changed.
        name: A recipe's name (its fragment for the config's executor), a catalogue id, or a bare name that is unique.
        notes: Gets what the name was taken as.

    Raises:
        BadInput: The task is there already, or the name is ambiguous.
        UnknownName: No recipe and no task of that name.
        HarnessError: The recipe has no variant for the process executor.
    """
    recipe = _recipe(name)
    variant = recipes.variant_for(recipe, choices.executor(document)) if recipe else None
    if recipe and variant:
        entry: dict[str, Any] = copy.deepcopy(variant.fragment)
        notes.append(
            f"{recipe.name}: the recipe, as {variant.task} (metric {variant.metric}, repeats: {variant.repeats})"
        )
    else:
        entry = {"name": _catalogue_id(name, list(recipes.load_recipes()))}
    present = {_identity(task): index for index, task in enumerate(_tasks(document))}
    if _identity(entry) in present:
        raise BadInput(
            f"The config already has the task {entry['name']}",
            where=f"{document.path}:{document.line_of(f'{TASKS}[{present[_identity(entry)]}].name')}",
            fix="change it with `set`, or remove it first",
        )
    document = surgery.append(document, TASKS, entry)
    if recipe and variant:
        return requirements.applied(document, recipe, variant, notes)
    return requirements.for_catalogue(document, entry["name"], len(_tasks(document)) - 1, notes)


def remove(document: ConfigDocument, name: str, notes: list[str]) -> ConfigDocument:
    """The config without one task.

    Args:
        document: Not changed.
        name: The task's name as in the config or without its harness, NEL's `name.index`, or a recipe's name.
        notes: Gets that a task of a known name is not there, which changes nothing.

    Raises:
        UnknownName: No such task in the config, and no recipe or task of that name; those that are there are named.
        BadInput: Several tasks have that name.
    """
    tasks = _tasks(document)
    names = [str(task.get("name") or "") for task in tasks]
    exact = [index for index, task in enumerate(names) if f"{task}.{index}" == name]
    found = exact or [index for index, task in enumerate(names) if name in (task, task.partition(".")[2])]
    if not found:
        recipe = _recipe(name)
        wanted = {variant.task for variant in recipe.variants} if recipe else set()
        found = [index for index, task in enumerate(tasks) if _identity(task) in wanted]
    if not found and _is_known(name):
        notes.append(f"{name[:100]} is not among the tasks, so there was nothing to remove")
        return document
    if not found:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names[:10]
        raise UnknownName("task of this config", name, near, where=str(document.path))
    if len(found) > 1:
        candidates = ", ".join(f"{names[index]}.{index}" for index in found)
        raise BadInput(f"Several tasks are named {name!r}", where=str(document.path), fix=f"name one of {candidates}")
    return _without_comment(document, surgery.unset(document, f"{TASKS}[{found[0]}]"), found[0], names[found[0]])


def _without_comment(before: ConfigDocument, after: ConfigDocument, index: int, name: str) -> ConfigDocument:
    """The config without the comment right above a removed task; above the first, only one that names the task."""
    at = before.line_of(f"{TASKS}[{index}]") - 1
    lines, first = before.text.splitlines(keepends=True), at
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    comment, head = "".join(lines[first:at]), "".join(lines[:first])
    named = name.rpartition(".")[2] in comment
    if not comment or not lines[at].lstrip().startswith("-") or not (index or named):
        return after
    if not after.text.startswith(head + comment):
        return after
    shorter = after.with_text(head + after.text[len(head + comment) :])
    return shorter if shorter.plain == after.plain else after


def _is_known(name: str) -> bool:
    if recipes.load_recipes().get(name):
        return True
    try:
        return bool(catalogue.load_catalogue().resolve(name))
    except BadInput:
        return False


def _recipe(name: str) -> recipes.Recipe | None:
    """The recipe that a name means; one that the catalogue has letter for letter is the catalogue's, as NEL reads it."""
    exact = recipes.load_recipes().get(name)
    if exact is not None or "." in name or catalogue.load_catalogue().named(name):
        return exact
    return recipes.recipe_named(name)


def _tasks(document: ConfigDocument) -> list[dict[str, Any]]:
    tasks = paths.dig(document.plain, "evaluation", "tasks")
    return [task if isinstance(task, dict) else {} for task in tasks] if isinstance(tasks, list) else []


def _catalogue_id(name: str, recipe_names: list[str]) -> str:
    tasks = catalogue.load_catalogue()
    try:
        return tasks.resolve(name).id
    except UnknownName as error:
        near = difflib.get_close_matches(name, recipe_names, n=2, cutoff=0.6)
        raise UnknownName(
            "recipe or task", name[:80], [*near, *(n for n in error.nearest if n not in near)][:5], where="add_tasks"
        ) from None


def _identity(task: dict[str, Any]) -> str:
    """The catalogue id of a configured task, or its name as it stands."""
    name = str(task.get("name") or "")
    try:
        return catalogue.load_catalogue().resolve(name).id
    except BadInput:
        return name
