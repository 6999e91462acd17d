"""No regular expression of the package backtracks without a bound: texts made from each expression itself are searched in time.

A search of a text of 3,000 characters may take 0.3 s of processor: what grows with the square of the text passes, what explodes
does not.
"""

from __future__ import annotations

import re

import pytest

from . import expressions
from .expressions import Expression, all_expressions, slowest

EVERY = all_expressions()


def test_all_of_them_are_found() -> None:
    assert len(EVERY) > 350
    places = " ".join(e.place for e in EVERY)
    for known in ("redact", "signatures.yaml cuda_oom", "card", "cluster", "nemotron", "scanner"):
        assert known in places


def test_no_expression_backtracks_without_a_bound() -> None:
    slow = []
    for expression in EVERY:
        took, length, text = slowest(expression)
        if took > expressions.LIMIT_SECONDS:
            slow.append(f"{expression.place}: {took:.1f} s for {length} characters such as {text[:40]!r}")
    assert slow == []


@pytest.mark.parametrize(
    ("pattern", "whole"),
    [(r"(a+)+$", False), (r"(?:a|aa)+\Z", True), (r"(\w+\s?)*:", True), (r".*.*.*x", False)],
)
def test_an_expression_that_backtracks_is_found(pattern: str, whole: bool) -> None:
    took, _, _ = slowest(Expression("here", pattern, 0, whole))
    assert took > expressions.LIMIT_SECONDS


@pytest.mark.parametrize("pattern", [r"(?:a++b?)*+$", r"[^,]*,[^,]*", r"^\d{1,9}-x"])
def test_one_that_does_not_is_not(pattern: str) -> None:
    took, _, _ = slowest(Expression("here", pattern, re.MULTILINE))
    assert took < expressions.LIMIT_SECONDS
