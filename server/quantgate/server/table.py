"""The rows of the table of tools as tools of the SDK: strict arguments, refusals as plain text, redacted results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import PrivateAttr

from .. import redact
from ..errors import QuantgateError
from ..gates.permission import consent
from ..tools import ToolSpec, calling
from ..tools.answer import answer
from ..tools.spec import ToolResult
from . import asking, progress, working
from .offering import Offer

_ADVISING = frozenset({"fix", "skipped", "warnings"})
"""Fields of results that may name a call."""
MOST_FORMS = 4
"""Of one call; what a call needs a yes to may show only after the first."""


async def _permitted(spec: ToolSpec, call: dict[str, Any], context: Any) -> ToolResult | InputRequiredResult:
    """The result of a call; when it wants a person's yes, the user is asked and the same call is made with what was granted."""
    granted: frozenset[consent.Token] = frozenset()
    refusals: list[consent.ConsentNeeded] = []
    while True:
        try:
            with consent.given(granted, "cannot_ask"):
                return await _called(spec, call, context)
        except consent.ConsentNeeded as needed:
            refusals.append(needed)
            said = await asking.permission(refusals, context) if len(refusals) <= MOST_FORMS else None
            if said is None:
                raise
        if isinstance(said, InputRequiredResult):
            return said
        granted |= said.tokens
        with consent.given(granted, said.outcome):
            # A no ends it here, and the refusal says how it was given.
            consent.require(refusals[-1].questions)


async def _called(spec: ToolSpec, call: dict[str, Any], context: Any) -> ToolResult:
    async def work() -> ToolResult:
        # The thread gets a copy of this context, and with it what a person granted.
        return await working.in_thread(lambda: spec.function(**call), working.holder_of(context))

    # Not above: the rooms below are loaded when a call needs them.
    from ..gates.views.waiting import LONGEST_WAIT

    return await progress.reported(spec.title, context, min(max(call.get("wait_seconds", 0), 0), LONGEST_WAIT), work)


class _TableTool(Tool):
    """A row of the table as the SDK's tool: strict arguments, refusals as plain text, unexpected errors without their text."""

    _spec: ToolSpec = PrivateAttr()
    _offer: Offer = PrivateAttr()

    async def run(self, arguments: dict[str, Any], context: Any, convert_result: bool = False) -> Any:
        spec, offer = self._spec, self._offer
        try:
            offer.require(spec, arguments)
            call = await asking.completed(spec, calling.validated(spec, arguments), context)
            if isinstance(call, InputRequiredResult):
                return call
            result = await (_permitted if offer.may_grant else _called)(spec, call, context)
            if isinstance(result, InputRequiredResult):
                return result
        except QuantgateError as error:
            raise ToolError(offer.told(redact.shown(str(error)))) from None
        except Exception as error:
            # The text of an unforeseen exception stays in the log, where it is redacted.
            raise UnexpectedToolError(
                f"{self.name} failed with an unexpected {type(error).__name__}; the server's log has the details"
            ) from error
        clean = answer(result)
        clean["next_step"] = offer.told(clean["next_step"], beside=_advice(clean))
        if not convert_result:
            return clean
        text = TextContent(type="text", text=json.dumps(clean))
        return CallToolResult(content=[text], structured_content=clean)


def _advice(value: Any, *, given: bool = False) -> Iterator[str]:
    """The texts of a result, besides its next step, that say what to do."""
    if isinstance(value, str):
        if given:
            yield value
    elif isinstance(value, list):
        for item in value:
            yield from _advice(item, given=given)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _advice(item, given=name in _ADVISING)


def _never_called() -> None: ...


def as_tool(spec: ToolSpec, offer: Offer) -> Tool:
    """A row of the table as the SDK lists and calls it, on a server with this offer."""
    entry = offer.listed(spec)
    tool = _TableTool(
        # `_TableTool.run` calls the tool's own function, which is not loaded yet.
        fn=_never_called,
        name=spec.name,
        title=spec.title,
        description=entry.description,
        parameters=entry.input_schema,
        # `_TableTool.run` validates arguments and results itself: the SDK's own models would be built for nothing.
        fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=entry.output_schema),
        is_async=False,
        context_kwarg=None,
        # Without its title once more: clients read the tool's, and a third copy of 18 titles costs 150 tokens.
        annotations=ToolAnnotations(
            read_only_hint=offer.changes_nothing(spec),
            destructive_hint=spec.destructive,
            idempotent_hint=offer.changes_nothing(spec),
            open_world_hint=spec.open_world,
        ),
    )
    tool._spec, tool._offer = spec, offer
    return tool
