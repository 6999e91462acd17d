"""Finding tasks by words: "mmlu pro", "aime 2025", "instruction following"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import UnknownName
from .catalogue import Catalogue, CatalogueTask, load_catalogue, squash
from .recipes import Recipe, recipe_named, variant_of_task

_WORD = re.compile(r"[a-z]+|[0-9]+")

_BESIDE_THE_POINT = frozenset({"codec", "genai_perf_eval"})
"""Harnesses that measure contamination or speed under the names of accuracy benchmarks: they count for less."""

_SAME_NAME = 100
_NAME_STARTS = 60
_NAME_HOLDS = 50
_ALL_IN_NAME = 40
_ALL_IN_TITLE = 30
_ALL_SOMEWHERE = 20


@dataclass(frozen=True)
class Hit:
    """A task that matches, with the recipe that covers it (if one does)."""

    task: CatalogueTask
    recipe: Recipe | None


@dataclass(frozen=True)
class SearchResult:
    """The hits, best first.

    Attributes:
        recipe: The recipe that the query as a whole names; None when it names none.
        nearest: True when nothing holds the words and the hits are only similar names.
        harness: The harness as NEL spells it; empty when any.
    """

    hits: list[Hit]
    recipe: Recipe | None
    nearest: bool
    harness: str


def find_tasks(query: str = "", harness: str = "", endpoint_type: str = "") -> SearchResult:
    """The catalogue's tasks that fit a query and filters, best first; tasks with a recipe come first among equals.

    Args:
        query: Words that all must occur in the name, the recipe's title, the description or the harness's description.
            Case, punctuation and spaces inside names do not matter. Empty for all tasks.
        harness: Only tasks of this harness (spelling variants such as "simple-evals" are understood).
        endpoint_type: Only tasks that can use this type of endpoint.

    Raises:
        UnknownName: No such harness or endpoint type.
    """
    catalogue = load_catalogue()
    harness = _harness(catalogue, harness)
    tasks = [task for task in catalogue.tasks.values() if not harness or task.harness == harness]
    if endpoint_type:
        known = sorted({kind for task in catalogue.tasks.values() for kind in task.endpoint_types})
        if endpoint_type.lower() not in known:
            raise UnknownName("endpoint type", endpoint_type, fix="one of " + ", ".join(known))
        tasks = [task for task in tasks if endpoint_type.lower() in task.endpoint_types]
    named = recipe_named(query) if query.strip() else None
    fits = [(_score(query, hit, catalogue, named), hit) for hit in map(_hit, tasks)]
    scored = [(_discount(score, hit, query), hit) for score, hit in fits if score]
    if not scored and squash(query):
        allowed = {task.id for task in tasks}
        similar = [_hit(catalogue.tasks[task_id]) for task_id in catalogue.nearest(query) if task_id in allowed]
        return SearchResult(similar, None, True, harness)
    scored.sort(key=lambda pair: (-pair[0], pair[1].recipe is None, pair[1].task.harness, pair[1].task.name))
    return SearchResult([hit for _, hit in scored], named, False, harness)


def _harness(catalogue: Catalogue, name: str) -> str:
    if not name or name in catalogue.harnesses:
        return name
    from rapidfuzz import fuzz, process

    by_squash = {squash(known): known for known in catalogue.harnesses}
    if squash(name) in by_squash:
        return by_squash[squash(name)]
    near = process.extract(squash(name), list(by_squash), scorer=fuzz.WRatio, limit=3, score_cutoff=60)
    raise UnknownName(
        "harness",
        name,
        [by_squash[key] for key, _, _ in near],
        fix="" if near else "one of " + ", ".join(sorted(catalogue.harnesses)),
    )


def _hit(task: CatalogueTask) -> Hit:
    found = variant_of_task(task.id)
    return Hit(task, found[0] if found else None)


def _discount(score: int, hit: Hit, query: str) -> float:
    beside = hit.task.harness in _BESIDE_THE_POINT and squash(hit.task.harness) not in squash(query)
    return score / 10 if beside else score


def _score(query: str, hit: Hit, catalogue: Catalogue, named: Recipe | None) -> int:
    """How well a task fits; 0 when it does not. An empty query fits every task equally."""
    wanted = squash(query)
    if not wanted:
        return 1
    if named is not None and hit.recipe is not None and hit.recipe.name == named.name:
        return 2 * _SAME_NAME
    # nemo_skills puts "ns_" before the name that people use.
    name = squash(hit.task.name.removeprefix("ns_"))
    if wanted in (name, squash(hit.task.name), squash(hit.task.id)):
        return _SAME_NAME
    if name.startswith(wanted):
        return _NAME_STARTS
    if wanted in name:
        return _NAME_HOLDS
    words = _words(query)
    if not words:
        return 0
    in_name = _words(hit.task.id)
    if _all_in(words, in_name) or all(word in name for word in words):
        return _ALL_IN_NAME
    in_title = in_name + (_words(hit.recipe.title) if hit.recipe else [])
    if _all_in(words, in_title):
        return _ALL_IN_TITLE
    harness = catalogue.harnesses.get(hit.task.harness)
    everything = in_title + _words(hit.task.description) + (_words(harness.description) if harness else [])
    return _ALL_SOMEWHERE if _all_in(words, everything) else 0


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _all_in(wanted: list[str], words: list[str]) -> bool:
    """Whether each wanted word, or one of the same stem ("follow" and "following"), is there."""
    return all(any(_same_stem(want, word) for word in words) for want in wanted)


def _same_stem(left: str, right: str) -> bool:
    shorter, longer = sorted((left, right), key=len)
    return left == right or (len(shorter) >= 4 and longer.startswith(shorter))
