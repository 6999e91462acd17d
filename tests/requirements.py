"""What a test needs from the machine: it skips with the reason where that is missing, and fails on our own CI."""

from __future__ import annotations

import os

import pytest


def require(condition: bool, reason: str) -> None:
    """Go on if the condition holds; else skip, or fail under QUANTGATE_REQUIRE_ALL=1.

    Args:
        condition: Whether the machine has what the test needs.
        reason: What is missing.
    """
    if condition:
        return
    if os.environ.get("QUANTGATE_REQUIRE_ALL") == "1":
        pytest.fail(f"needed here: {reason}", pytrace=False)
    pytest.skip(reason)
