"""Tolerant reading of a tool's JSON result: an absent or unexpected field reads as empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Fields:
    """One JSON object. The demo must show a result that has more fields than it knows, or fewer."""

    def __init__(self, value: object) -> None:
        self._values: Mapping[str, Any] = value if isinstance(value, Mapping) else {}

    def text(self, name: str, default: str = "") -> str:
        """A string or a number as text; `default` when it is absent or empty."""
        value = self._values.get(name)
        if value is None or isinstance(value, (Mapping, list, bool)):
            return default
        return str(value) or default

    def number(self, name: str) -> float | None:
        """A number, or None."""
        value = self._values.get(name)
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def known(self, name: str) -> float | None:
        """A number that cannot be negative: the tools write -1 for what is not known."""
        value = self.number(name)
        return None if value is None or value < 0 else value

    def count(self, name: str) -> int:
        """A whole number; 0 when it is absent or not known."""
        return int(self.known(name) or 0)

    def flag(self, name: str) -> bool:
        """Whether the field is true."""
        return self._values.get(name) is True

    def inner(self, name: str) -> Fields:
        """A nested object."""
        return Fields(self._values.get(name))

    def rows(self, name: str) -> list[Fields]:
        """A list of objects."""
        value = self._values.get(name)
        return [Fields(item) for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []

    def strings(self, name: str) -> list[str]:
        """A list of strings."""
        value = self._values.get(name)
        return [str(item) for item in value if isinstance(item, (str, int, float))] if isinstance(value, list) else []

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """The names and plain values of a nested object."""
        inner = self.inner(name)
        return [(key, inner.text(key)) for key in inner._values if inner.text(key)]

    def __bool__(self) -> bool:
        return bool(self._values)
