"""What the standard streams can show."""

from __future__ import annotations

import io
import os
import sys


def speak_utf8() -> None:
    """Write UTF-8 to files and pipes on every system, and never fail on a letter that a terminal's code page lacks.

    Windows writes to pipes in its code page otherwise, and whoever reads JSON expects UTF-8. PYTHONIOENCODING is the user's word
    and stays.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if _is_utf8(stream) or stream.isatty() or os.environ.get("PYTHONIOENCODING"):
            stream.reconfigure(errors="backslashreplace")
        else:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def speaks_utf8() -> bool:
    """Whether standard output can show every letter; else JSON must be written in ASCII, with its own escapes."""
    return not isinstance(sys.stdout, io.TextIOWrapper) or _is_utf8(sys.stdout)


def _is_utf8(stream: io.TextIOWrapper) -> bool:
    return stream.encoding.lower().replace("_", "-") in {"utf-8", "utf8"}
