"""Remote command lines: built from argument lists and quoted here, once."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from ..errors import BadInput

MAX_WORD = 4096
MAX_DIGITS = 18
TIMED_OUT = frozenset({"124", "137"})
"""How a command ends that `timeout` ended, politely or with -k by force."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def operand(value: str, what: str) -> str:
    """A value from outside that becomes one argument of a remote program.

    Args:
        value: A path, an id, a name.
        what: What it is, for the message.

    Raises:
        BadInput: It is empty, begins with `-` (a program would read an option), holds a line break or another control
            character, or is over `MAX_WORD` characters.
    """
    if not value:
        raise BadInput(f"An empty {what} cannot be sent to a cluster", fix=f"give the {what}")
    if value.startswith("-"):
        raise BadInput(f"The {what} {value[:60]!r} begins with '-'", fix="a remote program would read it as an option")
    if _CONTROL.search(value):
        raise BadInput(f"The {what} {value[:60]!r} holds a line break or another control character", fix="remove it")
    if len(value) > MAX_WORD:
        raise BadInput(f"The {what} has {len(value)} characters", fix=f"at most {MAX_WORD} can be sent to a cluster")
    return value


def whole(text: str) -> int | None:
    """A whole number that a program on a cluster printed; None for anything else.

    `str.isdigit` also takes `²`, and Python's `int` refuses more than 4,300 digits: what is printed there is not trusted.
    """
    return int(text) if len(text) <= MAX_DIGITS and text.isascii() and text.isdigit() else None


def nanoseconds(text: str) -> int:
    """A time as `find` prints it (`1763740000.1234567890`), in nanoseconds since the epoch; 0 for what is none."""
    seconds, _, fraction = text.partition(".")
    sign, number = (-1, seconds[1:]) if seconds.startswith("-") else (1, seconds)
    return sign * (whole(number) or 0) * 10**9 + (whole(fraction[:9].ljust(9, "0")) or 0)


def line(argv: Sequence[str]) -> str:
    """One command line of a POSIX shell from a list of arguments."""
    return shlex.join(argv)
