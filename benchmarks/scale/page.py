"""The page on limits, docs/scale.md, from the figures that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import extrapolation
from .figures import Figure, load
from .limits import LIMITS, MENDED, Limit

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
NOT_MEASURED = "not measured"
BEFORE = "ffd4e5f"
"""The commit at which the figures before the mends were measured, once."""

COSTS = {
    "ledgers": "Runs in the ledger",
    "sweeps": "Jobs on a cluster",
    "servers": "Servers and users",
    "logs": "Logs",
}


def written() -> str:
    """The whole page."""
    about, figures, before = load()
    parts = [
        "# How far it goes",
        "",
        "What breaks first when ledgers, sweeps, users and logs are a hundred times those of a desk. Written by `python -m "
        "benchmarks.scale`: every number in the tables is of `benchmarks/scale/results.json`, computed from it, or a number of "
        'the code; the column "how" tells which.',
        "",
        "Times are processor time of quantgate and its children, not of the clock, unless the unit says s. Ledgers are synthetic "
        "rows of the real schema. Sweeps run against a replayed scheduler: real commands in a real shell, with the kernel's limits "
        "on arguments, and `squeue` and `sacct` that print rows as wide as the real ones. 1 TB of logs is names of one file of "
        "1 GB, read anew each time. Servers are real processes, busy ones each asked by a client that does nothing else. A look's "
        "cost for Slurm's daemons is that of a real Slurm of one node.",
        "",
        "| axis | measured on | machine | minutes | load when it began |",
        "| --- | --- | --- | --- | --- |",
        *(_measured(title, about.get(axis, {})) for axis, title in COSTS.items()),
        "",
        "## Limits",
        "",
        extrapolation.RULE,
        "",
        "| what | measured up to | cost there | breaks at | how | what happens then | what to do |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_limit(limit, figures) for limit in LIMITS),
        "",
        "## What broke first, and was mended",
        "",
        f'"Before" was measured once, at the commit {BEFORE}, beside much other work, and is kept as it was.',
        "",
        "| what | before | now |",
        "| --- | --- | --- |",
        *(f"| {what} | {_shown(before, key)} | {_shown(figures, key)} |" for what, key in MENDED),
        "",
        "## Cost by size",
    ]
    for axis, title in COSTS.items():
        parts += ["", f"### {title}", "", *_costs([f for f in figures if f.axis == axis])]
    return "\n".join(parts) + "\n"


def _measured(title: str, about: dict[str, Any]) -> str:
    cells = [str(about.get(name, NOT_MEASURED)) for name in ("measured", "machine", "minutes", "load")]
    return f"| {title} | {' | '.join(cells)} |"


def _limit(limit: Limit, figures: Sequence[Figure]) -> str:
    points = extrapolation.of(figures, limit.cost)
    reached = f"{points[-1].size:,} {points[-1].of}" if points else NOT_MEASURED
    reached += " (extrapolated)" if "extrapolated" in limit.cost[1] else ""
    cost = f"{_number(points[-1].value)} {points[-1].unit}" if points else NOT_MEASURED
    breaks, how = limit.breaks(figures)
    return f"| {limit.what} | {reached} | {cost} | {breaks} | {how} | {limit.then} | {limit.do} |"


def _shown(figures: Sequence[Figure], key: tuple[str, str, int, str]) -> str:
    found = next((f for f in figures if f.key == key), None)
    if found is None:
        return NOT_MEASURED
    if found.value < 0:
        return f"no answer ({found.note})"
    return f"{_number(found.value)} {found.unit}" + (f" ({found.note})" if found.note else "")


def _costs(figures: Sequence[Figure]) -> list[str]:
    """A line for each quantity, its sizes side by side."""
    lines = ["| what | unit | by size |", "| --- | --- | --- |"]
    rows: dict[tuple[str, str], list[Figure]] = {}
    for figure in figures:
        rows.setdefault((figure.what, figure.unit), []).append(figure)
    for (what, unit), found in rows.items():
        cells = "; ".join(
            f"{f.size:,} {f.of}: {_number(f.value) if f.value >= 0 else 'no answer'}"
            for f in sorted(found, key=lambda f: f.size)
        )
        lines.append(f"| {what} | {unit} | {cells} |")
    return lines


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2g}"
