"""Asks the user for arguments that a call leaves open, where the client can show a form (MCP elicitation)."""

from __future__ import annotations

from typing import Any

from mcp.server.elicitation import AcceptedElicitation
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import Elicit, Resolve, build_resolver_plans, resolve_arguments
from mcp_types import InputRequiredResult
from mcp_types.version import is_version_at_least

from .tools import ToolSpec

_CHOICES_OF_SEVERAL = "2025-11-25"
"""The first revision whose forms have choices of several."""


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
    if spec.ask is None or not _can_ask(context):
        return call
    version = context.protocol_version
    form = spec.ask(call, version is not None and is_version_at_least(version, _CHOICES_OF_SEVERAL))
    if form is None:
        return call
    question = Elicit(form.message, form.schema)

    def answers() -> Any:
        return question

    wanted = {"answers": (Resolve(answers), True)}
    try:
        found = await resolve_arguments(wanted, build_resolver_plans(wanted, set()), {}, context)
    except ToolError:
        # An answer that does not fit the form: the refusal then lists questions and options.
        return call
    if isinstance(found, InputRequiredResult):
        return found
    outcome = found["answers"]
    return form.filled(call, outcome.data) if isinstance(outcome, AcceptedElicitation) else call


def _can_ask(context: Any) -> bool:
    capabilities = context.client_capabilities
    elicitation = capabilities.elicitation if capabilities is not None else None
    # A bare `elicitation: {}` is a client from before there were modes: it shows forms.
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)
