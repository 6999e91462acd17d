"""Which parameters the commands of the configured tasks use."""

from __future__ import annotations

import re
from functools import lru_cache

from ...benchmarks.catalogue import CatalogueTask
from ..paths import Segment
from .rule import EVALUATOR, Subject

_PARAM = re.compile(r"config\.params\.(\w+)")
_EXTRA = re.compile(r"config\.params\.extra\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
_TAIL: tuple[Segment, ...] = (EVALUATOR, "config", "params")


@lru_cache(maxsize=512)
def options(command: str) -> frozenset[str]:
    """The options below `params.extra` that a harness's command template names, as dotted paths."""
    return frozenset(_EXTRA.findall(command))


@lru_cache(maxsize=512)
def used(command: str) -> frozenset[str]:
    """The parameters that a command template names: `top_p`, and `extra.` with the first key of an option."""
    return frozenset(_PARAM.findall(command)) | {f"extra.{name.partition('.')[0]}" for name in options(command)}


def templates(subject: Subject) -> dict[int, CatalogueTask]:
    """The catalogue's tasks that run in the catalogue's own container: of another one the template is not known."""
    return {i: e for i, e in subject.catalogue_tasks.items() if not subject.tasks[i].raw.get("container") and e.command}


def is_unused(subject: Subject, at: tuple[Segment, ...]) -> bool:
    """Whether a path is a parameter that the command of no task names; False where one of the commands is not known."""
    place: tuple[Segment, ...] = ("evaluation",)
    found = templates(subject)
    if at[:2] == ("evaluation", "tasks") and len(at) > 2 and isinstance(at[2], int):
        place, found = at[:3], {i: e for i, e in found.items() if i == at[2]}
    elif len(found) != len(subject.tasks):
        return False
    start = len(place) + len(_TAIL)
    if not found or at[len(place) : start] != _TAIL or len(at) <= start:
        return False
    key = str(at[start])
    name = key if key != "extra" else f"extra.{at[start + 1]}" if len(at) > start + 1 else ""
    return bool(name) and all(
        name not in used(entry.command) and "extra" not in _whole(entry) for entry in found.values()
    )


def _whole(entry: CatalogueTask) -> frozenset[str]:
    """`extra` when the command takes the section as a whole."""
    bare = re.search(r"config\.params\.extra(?!\.\w)", entry.command)
    return frozenset({"extra"}) if bare else frozenset()
