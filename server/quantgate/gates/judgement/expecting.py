"""What a task of a run should have done: by its recipe, else by the registry of metrics, and by what the run was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...benchmarks import catalogue, metrics, recipes
from ...benchmarks.repeats import repeats_of
from ...errors import BadInput, UnknownName
from ...evalconfig import compose, paths
from ...results import verify
from ...results.results_yml import number
from ...results.samples import Questions, count_questions
from ...runs.rundir import TaskDir


def expectation(task: TaskDir, limit: int) -> verify.Expectation:
    """What a task should have done.

    Args:
        task: Of the run.
        limit: Samples per task that it was launched with; 0 when none or unknown (then the run's own record decides).
    """
    known = known_task(task.name)
    used = verify.used_parameters(task)
    repeats = repeats_of(used)
    declared = float(limit) if limit else _limit_used(used)
    found = recipes.variant_of_task(known.id) if known else None
    if known is None:
        return verify.Expectation(harness="", samples=None, limit=declared, repeats=repeats, has_scale=False)
    if found is not None:
        return _by_recipe(found[1], known, used, declared, repeats)
    return _by_registry(task, known, used, declared, repeats)


def _by_recipe(
    variant: recipes.Variant,
    known: catalogue.CatalogueTask,
    used: Mapping[str, Any],
    limit: float | None,
    repeats: int,
) -> verify.Expectation:
    given = paths.dig(variant.fragment, "nemo_evaluator_config", "config", "params")
    usual = compose.merged(known.params, given) if isinstance(given, Mapping) else known.params
    return verify.Expectation(
        harness=variant.harness,
        samples=variant.samples if metrics.same_questions(used, usual) else None,
        limit=limit,
        repeats=repeats,
        metric=variant.metric_name(repeats),
        minimum=variant.minimum,
        maximum=variant.maximum,
        higher_is_better=variant.higher_is_better,
    )


def _by_registry(
    task: TaskDir, known: catalogue.CatalogueTask, used: Mapping[str, Any], limit: float | None, repeats: int
) -> verify.Expectation:
    metric = metrics.metric_of(known, used, repeats)
    if metric is None:
        return verify.Expectation(harness=known.harness, samples=None, limit=limit, repeats=repeats, has_scale=False)
    counted = count_questions(task, known.harness, metric.name) if metric.name else Questions()
    # A share of the set is rounded by the harness: only its own word tells how many questions that left.
    left = counted.asked if counted.asked is not None or limit is None or limit < 1 else int(limit) * metric.parts
    return verify.Expectation(
        harness=known.harness,
        samples=counted.full if counted.full is not None else metric.samples,
        limit=limit,
        repeats=repeats,
        metric=metric.name,
        minimum=metric.minimum,
        maximum=metric.maximum,
        higher_is_better=metric.higher_is_better,
        has_scale=metric.has_scale,
        limited=left if limit is not None else None,
    )


def known_task(name: str) -> catalogue.CatalogueTask | None:
    """The catalogue's task of that name; None without one."""
    try:
        return catalogue.load_catalogue().resolve(name)
    except (BadInput, UnknownName):
        return None


def _limit_used(used: Mapping[str, Any]) -> float | None:
    """The limit as run_config.yml has it: a number of samples, below 1 a share of them; None without one."""
    value = number(used.get("limit_samples"))
    return value if value is not None and value > 0 else None
