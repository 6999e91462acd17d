"""Where something would break that no measurement reached, and the rule by which that is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .figures import Figure

Key = tuple[str, str, str]
"""(axis, what, unit)."""
RULE = (
    "An extrapolated size is the largest measured one, grown until its cost reaches the limit: in proportion to the size, or by "
    "the growth between the two largest measured sizes where that is steeper. Two digits of it count."
)


def of(figures: Sequence[Figure], key: Key) -> list[Figure]:
    """The figures of a quantity that gave an answer, the smallest size first."""
    found = [f for f in figures if (f.axis, f.what, f.unit) == key and f.value >= 0]
    return sorted(found, key=lambda f: f.size)


def power(points: Sequence[Figure]) -> float:
    """By which power of the size the cost grows between the two largest sizes; 1 at least, and with one size."""
    if len(points) < 2 or points[-2].value <= 0 or points[-1].value <= 0:
        return 1.0
    first, last = points[-2:]
    return max(1.0, math.log(last.value / first.value) / math.log(last.size / first.size))


def reached(points: Sequence[Figure], limit: float) -> int:
    """The size at which the cost reaches a limit, by `RULE`; 0 without a cost that could grow."""
    if not points or points[-1].value <= 0:
        return 0
    last = points[-1]
    return rounded(last.size * (limit / last.value) ** (1 / power(points)))


def rounded(size: float) -> int:
    """Two digits of a size."""
    if size < 1:
        return 0
    step: int = 10 ** max(0, int(math.log10(size)) - 1)
    return int(size / step) * step


def told(points: Sequence[Figure]) -> str:
    """The rule with the power that was used."""
    if not points:
        return "extrapolated"
    used = power(points)
    grown = "in proportion" if used < 1.05 else f"by the size to the power of {used:.1f}"
    return f"extrapolated from {points[-1].size:,} {points[-1].of}, {grown}"
