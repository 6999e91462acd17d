"""What the scanner's modules answer on a cluster: it comes from there, so it is held against these shapes before it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NotRequired, TypedDict

from msgspec import Meta, ValidationError, convert

from ...errors import ClusterError

_Number = Annotated[int, Meta(ge=0, le=10**18)]


class _Sample(TypedDict):
    file: str
    line: _Number
    text: str
    begins: _Number


class _Class(TypedDict):
    name: str
    earlier: bool
    count: _Number
    samples: list[_Sample]
    files: NotRequired[dict[str, _Number]]


class Scan(TypedDict):
    """Of `scanner.program`."""

    classes: list[_Class]
    benign: dict[str, _Number]
    files: _Number
    bytes: _Number
    left_out: _Number
    complaint: str
    unreadable: list[str]
    outside: list[str]
    absent: list[str]
    cut: list[str]
    cut_logs: NotRequired[_Number]
    cut_bytes: NotRequired[_Number]
    tasks: NotRequired[list[str]]
    gone: NotRequired[str | None]


class _Page(TypedDict):
    task: str
    file: str
    total: _Number
    start: _Number
    end: _Number
    around: _Number
    raw: bytes


class Pages(TypedDict):
    """Of `scanner.pages`; `raw` is Base64 in it."""

    tasks: list[str]
    pages: list[_Page]
    outside: list[str]
    unreadable: list[str]
    roles: list[str]
    names: list[str]
    matched: list[tuple[str, str]]
    count: NotRequired[_Number]
    gone: NotRequired[str | None]


SHAPES: Mapping[str, type] = {"program": Scan, "pages": Pages}
"""By the module that answers."""


def require(answer: object, module: str, host: str) -> None:
    """Refuse an answer of another shape.

    Raises:
        ClusterError: It is none of that module's.
    """
    try:
        convert(answer, SHAPES[module])
    except (ValidationError, UnicodeEncodeError) as error:
        raise ClusterError(
            f"What the python3 on {host} printed is no answer of the scanner's ({error})",
            fix="something there changes what programs print; make `python3 -c 'print(1)'` print just that",
        ) from None
