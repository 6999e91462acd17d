"""What a benchmark finds: rows for the table, growth for the pictures; and how two sides are measured in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

Reading = Literal["cost", "speed", "value"]
"""How a row is read.

- cost: ratio = ours / theirs, held to at most the limit.
- speed: ratio = theirs / ours, held to at least the limit.
- value: our figure itself is held to at most the limit; a ratio, if any, only says how it compares.
"""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        key: Stable name within its benchmark.
        what: What quantgate does.
        against: What a user would do instead; "none" when there is nothing.
        ours: Median of quantgate's rounds, in `unit`.
        theirs: Median of the other's; None without another.
        unit: "s", "ms", "MB" or "%".
        ratio: Median of the rounds' ratios, as `reads` says; None without another.
        spread: Lowest and highest of what is held to the limit, over the rounds.
        rounds: How many.
        reads: How the row is read.
        limit: The bound; None where nothing is claimed.
        note: What a reader must know.
    """

    key: str
    what: str
    against: str
    ours: float
    theirs: float | None
    unit: str
    ratio: float | None
    spread: tuple[float, float]
    rounds: int
    reads: Reading
    limit: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the bound holds; None without one."""
        if self.limit is None:
            return None
        if self.reads == "value":
            return self.ours <= self.limit
        assert self.ratio is not None
        return self.ratio <= self.limit if self.reads == "cost" else self.ratio >= self.limit


@dataclass(frozen=True)
class Point:
    """One size of a growth: what it is called, how large it is, and the figure of each line at it."""

    label: str
    size: float
    figures: dict[str, float]


@dataclass(frozen=True)
class Growth:
    """How cost grows with one quantity: 1, 10 and 100 times.

    Attributes:
        key: The picture is docs/images/growth-KEY.svg.
        title: What is measured.
        quantity: What grows.
        unit: Of the figures.
        points: From small to large.
    """

    key: str
    title: str
    quantity: str
    unit: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Result:
    """What one benchmark found."""

    rows: tuple[Row, ...]
    growths: tuple[Growth, ...] = field(default=())


@dataclass(frozen=True)
class Effort:
    """How much is done: everything, or (`quick`) enough to see that the benchmark works."""

    quick: bool = False

    def rounds(self, full: int = 5) -> int:
        """Rounds of a measurement that has so many when it counts."""
        return 2 if self.quick else full

    def size(self, full: int, quick: int) -> int:
        """A size that is smaller when it does not count."""
        return quick if self.quick else full


def seconds(call: Callable[[], object]) -> float:
    """Wall time of a call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def in_turn(sides: Sequence[Callable[[], float]], rounds: int) -> list[tuple[float, ...]]:
    """The figures of the sides, round by round; every other round goes backwards, so that no side is always the first."""
    found = []
    for number in range(rounds):
        order = range(len(sides)) if number % 2 == 0 else reversed(range(len(sides)))
        figures = {side: sides[side]() for side in order}
        found.append(tuple(figures[side] for side in range(len(sides))))
    return found


def timed(*calls: Callable[[], object]) -> list[Callable[[], float]]:
    """Sides for `in_turn` that tell the wall time of calls, in seconds."""
    return [partial(seconds, call) for call in calls]


def compared(
    key: str,
    what: str,
    against: str,
    figures: Sequence[Sequence[float]],
    *,
    unit: str = "s",
    reads: Reading = "cost",
    limit: float | None = None,
    note: str = "",
) -> Row:
    """A row of paired figures (ours, theirs), both in `unit`."""
    ratios = [theirs / ours if reads == "speed" else ours / theirs for ours, theirs in figures]
    ours, theirs = (statistics.median(column) for column in zip(*figures, strict=True))
    held = [pair[0] for pair in figures] if reads == "value" else ratios
    spread = (min(held), max(held))
    return Row(
        key, what, against, ours, theirs, unit, statistics.median(ratios), spread, len(figures), reads, limit, note
    )


def alone(
    key: str, what: str, figures: Sequence[float], *, unit: str = "s", limit: float | None = None, note: str = ""
) -> Row:
    """A row of what nobody else does."""
    spread = (min(figures), max(figures))
    median = statistics.median(figures)
    return Row(key, what, "none", median, None, unit, None, spread, len(figures), "value", limit, note)


def milliseconds(figures: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """Seconds as milliseconds."""
    return [tuple(1000 * figure for figure in line) for line in figures]
