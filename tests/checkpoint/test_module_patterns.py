"""Patterns of modules, in the four notations, and expressions that would never end."""

from __future__ import annotations

import time

import pytest

from quantgate.checkpoint.record.module_patterns import MAX_PATTERN, assigned, covers, is_pattern

UP = "model.layers.10.mlp.up_proj"


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        ("lm_head", "lm_head", True),
        ("lm_head", "lm_head2", False),
        ("model.layers.10", UP, True),
        ("model.layers.1", UP, False),
        ("up_proj", UP, False),
        ("model.layers.1*", UP, True),
        ("model.layers.1.*", UP, False),
        ("*mlp*", UP, True),
        ("*.up_pro?", UP, True),
        ("model.layers.[0-9].mlp*", UP, False),
        ("*", UP, True),
        ("re:.*up_proj", UP, True),
        ("re:.*up_proj$", UP + ".x", False),
        ("re:mlp", UP, False),  # it must match from the start
        ("re:model", UP, True),  # … and not to the end
        (r"re:.*layers\.(1[0-9]|2[0-9])\..*proj", UP, True),
        (r"re:^(?!.*\.mlp\.experts(?:\.|$)).*$", UP, True),  # an exclusion that Quark wrote
        (r"re:^(?!.*\.mlp(?:\.|$)).*$", UP, False),
        (r"-:.*\.mlp\..*", UP, True),
        (r"+:.*\.mlp\..*", UP, False),
        ("", UP, False),
    ],
)
def test_each_notation_covers_what_its_tool_covers(pattern: str, name: str, covered: bool) -> None:
    within = covers([pattern])
    assert within(name) is covered
    assert within.refused == ()


@pytest.mark.parametrize(
    "expression",
    [
        "(a+)+b",
        "(a*)*b",
        "(a|a)*b",
        "(?:a|ab)+$",
        "((a?)?)*b",
        "(a|a)" * 40 + "b",
        "a?" * 40 + "a" * 40,
        ".*.*.*.*.*.*x",
        r"(?:(a)|b)\1",
        "(?x)#[\n(a*)*#]",
        "(?#[)(a*)*(?#])b",
        "(?P<n>a+)(?P=n)",
        "(a){1,9}(b{1,9}){1,9}",
        "[a",
        "(",
        "a" * (MAX_PATTERN + 1),
        "[[:alpha:]]*",
    ],
)
def test_an_expression_that_may_not_end_is_refused_and_listed(expression: str) -> None:
    within = covers([f"re:{expression}", "lm_head"])
    started = time.perf_counter()
    assert not within("a" * 100)
    assert within("lm_head")
    assert time.perf_counter() - started < 1
    assert within.refused == (f"re:{expression}",)


def test_the_worst_expression_that_is_admitted_ends_soon() -> None:
    within = covers(["re:.*a.*a.*a.*b", "re:(?:x|a)(?:x|a)(?:x|a).*a.*a.*b"])
    started = time.perf_counter()
    assert not any(within("a" * 110 + str(n)) for n in range(5_000))
    assert time.perf_counter() - started < 5
    assert within.exhausted


def test_names_too_long_to_try_are_counted() -> None:
    within = covers(["re:.*x"])
    assert not within("x" * 1000)
    assert within.untried == 1


def test_tens_of_thousands_of_plain_patterns_cost_little() -> None:
    names = [f"model.layers.{n}.self_attn" for n in range(20_000)]
    within = covers([*names, *(f"visual.blocks.{n}*" for n in range(20_000))])
    started = time.perf_counter()
    assert all(within(f"{name}.q_proj") for name in names)
    assert within("visual.blocks.777.attn")
    assert not within("visual.merger")
    assert time.perf_counter() - started < 2


def test_thousands_of_expressions_are_compiled_in_part() -> None:
    started = time.perf_counter()
    within = covers(f"re:.*[ab]{n}(?:x|y)" for n in range(50_000))
    assert time.perf_counter() - started < 5
    assert within.refused
    assert within("b7x")


def test_patterns_are_told_from_names() -> None:
    assert [is_pattern(p) for p in ("a.b", "a*", "re:a", "-:a", "a[0]")] == [False, True, True, True, True]


def test_a_name_counts_before_a_pattern_and_a_pattern_before_a_parent() -> None:
    find = assigned({"a": "ONE", "a.b.c": "TWO"}, [("a.b*", "THREE"), ("re:.*", "FOUR")])
    assert [find(n) for n in ("a.b.c", "a.b.d", "a", "z")] == ["TWO", "THREE", "ONE", "FOUR"]
    assert assigned({"a": "ONE"})("a.b.c") == "ONE"
