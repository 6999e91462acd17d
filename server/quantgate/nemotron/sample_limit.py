"""`limit_samples` of a config becomes the limit of the run: the gates must know that it is a subset."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..evalconfig import paths
from .change import Change, Config, copied

_PARAMS = ("nemo_evaluator_config", "config", "params")
_KEY = "limit_samples"


class Lifted(NamedTuple):
    """A config without its limit, the limit (0: none), and the changes."""

    config: Config
    limit: int
    changes: tuple[Change, ...]


def lift(config: Config) -> Lifted:
    """Take the limit out where it is one for all tasks; a limit for some tasks stays, and the gates refuse it with its place."""
    tasks: Any = paths.dig(config, "evaluation", "tasks")
    entries: list[Any] = tasks if isinstance(tasks, list) else []
    places: list[tuple[paths.Segment, ...]] = [("evaluation", *_PARAMS)]
    places += [("evaluation", "tasks", index, *_PARAMS) for index in range(len(entries))]
    found = [place for place in places if paths.has(paths.dig(config, *place), _KEY)]
    values = {_number(paths.dig(config, *place, _KEY)) for place in found}
    for_all = places[0] in found or (entries and len(found) == len(entries))
    if not found or not for_all or len(values) != 1 or None in values:
        return Lifted(config, 0, ())
    result: Config = copied(config)
    for place in found:
        del paths.dig(result, *place)[_KEY]
    limit = values.pop() or 0
    changes = tuple(
        Change(
            f"{paths.join((*place, _KEY))}: taken out; the run gets max_samples={limit}",
            "the launcher gets the limit with the launch, so that the run is called a subset everywhere",
        )
        for place in found
    )
    return Lifted(result, limit, changes)


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        value = int(value)  # what a variable says is a text
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
