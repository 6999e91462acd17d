"""What the scanner needs of grep, for Windows, which has none: run as a child, because an expression of the user's may never end.

Knows `-a -b -i -E -m NUMBER -e EXPRESSION`, says `OFFSET:LINE` or `LINE`, and exits as grep does: 0 with a match, 1 without, 2 when
the expression is none.
"""

import re
import sys
from typing import BinaryIO, List, Pattern

_CLASSES = {
    b"[:digit:]": rb"0-9",
    b"[:alpha:]": rb"a-zA-Z",
    b"[:alnum:]": rb"a-zA-Z0-9",
    b"[:upper:]": rb"A-Z",
    b"[:lower:]": rb"a-z",
    b"[:space:]": rb"\s",
    b"[:blank:]": rb" \t",
    b"[:punct:]": rb"!-/:-@\[-`{-~",
    b"[:xdigit:]": rb"0-9a-fA-F",
    b"[:cntrl:]": rb"\x00-\x1f\x7f",
    b"[:print:]": rb" -~",
    b"[:graph:]": rb"!-~",
}


def compiled(expression: str) -> "Pattern[bytes]":
    """An extended regular expression as Python's, in the C locale, without regard to case.

    Raises:
        re.error: It is none.
    """
    raw = expression.encode("utf-8", "surrogateescape")
    for name, members in _CLASSES.items():
        raw = raw.replace(name, members)
    # What Python has beyond grep's language, such as (?…), is none of it.
    if b"(?" in raw:
        raise re.error("nothing to repeat")
    return re.compile(raw, re.IGNORECASE)


def grep(arguments: List[str], given: BinaryIO, out: BinaryIO) -> int:
    """Write the matching lines; returns grep's exit status."""
    offsets, most, expression = "b" in arguments[0], -1, ""
    rest = iter(arguments[1:])
    for option in rest:
        if option == "-m":
            most = int(next(rest))
        elif option == "-e":
            expression = next(rest)
    pattern = compiled(expression)
    found = offset = 0
    for line in given:
        if pattern.search(line.rstrip(b"\n")) and found != most:
            found += 1
            out.write((b"%d:" % offset if offsets else b"") + line.rstrip(b"\n") + b"\n")
        offset += len(line)
    out.flush()
    return 0 if found else 1


def main() -> int:
    try:
        return grep(sys.argv[1:], sys.stdin.buffer, sys.stdout.buffer)
    except re.error as error:
        sys.stderr.write("grep: %s\n" % error)
        return 2
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
