"""docs/performance.md and its pictures, from what is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from . import NAMES, growth_plot, kept
from .measured import Growth, Result, Row

PAGE = kept.ROOT / "docs" / "performance.md"
IMAGES = kept.ROOT / "docs" / "images"
HEAD = """# Performance

<!-- Written by `make bench` (benchmarks/page.py) from benchmarks/results/*.json. -->

Every figure stands beside what a user would do instead, measured in turn in the same run. `make bench` measures all of them again,
`make bench BENCH=name` one. What is missed is written as missed. Absolute times belong to the machine; the ratios are the claim.

- Ratio: the median of the rounds' ratios, their lowest and highest in brackets. "30 × faster" is the other's time by ours;
  "0.95 ×" is ours by the other's.
- Warm: a call over stdio to a server that has answered such a call before. A command of `nel` is a process each time.
"""


def write() -> list[Path]:
    """Write the page and the pictures; what was written."""
    files = texts()
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return list(files)


def texts() -> dict[Path, str]:
    """The page and the pictures as they must be."""
    found = kept.everything()
    growths = [growth for one in found for growth in one.result.growths]
    pictures = {IMAGES / f"growth-{growth.key}.svg": growth_plot.svg(growth) for growth in growths}
    return {PAGE: "\n".join(_page(found, growths)) + "\n"} | pictures


def _page(found: list[kept.Kept], growths: list[Growth]) -> Iterator[str]:
    yield HEAD
    rows = [row for one in found for row in one.result.rows]
    bound = [row for row in rows if row.limit is not None]
    missed = [row for row in bound if not row.met]
    yield "## Claims\n"
    yield f"{len(bound) - len(missed)} of {len(bound)} bounds are met, {len(missed)} missed.\n"
    yield from _table(bound, bounded=True)
    yield "\n## Without a bound\n"
    yield from _table([row for row in rows if row.limit is None], bounded=False)
    yield "\n## How cost grows\n"
    yield "Both axes are logarithmic: a line that rises by one square per square grows as the quantity does.\n"
    for growth in growths:
        yield f"![{growth.title}: {_in_words(growth)}](images/growth-{growth.key}.svg)\n"
    yield "## How it was measured\n"
    yield "| benchmark | day | took | machine |\n| --- | --- | --- | --- |"
    if missing := [name for name in NAMES if name not in {one.name for one in found}]:
        yield f"| {', '.join(missing)} | not measured yet | | |"
    for one in found:
        yield f"| [{one.name}](../benchmarks/{one.name}.py) | {one.date} | {one.seconds} s | {one.machine} |"


def _table(rows: Iterable[Row], *, bounded: bool) -> Iterator[str]:
    more = (" bound |", " --- |") if bounded else ("", "")
    yield f"| what | compared with | quantgate | the other | ratio |{more[0]} rounds | {'met | ' if bounded else ''}note |"
    yield f"| --- | --- | --- | --- | --- |{more[1]} --- | {'--- | ' if bounded else ''}--- |"
    for row in rows:
        cells = [row.what, row.against, _figure(row.ours, row.unit), _other(row), _ratio(row)]
        cells += [_limit(row)] if bounded else []
        cells += [str(row.rounds)]
        cells += ["met" if row.met else "**missed**"] if bounded else []
        yield f"| {' | '.join([*cells, row.note])} |"


def spoken(result: Result) -> list[str]:
    """Its rows for a terminal."""
    lines = []
    for row in result.rows:
        verdict = "" if row.met is None else f"  bound {_limit(row)}: {'met' if row.met else 'MISSED'}"
        other = "" if row.theirs is None else f", {row.against} {_other(row)}: {_ratio(row)}"
        note = f" ({row.note})" if row.note else ""
        lines.append(f"  {row.what}: {_figure(row.ours, row.unit)}{other}{verdict}{note}")
    return lines


def _in_words(growth: Growth) -> str:
    last = growth.points[-1]
    figures = ", ".join(f"{name} {_figure(value, growth.unit)}" for name, value in last.figures.items())
    return f"at {last.label}, {figures}"


def _other(row: Row) -> str:
    return "" if row.theirs is None else _figure(row.theirs, row.unit)


def _ratio(row: Row) -> str:
    low, high = (_digits(value) for value in row.spread)
    if row.ratio is None:
        return f"({low} to {high} {row.unit})"
    if row.reads == "value":
        return f"{_digits(row.ratio)} ×"
    return f"{_digits(row.ratio)} × {'faster ' if row.reads == 'speed' else ''}({low} to {high})"


def _limit(row: Row) -> str:
    assert row.limit is not None
    sign, unit = {"cost": ("≤", "×"), "speed": ("≥", "×"), "value": ("≤", row.unit)}[row.reads]
    return f"{sign} {row.limit:g} {unit}"


def _figure(value: float, unit: str) -> str:
    return f"{_digits(value)} {unit}"


def _digits(value: float) -> str:
    """Three significant digits, never in powers of ten."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= 0.001 else f"{value:.1g}"
