"""A caller's own regular expression over logs: given to grep as data, which does not backtrack, so that none hangs a machine."""

from __future__ import annotations

import re
import subprocess

from ...errors import BadInput, StorageError
from ..scanner.reading import grep_command, grep_environment

PATTERN_CLASS = "pattern"
MAX_PATTERN = 200
_CHECK_SECONDS = 10.0
_CHECK_KILOBYTES = 1_000_000
_BACK_REFERENCE = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]")


def checked(pattern: str) -> str:
    """A pattern that grep takes.

    Args:
        pattern: An extended regular expression; empty for none.

    Raises:
        BadInput: It is too long, holds a control character or a back-reference, or grep does not accept it.
        StorageError: There is no grep on this machine.
    """
    if len(pattern) > MAX_PATTERN or any(ord(c) < 32 for c in pattern):
        raise BadInput(f"The pattern is one line of at most {MAX_PATTERN} characters", fix="shorten it")
    if _BACK_REFERENCE.search(pattern):
        raise BadInput("The pattern holds a back-reference, which can take for ever", fix="write it without one")
    if not pattern:
        return pattern
    try:
        done = subprocess.run(
            grep_command(f"ulimit -v {_CHECK_KILOBYTES} 2>/dev/null;", "-aiE", "-e", pattern),
            input=b"a\n",
            capture_output=True,
            check=False,
            timeout=_CHECK_SECONDS,
            env=grep_environment(),
        )
    except subprocess.TimeoutExpired:
        raise BadInput("The pattern takes grep too long", fix="write a simpler one, with smaller repetitions") from None
    except OSError as error:
        why = f"This machine cannot start grep: {error.strerror}"
        raise StorageError(why, fix="end other programs, or leave `pattern` empty") from None
    if done.returncode == 127:
        raise StorageError("There is no grep on this machine", fix="install it, or leave `pattern` empty")
    if done.returncode not in {0, 1}:
        said = done.stderr.decode("utf-8", "replace").strip()[:200]
        raise BadInput("grep does not accept the pattern", where=said, fix="give an extended regular expression")
    return pattern
