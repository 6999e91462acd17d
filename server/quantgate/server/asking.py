"""Asks the user, where the client can show a form (MCP elicitation): for arguments that a call leaves open, and for a yes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp.server.elicitation import AcceptedElicitation, DeclinedElicitation
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import Elicit, Resolve, build_resolver_plans, resolve_arguments
from mcp.shared.exceptions import MCPError
from mcp_types import InputRequiredResult
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, ConfigDict, Field, create_model

from ..gates.permission.consent import ConsentNeeded, Outcome, Question, Token
from ..tools import ToolSpec

_CHOICES_OF_SEVERAL = "2025-11-25"
"""The first revision whose forms have choices of several."""
_CALLED_AGAIN = "2026-07-28"
"""The first revision in which the client calls again with the answers to all forms so far."""


@dataclass(frozen=True)
class Permission:
    """What the user said yes to, and how the asking ended."""

    tokens: frozenset[Token]
    outcome: Outcome


async def completed(spec: ToolSpec, call: dict[str, Any], context: Any) -> dict[str, Any] | InputRequiredResult:
    """The arguments of a call with the user's answers in them; as they are when there is nothing or nobody to ask.

    The SDK's resolvers carry the form in both generations of the protocol: as a request of the server's during the call,
    or, from 2026-07-28 on, as an answer that asks the client to call again with the input.

    Args:
        spec: The tool.
        call: Its validated arguments.
        context: The SDK's context of the request.

    Returns:
        The arguments, or what the client must be answered so that it asks the user.
    """
    if not spec.form or not _can_ask(context):
        return call
    form = spec.ask(call, _speaks(context, _CHOICES_OF_SEVERAL))
    if form is None:
        return call
    try:
        found = await _asked([Elicit(form.message, form.schema)], context)
    except (ToolError, MCPError):
        # An answer that does not fit the form, or a client that says it has forms and then has none: the refusal then lists
        # questions and options.
        return call
    if isinstance(found, InputRequiredResult):
        return found
    return form.filled(call, found.data) if isinstance(found, AcceptedElicitation) else call


async def permission(needed: Sequence[ConsentNeeded], context: Any) -> Permission | InputRequiredResult | None:
    """Put the questions of a refusal to the user, in one form with a box to tick for each.

    Args:
        needed: The refusals of a call that wants a person's yes: the last is asked about, those before it were.
        context: The SDK's context of the request.

    Returns:
        What the user granted, or what the client must be answered so that it asks the user; None when nobody can be asked.
    """
    questions = needed[-1].questions
    if not needed[-1].can_be_asked or not _can_ask(context):
        return None
    try:
        found = await _asked([_form(refusal.questions) for refusal in needed], context)
    except ToolError:
        # An answer that does not fit the form is no yes.
        return Permission(frozenset(), "cancelled")
    except MCPError:
        # A client that says it has forms and then has none.
        return None
    if isinstance(found, InputRequiredResult):
        return found
    if not isinstance(found, AcceptedElicitation):
        return Permission(frozenset(), "declined" if isinstance(found, DeclinedElicitation) else "cancelled")
    ticked = found.data.model_dump()
    return Permission(
        frozenset(q.token for number, q in enumerate(questions) if ticked[_box(number)] is True), "accepted"
    )


def _form(questions: tuple[Question, ...]) -> Elicit[Any]:
    message = "quantgate needs your own yes; the agent cannot give it.\n\n" + "\n\n".join(q.text for q in questions)
    return Elicit(message, _boxes(questions))


def _box(number: int) -> str:
    return f"yes_{number + 1}"


def _boxes(questions: tuple[Question, ...]) -> type[BaseModel]:
    # Without a default: a form that is sent off unread grants nothing.
    fields: Mapping[str, Any] = {
        _box(number): (bool, Field(strict=True, title=question.yes)) for number, question in enumerate(questions)
    }
    return create_model("Yes", __config__=ConfigDict(extra="ignore"), **fields)


async def _asked(forms: Sequence[Elicit[Any]], context: Any) -> Any:
    """The outcome of the last form. Where the client calls again, those before it are carried along: else each new form would
    lose the answer to the one before."""
    named = {_name(form): form for form in (forms if _speaks(context, _CALLED_AGAIN) else forms[-1:])}
    wanted = {name: (Resolve(_resolver(name, form)), True) for name, form in named.items()}
    found = await resolve_arguments(wanted, build_resolver_plans(wanted, set()), {}, context)
    return found if isinstance(found, InputRequiredResult) else found[_name(forms[-1])]


def _resolver(name: str, form: Elicit[Any]) -> Any:
    def answers() -> Any:
        return form

    # The SDK keeps an answer under its resolver's name: a form has one of its own, whatever was asked before it.
    answers.__qualname__ = name
    return answers


def _name(form: Elicit[Any]) -> str:
    return f"form_{hashlib.sha256(form.message.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _speaks(context: Any, version: str) -> bool:
    spoken = context.protocol_version
    return spoken is not None and is_version_at_least(spoken, version)


def _can_ask(context: Any) -> bool:
    capabilities = context.client_capabilities
    elicitation = capabilities.elicitation if capabilities is not None else None
    # A bare `elicitation: {}` is a client from before there were modes: it shows forms.
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)
