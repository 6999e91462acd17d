"""A bound on what `${...}` may stand for, counted while OmegaConf resolves it.

Thirty keys that each name the one before twice stand for a billion values. Where a reference leads is OmegaConf's own
matter (through sections that are references, names that are computed, resolvers), so its work is counted, not foretold.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

from ..errors import ConfigError

MAX_CHARACTERS = 5_000_000
MAX_REFERENCES = 5_000
"""OmegaConf takes about a millisecond for each."""


@dataclass
class Budget:
    """What the config's values have cost so far.

    Attributes:
        where: The config, for the message.
    """

    where: str
    characters: int = 0
    references: int = 0

    def spend(self, value: Any, references: int = 0) -> None:
        """Count one value.

        Raises:
            ConfigError: It was one too many.
        """
        self.characters += len(value) if isinstance(value, str) else 8
        self.references += references
        self.check()

    def check(self) -> None:
        """Refuse where the bound was passed, also if OmegaConf has swallowed the refusal.

        Raises:
            ConfigError: It was.
        """
        if self.characters > MAX_CHARACTERS or self.references > MAX_REFERENCES:
            raise ConfigError(
                f"The config's interpolations expand to more than {MAX_CHARACTERS} characters or {MAX_REFERENCES} references",
                where=self.where,
                fix="write the values out; no evaluation needs that much",
            )


_current: contextvars.ContextVar[Budget | None] = contextvars.ContextVar("budget", default=None)


@contextmanager
def bounded(where: str) -> Iterator[Budget]:
    """Count what OmegaConf resolves inside the block, in this thread."""
    _count_references()
    budget = Budget(where)
    token = _current.set(budget)
    try:
        yield budget
    finally:
        _current.reset(token)


def _count_references() -> None:
    """Let OmegaConf tell of each `${...}` it resolves. It has no hook for that; the two methods are those of 2.3 and 2.4."""
    from omegaconf.base import Container

    for name in ("_resolve_node_interpolation", "_evaluate_custom_resolver"):
        method = getattr(Container, name)
        if not hasattr(method, "__wrapped__"):
            setattr(Container, name, _counted(method))


def _counted(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def counted(*args: Any, **kwargs: Any) -> Any:
        budget = _current.get()
        if budget is None:
            return method(*args, **kwargs)
        budget.spend("", 1)
        found = method(*args, **kwargs)
        budget.spend(found._value() if hasattr(found, "_value") else found)
        return found

    return counted
