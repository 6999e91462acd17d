"""What a tool is, and what every tool's result has in common."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ToolResult(BaseModel):
    """The base of every tool's result."""

    model_config = ConfigDict(extra="forbid")

    next_step: str
    """What to call or ask next, and why: a whole call (`next_call.call`), or what a person must decide or be told."""
    warnings: list[str] = Field(default_factory=list)


@dataclass(frozen=True)
class Form:
    """Questions to the user, for arguments that a call leaves open.

    Attributes:
        message: Why they are asked.
        schema: One field for each question, of plain types and choices.
        filled: The call's arguments with the answers in them.
    """

    message: str
    schema: type[BaseModel]
    filled: Callable[[Mapping[str, Any], BaseModel], dict[str, Any]]


@dataclass(frozen=True)
class ToolSpec:
    """One row of the table of tools.

    A tool is the function of its name in the module of its name: its docstring is the description that the agent reads, its
    annotated arguments are the input schema, its return type (a `ToolResult`) is the output schema. The module, and with it the
    rooms below, is loaded when it is first needed.

    Attributes:
        name: The tool's name in MCP and on the command line.
        step: The step or steps of SKILL.md that it belongs to, as shown in the docs ("3", "0, 1"); "-" when any.
        title: A short name for people.
        read_only: Touches neither the world nor the user's files (the ledger may be written).
        read_only_without: Arguments without which a tool that is not read-only is.
        destructive: Ends or removes something.
        open_world: Reaches beyond this machine's files (endpoints, clusters).
        form: The module beside the tool's whose `ask` makes the form that a call needs first; empty when none does.
    """

    name: str
    step: str
    title: str
    read_only: bool = True
    read_only_without: tuple[str, ...] = ()
    destructive: bool = False
    open_world: bool = False
    form: str = ""

    @property
    def function(self) -> Callable[..., ToolResult]:
        """A plain synchronous function; it raises `QuantgateError` for what was foreseen."""
        found: Callable[..., ToolResult] = getattr(_module(self.name), self.name)
        return found

    def load(self) -> None:
        """Import the tool's module, and with it what it needs."""
        _module(self.name)

    def ask(self, arguments: Mapping[str, Any], lists: bool) -> Form | None:
        """The form that a call needs first, or None.

        Without a client that asks, or when the user declines, the function gets the arguments as they are.

        Args:
            arguments: Those of the call.
            lists: The client shows choices of several.
        """
        found: Form | None = _module(self.form).ask(arguments, lists) if self.form else None
        return found


_importing = threading.Lock()
"""One tool after the other: they share most of what they import, and Python has no safe way to import that in two threads."""


@cache
def _module(name: str) -> Any:
    with _importing:
        return importlib.import_module(f".{name}", __package__)
