"""One measured figure, and how figures are kept."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Figure:
    """What was measured at one size.

    Attributes:
        axis: "ledgers", "sweeps", "servers" or "logs".
        what: What was done, in words that stand in the page.
        size: How large: runs, jobs, servers, bytes or files.
        of: What `size` counts.
        value: The figure; -1 where the call gave no answer, which `note` tells.
        unit: "ms", "kB", "calls", …
        note: What else is to be said, such as the words of an error.
    """

    axis: str
    what: str
    size: int
    of: str
    value: float
    unit: str
    note: str = ""

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What makes two figures the same one, measured twice."""
        return (self.axis, self.what, self.size, self.unit)


def processor() -> float:
    """Seconds of processor time of this process and of its children that have ended.

    Not of the clock on the wall: what else the machine does would be in the figure.
    """
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def processor_of(pid: int) -> float:
    """Seconds of processor time that a process used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def milliseconds(call: Callable[[], Any], rounds: int = 3) -> float:
    """The least processor time of a call, of some rounds."""
    taken = []
    for _ in range(rounds):
        started = processor()
        call()
        taken.append(processor() - started)
    return min(taken) * 1000


def load() -> tuple[dict[str, Any], list[Figure], list[Figure]]:
    """What is kept: about the measurement of each axis, the figures, and those of the code before the mends."""
    if not RESULTS.is_file():
        return {}, [], []
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))
    return kept["about"], [Figure(**row) for row in kept["figures"]], [Figure(**row) for row in kept["before"]]


def keep(axis: str, about: dict[str, Any], found: Iterable[Figure], *, before: bool) -> None:
    """Put the figures of an axis in the place of all that were kept of it.

    Args:
        axis: Its name.
        about: When it was measured, for how long, and what else the machine did.
        found: All of its figures, of one run.
        before: They are those of the code before the mends.
    """
    known, figures, earlier = load()
    if before:
        earlier = [f for f in earlier if f.axis != axis] + list(found)
    else:
        figures = [f for f in figures if f.axis != axis] + list(found)
        known[axis] = about
    rows = {
        "about": known,
        "figures": [_row(f) for f in sorted(figures, key=lambda f: f.axis)],
        "before": [_row(f) for f in sorted(earlier, key=lambda f: f.axis)],
    }
    RESULTS.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _row(figure: Figure) -> dict[str, Any]:
    return {**dataclasses.asdict(figure), "value": round(figure.value, 3)}
