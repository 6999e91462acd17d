"""Every finding that a test of this room sees has a fix whose calls can be made as a next step writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from quantgate.evalconfig.lint.report import Finding
from quantgate.tools.next_call import whole

from ..next_steps import assert_can_be_followed


@pytest.fixture(autouse=True)
def every_fix_can_be_followed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Reads the fix of every finding of the test, whichever rule made it."""
    fixes: set[str] = set()
    original = Finding.__init__

    def remembered(self: Finding, *args: Any, **given: Any) -> None:
        original(self, *args, **given)
        fixes.add(self.fix)

    monkeypatch.setattr(Finding, "__init__", remembered)
    yield
    monkeypatch.undo()
    for fix in fixes:
        assert_can_be_followed(f"Mend it: {whole(fix, 'eval.yaml')}")
