"""What was measured, kept as one JSON file per benchmark in benchmarks/results: the page is made from these."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import NAMES
from .measured import Growth, Point, Result, Row

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(__file__).with_name("results")
_DIGITS = 5


@dataclass(frozen=True)
class Kept:
    """A benchmark's result, and when and on what it was made.

    Attributes:
        name: The benchmark.
        result: What it found.
        date: Day of the measurement, UTC.
        machine: The machine in words.
        seconds: How long the benchmark took.
    """

    name: str
    result: Result
    date: str
    machine: str
    seconds: int


def encoded(result: Result) -> str:
    """A result as JSON, its figures with five digits."""
    return json.dumps(_rounded(asdict(result)), indent=1, ensure_ascii=False) + "\n"


def read(path: Path) -> Result:
    """The result in a file of `encoded` or `write`."""
    return _decoded(json.loads(path.read_text("utf-8")))


def write(name: str, result: Result, machine: str, seconds: float) -> None:
    """Keep a result in the place of the benchmark's earlier one."""
    FOLDER.mkdir(exist_ok=True)
    head = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "machine": machine, "seconds": round(seconds)}
    text = json.dumps(head | _rounded(asdict(result)), indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(text + "\n", "utf-8")


def everything() -> list[Kept]:
    """All that is kept, in the order of the page."""
    found = []
    for name in NAMES:
        path = FOLDER / f"{name}.json"
        if path.is_file():
            data = json.loads(path.read_text("utf-8"))
            found.append(Kept(name, _decoded(data), data["date"], data["machine"], data["seconds"]))
    return found


def _decoded(data: dict[str, Any]) -> Result:
    rows = tuple(Row(**{**row, "spread": tuple(row["spread"])}) for row in data["rows"])
    growths = tuple(Growth(**{**g, "points": tuple(Point(**point) for point in g["points"])}) for g in data["growths"])
    return Result(rows, growths)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
