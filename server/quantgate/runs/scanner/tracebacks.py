"""Reads Python tracebacks out of a log, line by line: the last frame and the message."""

import re
from typing import NamedTuple, Optional

START = "Traceback (most recent call last)"
MAX_LINES = 400
"""A traceback that does not end within so many lines is not waited for."""

_FRAME = re.compile(r'File "([^"]{1,300})", line (\d{1,7}), in (\S{1,200})')


class RaisedException(NamedTuple):
    """A traceback's end: the exception's line, and the last frame ("runner.py:12 in main"; empty without one)."""

    message: str
    frame: str

    def __str__(self) -> str:
        return f"{self.message} ({self.frame})" if self.frame else self.message


class TracebackReader:
    """Fed the lines of one log in order; remembers where it is inside a traceback."""

    def __init__(self) -> None:
        self._inside = False
        self._prefix = ""
        self._frame = ""
        self._lines = 0

    @property
    def inside(self) -> bool:
        """Whether the next line may belong to a traceback."""
        return self._inside

    def feed(self, line: str) -> Optional[RaisedException]:
        """Take a decoded line; the traceback's end when this line is it."""
        if START in line:
            self._inside, self._prefix, self._frame, self._lines = True, line[: line.index(START)], "", 0
            return None
        if not self._inside:
            return None
        self._lines += 1
        # A prefix (a worker's label, srun's task number) stands before each line of the traceback too.
        body = line[len(self._prefix) :] if self._prefix and line.startswith(self._prefix) else line
        frame = _FRAME.search(body)
        if frame is not None:
            self._frame = "{}:{} in {}".format(frame.group(1).rsplit("/", 1)[-1], frame.group(2), frame.group(3))
        elif body.strip() and not body[0].isspace() and not body.startswith(("|", "+")):
            self._inside = False
            return RaisedException(body.strip(), self._frame)
        if self._lines >= MAX_LINES:
            self._inside = False
        return None
