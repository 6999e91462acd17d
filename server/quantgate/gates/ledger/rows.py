"""A row of the ledger as what it stands for. A file that was damaged, or that another program wrote into, holds anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from ...errors import StorageError
from .store import path

T = TypeVar("T")


def read(row: Mapping[str, Any], shape: type[T], *encoded: str) -> T:
    """The row, with every value of the type that it was written with.

    Args:
        row: Values by column.
        shape: A dataclass with a field for each.
        encoded: Columns that hold JSON.

    Raises:
        StorageError: A value is none that was ever written there.
    """
    import msgspec

    try:
        return msgspec.convert({**row, **{name: json.loads(row[name]) for name in encoded}}, shape)
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError) as error:
        raise StorageError(
            f"A row of the ledger cannot be read: {str(error)[:200]}",
            where=str(path()),
            fix="the file is damaged: move it away (a new one is made), or put back a copy; runs are found by their directories",
        ) from None
