"""Reading at a place of an open file, and grep, on every system: the scanner's own door to it, since it also travels alone."""

import os
import sys
import threading
from typing import Dict, List

OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A named pipe among the logs makes nobody wait, and no byte is changed."""

if sys.platform == "win32":
    _turn = threading.Lock()

    def read_at(descriptor: int, size: int, offset: int) -> bytes:
        """So many bytes from a place on; fewer at the file's end. The file's own position is for nobody else to use."""
        with _turn:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, size)

else:
    read_at = os.pread


def grep_command(limits: str, *flags: str) -> List[str]:
    """The words that start grep; where there is none, or one that tells other offsets (macOS), `plain_grep`.

    Args:
        limits: Lines of shell before it, of what it may use; they are for Linux.
        flags: Its arguments.
    """
    if sys.platform == "linux":
        return ["/bin/sh", "-c", limits + ' exec "$@"', "sh", "grep", *flags]
    return [sys.executable, "-I", os.path.join(os.path.dirname(__file__), "plain_grep.py"), *flags]


def grep_environment() -> Dict[str, str]:
    """The variables that grep gets."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    return dict(kept, LC_ALL="C", PATH="/usr/bin:/bin:/usr/local/bin")
