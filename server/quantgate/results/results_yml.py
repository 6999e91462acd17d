"""results.yml: `results.{tasks|groups}.<name>.metrics.<metric>.scores.<score>.{value,stats}`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..runs.opening import open_file

MAX_BYTES = 2 << 20
MAX_SCORES = 20_000
MAX_DEPTH = 100
MAX_VALUES = 2_000_000
_MERGE = re.compile(rb"(?:^|[\s{,?])<<\s*:\s|!!merge\b")
"""Keys that bring another mapping in: a few levels of lists of them keep ruamel.yaml 0.19.1 busy for hours."""
_SHOWN = 60
_INT_BITS = 200
"""Python refuses to write out an integer of more than 4300 digits."""


@dataclass(frozen=True)
class ReportedScore:
    """One value of results.yml.

    Attributes:
        section: "tasks" or "groups".
        task: The name below it.
        metric: The metric's name.
        score: The score's name; often the metric's again.
        value: None when it is not a finite number.
        given: The value as it stands in the file, bounded, for messages.
        stats: The finite numbers of its `stats` (count, stderr, …).
    """

    section: str
    task: str
    metric: str
    score: str
    value: float | None
    given: str
    stats: Mapping[str, float]


@dataclass(frozen=True)
class ReportedResults:
    """All values of one results.yml, in its order."""

    scores: tuple[ReportedScore, ...]

    def find(self, metric: str) -> ReportedScore | None:
        """The value of a metric.

        A name matches the metric, else the score, else `<metric>_<score>` or `<task>_<metric>_<score>` (the names that
        exports use; `<task>_<metric>` where the score has the metric's name), with the characters that exporters replace
        taken as equal; tasks come before groups. None when nothing matches, or when the best matches differ.
        """
        for section in ("tasks", "groups"):
            here = [s for s in self.scores if s.section == section]
            for candidates in (
                [s for s in here if s.metric == metric == s.score],
                [s for s in here if s.metric == metric],
                [s for s in here if s.score == metric],
                [s for s in here if metric in (f"{s.metric}_{s.score}", f"{s.task}_{s.metric}_{s.score}")],
                [s for s in here if s.metric == s.score and metric == f"{s.task}_{s.metric}"],
                [s for s in here if _exported(metric) in {_exported(n) for n in _spellings(s)}],
            ):
                if candidates:
                    values = {(s.value, s.given) for s in candidates}
                    return candidates[0] if len(values) == 1 else None
        return None

    def names(self, limit: int = 8) -> str:
        """The metrics that there are, for a message."""
        known = list(dict.fromkeys(s.metric if s.metric == s.score else f"{s.metric}_{s.score}" for s in self.scores))
        return ", ".join(known[:limit]) + (f" and {len(known) - limit} more" if len(known) > limit else "")


def _spellings(score: ReportedScore) -> tuple[str, ...]:
    both = f"{score.metric}_{score.score}"
    return score.metric, score.score, both, f"{score.task}_{both}"


def _exported(name: str) -> str:
    """A metric's name as NEL 0.2.6 exports it to MLflow (exporters/utils.py), where `@` and brackets are not allowed."""
    return re.sub("_+", "_", re.sub(r"[^\w/\-. ]", "_", name.replace("pass@", "pass_at_"))).strip("_")


def load_yaml(path: Path, limit: int = MAX_BYTES) -> Any:
    """A YAML file that an evaluation wrote, read without its tags.

    Raises:
        BadInput: It is missing, too large, half-written or not YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        with open_file(path) as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror}", where=str(path)) from error
    if len(raw) > limit:
        raise BadInput(f"{path.name} is larger than {limit >> 20} MB", where=str(path))
    if _MERGE.search(raw):
        raise BadInput(f"{path.name} has merge keys, which no evaluation writes", where=str(path))
    try:
        data = YAML(typ="safe", pure=True).load(raw)
        _refuse_endless(data)
        return data
    except (YAMLError, ValueError, TypeError, LookupError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise BadInput(f"{path.name} is not complete YAML", where=f"{path}{line}") from error


def _refuse_endless(data: Any) -> None:
    """Aliases make a few lines of YAML into a value within itself, or one of gigabytes once it is written out: refuse both.

    Raises:
        ValueError: It is deeper than `MAX_DEPTH`, which a cycle is, or has more than `MAX_VALUES` values with each alias counted.
            A long text counts as several.
    """
    sizes: dict[int, int] = {}

    def size(value: Any, depth: int) -> int:
        if not isinstance(value, Mapping | list | set | tuple):
            return 1 + (len(value) >> 4 if isinstance(value, str | bytes) else 0)
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        if id(value) not in sizes:
            children = value.values() if isinstance(value, Mapping) else value
            sizes[id(value)] = 1 + sum(size(child, depth + 1) for child in children)
        if sizes[id(value)] > MAX_VALUES:
            raise ValueError("too many values")
        return sizes[id(value)]

    size(data, 0)


def read_results(artifacts: Path) -> ReportedResults:
    """The values of `artifacts/results.yml`.

    Raises:
        BadInput: It is missing, unreadable, or has no results.
    """
    path = artifacts / "results.yml"
    results = _mapping(_mapping(load_yaml(path)).get("results"))
    found: list[ReportedScore] = []
    for section in ("tasks", "groups"):
        for task, body in _mapping(results.get(section)).items():
            for metric, entry in _mapping(_mapping(body).get("metrics")).items():
                for score, item in _mapping(_mapping(entry).get("scores")).items():
                    found.append(_reported(section, str(task), str(metric), str(score), _mapping(item)))
                    if len(found) > MAX_SCORES:
                        raise BadInput(f"results.yml has more than {MAX_SCORES} scores", where=str(path))
    if not found:
        raise BadInput("results.yml holds no scores", where=f"{path}, key results")
    return ReportedResults(tuple(found))


def mapping_at(value: Any, *keys: str) -> Mapping[str, Any]:
    """The mapping below nested keys of what a file held; empty when there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return _mapping(value)


def number(value: object) -> float | None:
    """A finite number, also one that YAML took for text ("1e-05"); truth values are none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        parsed = float(value)
    except (ValueError, OverflowError):
        return None
    return parsed if math.isfinite(parsed) else None


def shown(value: object) -> str:
    """A value of a file for a message, bounded; of a list or a mapping only the kind: its aliases may be gigabytes."""
    if isinstance(value, str):
        return repr(value[:_SHOWN])[:_SHOWN]
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and value.bit_length() < _INT_BITS):
        return repr(value)[:_SHOWN]
    return f"a {type(value).__name__}"


def _reported(section: str, task: str, metric: str, score: str, item: Mapping[str, Any]) -> ReportedScore:
    stats = {str(k): n for k, v in _mapping(item.get("stats")).items() if (n := number(v)) is not None}
    given = item.get("value")
    return ReportedScore(section, task, metric, score, number(given), shown(given), stats)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
