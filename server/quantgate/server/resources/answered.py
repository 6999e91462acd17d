"""How a resource answers: refusals with their fix, fit to be shown, and nothing else of an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from ...errors import QuantgateError, UnknownName
from ...redact import shown

T = TypeVar("T")


def answered(read: Callable[[], T]) -> T:
    """What `read` gives.

    Raises:
        ResourceNotFoundError: There is nothing of this name; the text names what there is.
        ResourceError: It cannot be read.
    """
    try:
        return read()
    except UnknownName as error:
        raise ResourceNotFoundError(shown(str(error))) from None
    except QuantgateError as error:
        raise ResourceError(shown(str(error))) from None
