"""The picture of a growth as SVG: both axes logarithmic, one line per side, text that can be selected, light and dark ground."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from html import escape

from .measured import Growth

WIDTH, HEIGHT = 560, 320
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 44, 50
COLOURS = ("#1a7f37", "#8250df", "#bc4c00", "#0969da")
"""Green is ours; each can be read on white and on the dark ground."""
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 14px; font-weight: 600 }
.ground { fill: #ffffff }
.grid { stroke: #d1d9e0 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .ground { fill: #0d1117 }
  .grid { stroke: #3d444d }
  .line0 { stroke: #3fb950; fill: #3fb950 }
  .line1 { stroke: #a371f7; fill: #a371f7 }
  .line2 { stroke: #db6d28; fill: #db6d28 }
  .line3 { stroke: #58a6ff; fill: #58a6ff }
}
"""


def svg(growth: Growth) -> str:
    """The picture; the same figures give the same text."""
    return "\n".join(_drawn(growth)) + "\n"


def _drawn(growth: Growth) -> Iterator[str]:
    figures = [value for point in growth.points for value in point.figures.values()]
    low, high = math.floor(math.log10(min(figures))), math.ceil(math.log10(max(figures)))
    high = max(high, low + 1)
    sizes = [math.log10(point.size) for point in growth.points]

    def across(size: float) -> float:
        share = (math.log10(size) - sizes[0]) / (sizes[-1] - sizes[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def up(figure: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(figure) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
    yield f"<title>{escape(growth.title)}</title>"
    yield f"<style>{STYLE}</style>"
    yield f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>'
    yield f'<text class="title" x="{LEFT}" y="22">{escape(growth.title)}</text>'
    for power in range(low, high + 1):
        y = up(10.0**power)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_tick(10.0**power, growth.unit)}</text>'
    for point in growth.points:
        x = across(point.size)
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}"/>'
        yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{escape(point.label)}</text>'
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{HEIGHT - 12}" text-anchor="middle">{escape(growth.quantity)}</text>'
    yield from _lines(growth, across, up)
    yield "</svg>"


def _lines(growth: Growth, across: Callable[[float], float], up: Callable[[float], float]) -> Iterator[str]:
    names = list(growth.points[-1].figures)
    places = _apart([up(growth.points[-1].figures[name]) for name in names])
    for number, (name, place) in enumerate(zip(names, places, strict=True)):
        colour, kind = COLOURS[number % len(COLOURS)], f"line{number % len(COLOURS)}"
        at = [(across(p.size), up(p.figures[name])) for p in growth.points if name in p.figures]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        yield f'<polyline class="{kind}" points="{path}" stroke="{colour}" style="fill: none" stroke-width="2"/>'
        for x, y in at:
            yield f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
        last = growth.points[-1].figures[name]
        yield f'<text x="{WIDTH - RIGHT + 10}" y="{place + 4:.1f}">{escape(name)}</text>'
        yield f'<text x="{WIDTH - RIGHT + 10}" y="{place + 18:.1f}">{_tick(last, growth.unit)}</text>'


def _apart(places: list[float], room: float = 32) -> list[float]:
    """The same places, moved down where two names would lie upon each other, and up again from the lower edge."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    for before, after in itertools.pairwise(order):
        moved[after] = max(moved[after], moved[before] + room)
    over = max(0.0, moved[order[-1]] - (HEIGHT - BOTTOM))
    return [place - over for place in moved]


def _tick(value: float, unit: str) -> str:
    if unit == "s" and value < 1:
        return f"{_short(value * 1000)} ms"
    return f"{_short(value)} {unit}"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"
