"""Rules about parameters: what a harness does not use, and what changes a score without being seen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from ...benchmarks import limits, recipes, repeats
from ...benchmarks.catalogue import CatalogueTask
from .. import paths
from ..compose import MISSING, ConfiguredTask
from ..paths import Segment
from .rule import EVALUATOR, Hit, Rule, Subject, as_mapping, params_places
from .structure import FACTS
from .used_parameters import templates, used

COMMANDS = "NeMo Evaluator Launcher 0.2.6 resources/all_tasks_irs.yaml (the command templates)"
_TRANSPORT = ("request_timeout", "max_retries")
_FROM_NEL = frozenset({"extra", "task", "limit_samples"})


def _ignored(subject: Subject, *, transport: bool) -> Iterable[tuple[str, str, list[CatalogueTask]]]:
    """(path, key, tasks) of each parameter that none of the tasks it is given for uses."""
    entries = templates(subject)
    tail = ("config", "params")
    places: list[tuple[tuple[Segment, ...], dict[int, CatalogueTask]]] = [(("evaluation", EVALUATOR, *tail), entries)]
    places += [(("evaluation", "tasks", i, EVALUATOR, *tail), {i: e}) for i, e in entries.items()]
    for at, those in places:
        given = as_mapping(subject.at(*at))
        keys = [str(k) for k in given if k != "extra"] + [f"extra.{k}" for k in as_mapping(given.get("extra"))]
        for key in keys:
            name = key.removeprefix("extra.")
            value = as_mapping(given.get("extra")).get(name) if key != name else given.get(name)
            if value in (None, MISSING) or key in _FROM_NEL or (key in _TRANSPORT) != transport:
                continue
            ignoring = [entry for entry in those.values() if key not in used(entry.command)]
            # A setting for all tasks is meant for those that know it.
            if ignoring and (len(ignoring) == len(those) and (len(at) > 4 or len(those) == len(subject.tasks))):
                yield paths.join((*at, *key.split(".", 1))), key, ignoring


def inert_parameter(subject: Subject) -> Iterable[Hit]:
    """A parameter that the harness's command never uses."""
    for path, key, tasks in _ignored(subject, transport=False):
        entry = tasks[0]
        names = sorted(name for name in used(entry.command) if name != "extra")
        message = f"{entry.id} does not use {key}" if len(tasks) == 1 else f"None of the tasks uses {key}"
        yield Hit(path, message, f"remove it; {entry.id} uses {', '.join(names[:14])}")


def inert_transport(subject: Subject) -> Iterable[Hit]:
    """request_timeout or max_retries for harnesses that ignore them: one note for the whole config."""
    found = list(_ignored(subject, transport=True))
    if found:
        harnesses = sorted({entry.harness for _, _, tasks in found for entry in tasks})
        keys = " and ".join(sorted({key for _, key, _ in found}))
        yield Hit(found[0][0], f"No effect: {', '.join(harnesses)} and {keys} (set {len(found)} times)")


def no_limit(subject: Subject) -> Iterable[Hit]:
    """limit_samples for harnesses that run everything all the same: the canary would be the full run."""
    for path, value in params_places(subject, "config", "params", "limit_samples"):
        own = re.match(r"evaluation\.tasks\[(\d+)\]", path)
        limited = [task for task in subject.tasks if own is None or task.index == int(own[1])]
        harnesses = [subject.harness(task) for task in limited]
        unlimited = [name for name in harnesses if name in limits.unlimited_rows()]
        if unlimited and len(unlimited) == len(harnesses):
            yield Hit(path, f"{unlimited[0]} ignores limit_samples: the run of {value} samples would be the full run")


def other_repeats(subject: Subject) -> Iterable[Hit]:
    """Another number of repeats than the recipe's, so that the score has another variance."""
    for index, entry in subject.catalogue_tasks.items():
        wanted = _recipe_repeats().get(entry.id)
        key = next((key for key in repeats.NAMES if key in as_mapping(entry.params.get("extra"))), "")
        if wanted is None or not key:
            continue
        path, given = subject.given(subject.tasks[index], "config", "params", "extra", key)
        actual = given if given is not None else entry.params["extra"][key] or 1
        if isinstance(actual, int) and actual != wanted:
            message = f"{entry.id} runs {actual} repeats, and its recipe has {wanted}: the score has another variance"
            where = f"evaluation.tasks[{index}].{EVALUATOR}.config.params.extra.{key}"
            yield Hit(
                path or f"evaluation.tasks[{index}].name",
                message,
                f"edit_config(set=['{where}={wanted}'])",
                cause="T20",
            )


@lru_cache(maxsize=1)
def _recipe_repeats() -> dict[str, int]:
    return {variant.task: variant.repeats for recipe in recipes.load_recipes().values() for variant in recipe.variants}


def own_ceiling(subject: Subject) -> Iterable[Hit]:
    """A task with a max_new_tokens of its own: answers are cut at different lengths."""
    shared = subject.at("evaluation", EVALUATOR, "config", "params", "max_new_tokens")
    own: list[tuple[ConfiguredTask, object]] = []
    for task in subject.tasks:
        value = subject.at("evaluation", "tasks", task.index, EVALUATOR, "config", "params", "max_new_tokens")
        if value not in (None, MISSING):
            own.append((task, value))
    for task, value in own:
        others = [shared] if shared not in (None, MISSING) else [v for t, v in own if t is not task]
        if any(other != value for other in others):
            path = f"evaluation.tasks[{task.index}].{EVALUATOR}.config.params.max_new_tokens"
            message = (
                f"{task.name[:60]} has a max_new_tokens of its own ({value}): answers are cut at different lengths"
            )
            # NEL's templates give BFCL one.
            yield Hit(path, message, severity="note" if subject.unfinished else None)


RULES = (
    Rule(
        "T17",
        "note",
        "Inert timeout or retries",
        "remove it, or expect no effect",
        COMMANDS,
        inert_transport,
    ),
    Rule("C06", "warning", "Inert parameter", "remove it", COMMANDS, inert_parameter),
    Rule("T20", "note", "Other repeats than the recipe", "take the recipe's", "recipes/tasks/", other_repeats),
    Rule("T22", "warning", "Ceiling of one task", "set one ceiling for the evaluation", FACTS, own_ceiling),
)
LIMIT_RULES = (
    Rule(
        "T15",
        "error",
        "Limit that the harness ignores",
        "remove it; this benchmark has no canary",
        COMMANDS,
        no_limit,
    ),
)
