"""The address of a checkpoint on a cluster: `host:/absolute/path`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from ...errors import CheckpointError

_ADDRESS = re.compile(r"(?P<host>[\w.@\-]+):(?P<path>/(?!/).*)\Z", re.ASCII | re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Address:
    """`host:/absolute/path`.

    Attributes:
        host: An ssh alias, a host name, a name of clusters.yaml, or `user@host`.
        path: The directory there.
    """

    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}:{self.path}"


def address_of(text: str) -> Address | None:
    """The address that a text is; None when it is none.

    Raises:
        CheckpointError: It is one with `..` or a control character in its path, or a host that begins with `-`.
    """
    match = _ADDRESS.match(text)
    if match is None:
        return None
    path = PurePosixPath(match["path"])
    if ".." in path.parts or len(path.parts) < 2 or match["host"].startswith("-") or _CONTROL.search(text):
        raise CheckpointError(
            f"{text[:120]!r} is no checkpoint on a cluster", fix="give host:/absolute/path, without `..`"
        )
    return Address(match["host"], str(path))
