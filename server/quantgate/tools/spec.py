"""What a tool is, and what every tool's result has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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

    The function's name is the tool's name, its docstring the description that the agent reads, its annotated arguments the
    input schema, and its return type (a `ToolResult`) the output schema.

    Attributes:
        function: A plain synchronous function; it raises `QuantgateError` for what was foreseen.
        step: The step or steps of SKILL.md that it belongs to, as shown in the docs ("3", "0, 1"); "-" when any.
        title: A short name for people.
        read_only: Touches neither the world nor the user's files (the ledger may be written).
        read_only_without: Arguments without which a tool that is not read-only is.
        destructive: Ends or removes something.
        open_world: Reaches beyond this machine's files (endpoints, clusters).
        ask: The form that a call needs first, or None; it gets the arguments and whether the client shows choices of
            several. Without a client that asks, or when the user declines, the function gets the arguments as they are.
    """

    function: Callable[..., ToolResult]
    step: str
    title: str
    read_only: bool = True
    read_only_without: tuple[str, ...] = ()
    destructive: bool = False
    open_world: bool = False
    ask: Callable[[Mapping[str, Any], bool], Form | None] | None = None

    @property
    def name(self) -> str:
        """The tool's name in MCP and on the command line."""
        return self.function.__name__
