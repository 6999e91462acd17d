"""How many requests are under way: the client's `parallelism`, and the share of it that one server takes at once.

`--max-num-seqs` = ceil(largest parallelism / (DP x instances)): vLLM counts it for each data-parallel rank (vLLM 0.33.0
docs/serving/data_parallel_deployment.md), and HAProxy spreads the requests over the instances (NEL 0.2.6, proxy.cfg.template:
balance leastconn). A parallelism above the number of requests is never reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from ..benchmarks import catalogue, recipes
from ..benchmarks.repeats import repeats_of
from ..errors import BadInput
from . import packaged, paths, serving_sizes, surgery
from .compose import merged
from .document import ConfigDocument

MAX_NUM_SEQS = "--max-num-seqs"
_PARAMS = ("nemo_evaluator_config", "config", "params")


def settle(document: ConfigDocument, notes: list[str]) -> ConfigDocument:
    """The config with parallelism at most the number of requests, and with the `--max-num-seqs` that it asks for.

    Args:
        document: Not changed.
        notes: Gets the arithmetic; what an earlier call said of it is replaced.
    """
    document = _capped(document, notes)
    notes[:] = [note for note in notes if not note.startswith(MAX_NUM_SEQS)]
    most = largest_parallelism(document)
    if serving_sizes.framework(document) != "vllm" or not most:
        return document
    if serving_sizes.is_own_script(document):
        notes.append(f"{MAX_NUM_SEQS} was left: deployment.command is a script of your own")
        return document
    data = serving_sizes.read(document).data
    instances = _whole(packaged.value(document, "execution", "num_instances")) or 1
    wanted = ceil(most / (data * instances))
    old = serving_sizes.get_flag(document, MAX_NUM_SEQS)
    was = "" if old in (None, str(wanted)) else f" (was {old})"
    notes.append(
        f"{MAX_NUM_SEQS} = ceil(parallelism {most} / (DP {data} x {instances} instance{'s' * (instances != 1)})) "
        f"= {wanted}{was}"
    )
    if most < data * instances:
        notes.append(
            f"{MAX_NUM_SEQS}: {data * instances} replicas share {most} requests, so {data * instances - most} idle; a "
            f"parallelism of {4 * data * instances} or more would keep them busy"
        )
    elif wanted <= 1 < data * instances:
        notes.append(
            f"{MAX_NUM_SEQS} 1: each of {data * instances} replicas answers one request at a time; a parallelism of "
            f"{4 * data * instances} or more would keep them busy"
        )
    return document if old == str(wanted) else serving_sizes.set_flag(document, MAX_NUM_SEQS, str(wanted))


def as_written(before: ConfigDocument, after: ConfigDocument, notes: list[str]) -> ConfigDocument:
    """The edited config with a `--max-num-seqs` that a person chose; one that was worked out has followed the edit.

    Args:
        before: The config as it was: a value other than the arithmetic's was chosen.
        after: With everything else done.
        notes: Gets the conflict, or what the value was.
    """
    old, new = (_seqs(document) for document in (before, after))
    # Values that stood in between, while the edit was made, were never in the file.
    was = f" (was {old})" if old not in (None, new) else ""
    sums = f"{MAX_NUM_SEQS} = "
    notes[:] = [note.partition(" (was ")[0] + was if note.startswith(sums) else note for note in notes]
    if old is None or new is None or old in (new, str(_share(before))):
        return after
    place = serving_sizes.command_path(after) or "deployment.extra_args"
    arithmetic = next((note for note in notes if note.startswith(sums)), f"{sums}{new}")
    notes[:] = [note for note in notes if not note.startswith(MAX_NUM_SEQS)]
    notes.append(
        f"conflict: {place} has {MAX_NUM_SEQS} {old} and was left; {arithmetic.partition(' (was ')[0]}; "
        f"to take it: set=['{place}.{MAX_NUM_SEQS}={new}']"
    )
    return serving_sizes.set_flag(after, MAX_NUM_SEQS, old)


def _seqs(document: ConfigDocument) -> str | None:
    known = serving_sizes.framework(document) == "vllm" and not serving_sizes.is_own_script(document)
    return serving_sizes.get_flag(document, MAX_NUM_SEQS) if known else None


def _share(document: ConfigDocument) -> int:
    replicas = serving_sizes.read(document).data * (_whole(packaged.value(document, "execution", "num_instances")) or 1)
    return ceil(largest_parallelism(document) / replicas)


def largest_parallelism(document: ConfigDocument) -> int:
    """The most requests that any task has under way at once; 0 when the file does not say."""
    shared = _params(paths.dig(document.plain, "evaluation"))
    tasks = _tasks(document)
    found = [merged(shared, _params(task)).get("parallelism") for task in tasks] or [shared.get("parallelism")]
    return max(map(_whole, found), default=0)


def requests_of(task: Mapping[str, Any], params: Mapping[str, Any]) -> int:
    """All requests of one task: the recipe's questions times the repeats asked for; 0 when the questions are not known.

    Args:
        task: One entry of `evaluation.tasks`.
        params: Its parameters, those of the whole evaluation included.
    """
    try:
        known = catalogue.load_catalogue().resolve(str(task.get("name") or ""))
    except BadInput:
        return 0
    found = recipes.variant_of_task(known.id)
    if found is None or not found[1].samples or task.get("container"):
        return 0
    return found[1].samples * repeats_of(params, known.params)


def _capped(document: ConfigDocument, notes: list[str]) -> ConfigDocument:
    """The config with no parallelism above the number of requests, where that is known."""
    shared = _params(paths.dig(document.plain, "evaluation"))
    sharing: list[int] = []
    for index, task in enumerate(_tasks(document)):
        own = _params(task)
        total = requests_of(task, merged(shared, own))
        if "parallelism" not in own:
            sharing.append(total)
        elif total and _whole(own["parallelism"]) > total:
            document = _lower(document, ("evaluation", "tasks", index), total, str(task.get("name")), notes)
    # One task of unknown size may need all of a shared parallelism.
    if sharing and all(sharing) and _whole(shared.get("parallelism")) > max(sharing):
        document = _lower(document, ("evaluation",), max(sharing), "the largest task", notes)
    return document


def _lower(
    document: ConfigDocument, place: tuple[paths.Segment, ...], total: int, whose: str, notes: list[str]
) -> ConfigDocument:
    path = paths.join((*place, *_PARAMS, "parallelism"))
    notes.append(f"{path} is now {total}: {whose} has no more requests")
    return surgery.set_value(document, path, total)


def _tasks(document: ConfigDocument) -> list[dict[str, Any]]:
    tasks = paths.dig(document.plain, "evaluation", "tasks")
    return [task for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else []


def _params(owner: Any) -> dict[str, Any]:
    params = paths.dig(owner, *_PARAMS)
    return params if isinstance(params, dict) else {}


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
