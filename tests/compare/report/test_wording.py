"""What a report says of the methods is what `decide` does."""

from __future__ import annotations

import dataclasses
from typing import get_args

from quantgate.compare.report import wording
from quantgate.statistics.decision import HOW, Method
from tests.compare.example import comparison


def test_every_method_is_told_in_the_words_of_the_decision() -> None:
    task = comparison().tasks[0]
    for method in get_args(Method):
        ((_, told),) = wording.methods_used([dataclasses.replace(task, method=method)])
        if method in HOW:
            assert HOW[method].format(unit="questions or their clusters")[1:] in told
            assert "may have missed" in told
    assert (
        "t interval"
        in dict(wording.methods_used([dataclasses.replace(task, method="bootstrap")]))["paired (bootstrap)"]
    )
