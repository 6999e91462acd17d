"""A log as a stream of bounded pieces of lines, so that a 10 GB file or a line without an end costs no memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

CHUNK_BYTES = 1 << 20
PIECE_BYTES = 64 * 1024
WINDOW_BYTES = 8 * 1024
"""How much of a longer line is looked at around a literal."""
OVERLAP_BYTES = 512
"""How much two pieces of one long line share, so that what the cut divides is seen whole."""


@dataclass(frozen=True)
class Piece:
    """A line, or a part of one that is too long.

    Attributes:
        line: The line's number, from 1.
        raw: Its bytes without the newline.
    """

    line: int
    raw: bytes


@dataclass(frozen=True)
class Block:
    """Successive pieces of a file, and a lower-case copy of their bytes to search in."""

    first_line: int
    raw: bytes
    folded: bytes

    def pieces(self) -> Iterator[Piece]:
        """The block's lines, the long ones in pieces."""
        for offset, line in enumerate(self.raw.split(b"\n")):
            if not line:
                continue
            for start in range(0, max(1, len(line) - OVERLAP_BYTES), PIECE_BYTES - OVERLAP_BYTES):
                yield Piece(self.first_line + offset, line[start : start + PIECE_BYTES])

    def find(self, anchors: Mapping[bytes, T]) -> Iterator[tuple[Piece, set[T]]]:
        """The lines that hold lower-case literals, in order, with what these stand for; of a long line what is around them.

        Searching the block for each literal is many times faster than asking every line for all of them.
        """
        found: dict[tuple[int, int], set[T]] = {}
        for anchor, meaning in anchors.items():
            at = self.folded.find(anchor)
            while at >= 0:
                end = self.folded.find(b"\n", at)
                end = len(self.folded) if end < 0 else end
                start = self.folded.rfind(b"\n", 0, at) + 1
                if end - start > WINDOW_BYTES:
                    start, end = max(start, at - WINDOW_BYTES // 2), min(end, at + WINDOW_BYTES // 2)
                found.setdefault((start, end), set()).add(meaning)
                at = self.folded.find(
                    anchor, max(end - OVERLAP_BYTES, at + 1) if end - at == WINDOW_BYTES // 2 else end
                )
        line, seen = self.first_line, 0
        for (start, end), meanings in sorted(found.items()):
            line, seen = line + self.raw.count(b"\n", seen, start), start
            yield Piece(line, self.raw[start:end]), meanings


def read_blocks(path: Path, limit: int) -> Iterator[Block]:
    """The file in blocks of about a megabyte that end with a line where they can; a block never splits a short line.

    Args:
        path: The log.
        limit: Stop after so many bytes (what a growing file had when it was opened).
    """
    line, rest, left = 1, b"", limit
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            data = rest + chunk
            cut = data.rfind(b"\n") + 1
            if cut == 0:
                if len(data) < CHUNK_BYTES:
                    rest = data
                    continue
                # A line longer than a block: keep the overlap, stay on the same line number.
                cut, keep = len(data), len(data) - OVERLAP_BYTES
            else:
                keep = cut
            block = data[:cut]
            yield Block(line, block, block.lower())
            line += block.count(b"\n")
            rest = data[keep:]
        if rest:
            yield Block(line, rest, rest.lower())
