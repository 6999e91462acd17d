"""Draws layers of boxes and the lines between them as an SVG file.

Lines that end at the same box are one line from where they meet. The order in a row is the one with the fewest crossings that
sweeping by the neighbours' means finds; places are the nearest to the neighbours that keep the distances. Nothing is drawn by
chance: the same graph gives the same file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

BOX_WIDTH, BOX_HEIGHT = 124, 30
ROW = 66
"""From the top of a row to the top of the next."""
GAP = 22
LANE = 14
"""Between two lines, or a line and a box, that pass each other."""
MARGIN = 20
SWEEPS = 60

STYLE = """
.ground { fill: #ffffff } .box { fill: #eef3fa; stroke: #49688f } .line { fill: none; stroke: #6d7f96; stroke-width: 1.2 }
.head { fill: #6d7f96 } text { fill: #16202c; font: 14px ui-monospace, Menlo, Consolas, monospace; text-anchor: middle }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117 } .box { fill: #1b2735; stroke: #7f9cc0 } .line { stroke: #8496ad } .head { fill: #8496ad }
  text { fill: #e6edf3 }
}
""".strip()


@dataclass(frozen=True)
class Spot:
    """A box, or the place where the lines to a box pass another row."""

    row: int
    name: str
    box: bool

    @property
    def half(self) -> float:
        """Half of its width, with the distance that it keeps."""
        return (BOX_WIDTH + GAP) / 2 if self.box else LANE / 2


Links = dict[Spot, set[Spot]]


def _spots(layers: Sequence[Sequence[str]], edges: Mapping[str, Sequence[str]]) -> tuple[list[list[Spot]], Links]:
    """The spots of each row, and each spot's next ones in the row below."""
    row_of = {name: row for row, layer in enumerate(layers) for name in layer}
    rows = [[Spot(row, name, True) for name in layer] for row, layer in enumerate(layers)]
    below: Links = {spot: set() for row in rows for spot in row}
    for name, others in edges.items():
        for other in others:
            here = Spot(row_of[name], name, True)
            for row in range(row_of[name] + 1, row_of[other] + 1):
                there = Spot(row, other, row == row_of[other])
                if there not in below:
                    below[there] = set()
                    rows[row].append(there)
                below[here].add(there)
                here = there
    return rows, below


def _upwards(below: Links) -> Links:
    above: Links = {spot: set() for spot in below}
    for spot, others in below.items():
        for other in others:
            above[other].add(spot)
    return above


def _crossings(rows: list[list[Spot]], below: Links) -> int:
    count = 0
    for upper, lower in pairwise(rows):
        place = {spot: i for i, spot in enumerate(lower)}
        ends = [place[o] for spot in upper for o in sorted(below[spot], key=place.__getitem__)]
        count += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return count


def _mean(spots: set[Spot], place: Mapping[Spot, float], otherwise: float) -> float:
    return sum(place[spot] for spot in spots) / len(spots) if spots else otherwise


def _ordered(rows: list[list[Spot]], below: Links) -> list[list[Spot]]:
    above = _upwards(below)
    best, fewest = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        place = {spot: (i + 0.5) / len(row) for row in rows for i, spot in enumerate(row)}
        for row in rows if down else reversed(rows):
            means = {spot: _mean((above if down else below)[spot], place, place[spot]) for spot in row}
            row.sort(key=means.__getitem__)
            place.update({spot: (i + 0.5) / len(row) for i, spot in enumerate(row)})
        _swapped(rows, below)
        if (count := _crossings(rows, below)) < fewest:
            best, fewest = [list(row) for row in rows], count
    return best


def _swapped(rows: list[list[Spot]], below: Links) -> None:
    """Neighbours change places where that takes a crossing away."""
    for index, row in enumerate(rows):
        around = rows[max(index - 1, 0) : index + 2]
        for i in range(len(row) - 1):
            before = _crossings(around, below)
            row[i], row[i + 1] = row[i + 1], row[i]
            if _crossings(around, below) >= before:
                row[i], row[i + 1] = row[i + 1], row[i]


def _settled(row: list[Spot], wished: list[float]) -> list[float]:
    """The places nearest to those wished, in this order and with the distances kept (pool adjacent violators)."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + left.half + right.half)
    blocks: list[tuple[float, float, int]] = []
    for spot, wish, offset in zip(row, wished, offsets, strict=True):
        # A bend in a line is worse than a box that stands a little aside.
        weight, value, size = (1.0 if spot.box else 4.0), wish - offset, 1
        while blocks and blocks[-1][1] > value:
            other_weight, other_value, other_size = blocks.pop()
            value = (weight * value + other_weight * other_value) / (weight + other_weight)
            weight, size = weight + other_weight, size + other_size
        blocks.append((weight, value, size))
    values = [value for _, value, size in blocks for _ in range(size)]
    return [value + offset for value, offset in zip(values, offsets, strict=True)]


def _placed(rows: list[list[Spot]], below: Links) -> dict[Spot, float]:
    """The middle of each spot, from the left."""
    above = _upwards(below)
    x = {spot: place for row in rows for spot, place in zip(row, _settled(row, [0.0] * len(row)), strict=True)}
    for sweep in range(SWEEPS):
        near = (above, below)[sweep % 2]
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wished = [_mean(near[s] or (above[s] | below[s]), x, x[s]) for s in row]
            x.update(zip(row, _settled(row, wished), strict=True))
    least = min(place - spot.half for spot, place in x.items())
    return {spot: place - least + MARGIN for spot, place in x.items()}


def _line(start: Spot, end: Spot, x: Mapping[Spot, float]) -> str:
    top = MARGIN + start.row * ROW + BOX_HEIGHT
    bottom = MARGIN + end.row * ROW - (5 if end.box else 0)
    middle = (top + bottom) / 2
    path = f"M{x[start]:.0f} {top}C{x[start]:.0f} {middle:.0f} {x[end]:.0f} {middle:.0f} {x[end]:.0f} {bottom}"
    # A line that passes a row goes straight through the height of its boxes.
    return path if end.box else f"{path}V{bottom + BOX_HEIGHT}"


def picture(layers: Sequence[Sequence[str]], edges: Mapping[str, Sequence[str]], shown: Mapping[str, str]) -> str:
    """The picture as SVG, whose text can be selected.

    Args:
        layers: The names of each row, from the top.
        edges: What each name has a line to; always in a row further down.
        shown: What stands in each box.
    """
    rows, below = _spots(layers, edges)
    rows = _ordered(rows, below)
    x = _placed(rows, below)
    lines = [
        f'<path class="line" d="{_line(Spot(s.row, s.name, s.box), o, x)}"/>'
        for row in rows
        for s in row
        for o in sorted(below[s], key=x.__getitem__)
    ]
    boxes, heads = [], []
    for spot in (spot for row in rows for spot in row if spot.box):
        left, top, middle = x[spot] - BOX_WIDTH / 2, MARGIN + spot.row * ROW, x[spot]
        boxes.append(f'<rect class="box" x="{left:.0f}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5"/>')
        boxes.append(f'<text x="{middle:.0f}" y="{top + BOX_HEIGHT - 10}">{escape(shown[spot.name])}</text>')
        if any(spot in others for others in below.values()):
            heads.append(f'<path class="head" d="M{middle:.0f} {top}l-4 -7h8z"/>')
    width = max(place + spot.half for spot, place in x.items()) + MARGIN
    height = 2 * MARGIN + (len(rows) - 1) * ROW + BOX_HEIGHT
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'viewBox="0 0 {width:.0f} {height}" role="img">'
    )
    title = (
        "<title>The rooms of quantgate in their layers; a line leads from a room to one that it imports from</title>"
    )
    ground = '<rect class="ground" width="100%" height="100%"/>'
    return "\n".join([head, title, f"<style>{STYLE}</style>", ground, *lines, *heads, *boxes, "</svg>", ""])
