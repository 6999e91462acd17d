"""A part of a log on its way to grep: long lines in pieces, zeros left out, each byte's place in the file kept."""

import errno
import os
import time
from bisect import bisect_right
from typing import IO, Iterator, List, Sequence, Tuple

from .reading import read_at

CHUNK = 1 << 20
PIECE = 64 * 1024
"""A longer line goes to grep in pieces, so that no line costs memory."""
OVERLAP = 512
"""How much two pieces of one long line share, so that what the cut divides is seen whole."""
_ZEROS = bytes(CHUNK)


class Places:
    """From a byte of the stream to its byte in the file, and from that to the number of its line."""

    def __init__(self, start: int) -> None:
        self._stream = [0]
        self._shift = [start]
        self._line = [start]
        self._chunks: List[int] = []
        self._newlines = [0]

    def shifted(self, stream: int, file: int, line: int) -> None:
        """From this byte of the stream on, the file's bytes are those from `file` on, in the line that begins at `line`."""
        self._shift.append(file - stream)
        self._line.append(line)
        self._stream.append(stream)

    def counted(self, file: int, newlines: int) -> None:
        """A chunk of the file that begins at `file` holds so many newlines."""
        self._chunks.append(file)
        self._newlines.append(self._newlines[-1] + newlines)

    @property
    def newlines(self) -> int:
        """In all of this part of the file."""
        return self._newlines[-1]

    def in_file(self, stream: int) -> int:
        """The byte of the file that a byte of the stream was."""
        return stream + self._shift[bisect_right(self._stream, stream) - 1]

    def line_start(self, stream: int) -> int:
        """Where the line begins in the file whose piece begins at a byte of the stream."""
        index = bisect_right(self._stream, stream) - 1
        return self._line[index] if self._stream[index] == stream else stream + self._shift[index]

    def line(self, descriptor: int, at: int) -> int:
        """How many newlines of this part stand before a byte of the file."""
        index = bisect_right(self._chunks, at) - 1
        if index < 0:
            return 0
        begin = self._chunks[index]
        return self._newlines[index] + read_at(descriptor, at - begin, begin).count(b"\n")


class Feed:
    """Writes the bytes from `start` to `end` of an open file to several pipes.

    Attributes:
        places: Filled while it runs.
        read: Bytes of the file that were looked at or are known to be zeros.
        cut: The time was up before the end.
    """

    def __init__(self, descriptor: int, start: int, end: int, deadline: float) -> None:
        self.places = Places(start)
        self.read = 0
        self.cut = False
        self._descriptor, self.start, self._end, self._deadline = descriptor, start, end, deadline
        self._written = 0

    def run(self, pipes: Sequence[IO[bytes]]) -> None:
        """Feed all of it and close the pipes; one whose reader has ended is left out from then on."""
        open_pipes = list(pipes)
        try:
            for chunk in self._pieces():
                self._written += len(chunk)
                for pipe in list(open_pipes):
                    try:
                        pipe.write(chunk)
                    except OSError:
                        open_pipes.remove(pipe)
                if not open_pipes:
                    return
        finally:
            for pipe in pipes:
                try:
                    pipe.close()
                except OSError:
                    continue

    def _pieces(self) -> Iterator[bytes]:
        since, line = 0, self.start
        for at, chunk in self._chunks():
            self.places.counted(at, chunk.count(b"\n"))
            begin = 0
            for cut in _cuts(chunk, since):
                yield chunk[begin:cut] + b"\n"
                newline = chunk.rfind(b"\n", begin, cut)
                line = at + newline + 1 if newline >= 0 else line
                begin = max(0, cut - OVERLAP)
                self.places.shifted(self._written, at + begin, line)
            yield chunk[begin:] if begin else chunk
            last = chunk.rfind(b"\n")
            line = at + last + 1 if last >= 0 else line
            since = len(chunk) - (last + 1 if last >= begin else begin) + (since if last < 0 and not begin else 0)

    def _chunks(self) -> Iterator[Tuple[int, bytes]]:
        at, skipped = self.start, False
        while at < self._end:
            if time.monotonic() > self._deadline:
                self.cut = True
                return
            begin = self._data_after(at)
            chunk = read_at(self._descriptor, min(CHUNK, self._end - begin), begin) if begin < self._end else b""
            self.read = min(begin, self._end) + len(chunk) - self.start
            if not chunk:
                return
            zeros = chunk == (_ZEROS if len(chunk) == CHUNK else _ZEROS[: len(chunk)])
            if not zeros:
                if skipped or begin > at:
                    self.places.shifted(self._written, begin, begin)
                    skipped = False
                yield begin, chunk
            skipped = skipped or zeros
            at = begin + len(chunk)

    def _data_after(self, at: int) -> int:
        """Where the file's next bytes are that are not a hole."""
        if not hasattr(os, "SEEK_DATA"):
            return at
        try:
            return max(at, os.lseek(self._descriptor, at, os.SEEK_DATA))
        except OSError as error:
            return self._end if error.errno == errno.ENXIO else at


def _cuts(chunk: bytes, since: int) -> Iterator[int]:
    """Where a newline is to be put in so that no line is longer than a piece.

    Args:
        chunk: The bytes.
        since: Bytes of its first line that went before it.
    """
    at, room = 0, max(1, PIECE - since)
    while at + room < len(chunk):
        newline = chunk.rfind(b"\n", at, at + room)
        if newline >= 0:
            at, room = newline + 1, PIECE
        else:
            at += room
            yield at
            room = PIECE - OVERLAP


def parts(descriptor: int, size: int, most: int, least_bytes: int) -> List[Tuple[int, int]]:
    """A file in parts that begin with a line, to be read side by side; one part where the lines are too long or it is small."""
    count = max(1, min(most, size // least_bytes))
    edges = [0]
    for number in range(1, count):
        near = size // count * number
        newline = read_at(descriptor, PIECE, near).find(b"\n")
        if newline < 0:
            return [(0, size)]
        edges.append(near + newline + 1)
    return list(zip(edges, [*edges[1:], size]))
