"""Several files as one input: `=== name` on a line of its own, and what follows is the file. Readable, and easy to damage."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_MARK = re.compile(rb"(?:\A|(?<=\n))=== ([A-Za-z0-9_@+.][A-Za-z0-9._@+/-]{0,120})\n")
MOST_FILES = 30
_instead: dict[str, Callable[[Path], None]] = {}


@contextmanager
def instead(name: str, make: Callable[[Path], None]) -> Iterator[None]:
    """Within the block, the file of this name is not written but made otherwise."""
    _instead[name] = make
    try:
        yield
    finally:
        del _instead[name]


def packed(files: Mapping[str, bytes]) -> bytes:
    """The files as one input."""
    return b"".join(b"=== " + name.encode() + b"\n" + content + b"\n" for name, content in files.items())


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of an input; what stands before the first mark is the file named "" (nothing is refused)."""
    parts = _MARK.split(data)
    found = {"": parts[0]} if parts[0] else {}
    for name, content in list(zip(parts[1::2], parts[2::2], strict=True))[:MOST_FILES]:
        found[name.decode()] = content.removesuffix(b"\n")
    return found


def laid_out(data: bytes, folder: Path) -> dict[str, Path]:
    """The files of an input in a folder; a name that leads out of it, or through a file, is left out."""
    laid: dict[str, Path] = {}
    for name, content in unpacked(data).items():
        if not name or ".." in name.split("/") or "//" in name or name.endswith("/"):
            continue
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _instead.get(name, lambda path, content=content: path.write_bytes(content))(path)  # type: ignore[misc]
        except OSError:
            continue
        laid[name] = path
    return laid
