"""What must hold for any data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantgate.statistics import suite
from quantgate.statistics.decide import decide

from . import one_call

RESAMPLES = 299
RANK = {"REGRESSION": 0, "INCONCLUSIVE": 1, "PASS": 2}
sixteenths = st.integers(-16, 16).map(lambda k: k / 16)
graded = st.lists(sixteenths, min_size=2, max_size=160)
yes_no = st.lists(st.sampled_from([-1.0, 0.0, 0.0, 0.0, 1.0]), min_size=2, max_size=160)
task = st.one_of(st.tuples(graded, st.just(False)), st.tuples(yes_no, st.just(True)))
margins = st.floats(0.001, 0.5)
quick = settings(max_examples=60, deadline=None)


def judge(values, margin, binary, **kwargs):
    return decide(np.array(values), margin, binary=binary, resamples=RESAMPLES, **kwargs)


@quick
@given(task, margins)
def test_swapping_the_sides_mirrors_the_bounds(case, margin):
    values, binary = case
    one, other = judge(values, margin, binary), judge([-v for v in values], margin, binary)
    assert one.method == other.method
    assert other.delta == pytest.approx(-one.delta)
    if sorted(values) != sorted(-v for v in values) or one.method != "bootstrap":
        assert (other.low, other.high) == pytest.approx((-one.high, -one.low), abs=1e-9)


@quick
@given(task, margins, st.randoms(use_true_random=False))
def test_the_order_of_the_questions_does_not_matter(case, margin, shuffler):
    values, binary = case
    places = list(range(len(values)))
    shuffler.shuffle(places)
    groups = [f"passage {i // 3}" for i in range(len(values))]
    one = judge(values, margin, binary, groups=groups)
    other = judge([values[i] for i in places], margin, binary, groups=[groups[i] for i in places])
    assert (other.low, other.high, other.p_noninferior) == pytest.approx(
        (one.low, one.high, one.p_noninferior), abs=1e-9
    )


@quick
@given(graded, st.sampled_from([0.25, 0.5, 2.0, 4.0]))
def test_the_tests_do_not_depend_on_the_unit_of_the_scores(values, factor):
    d = np.array(values)
    one, other = one_call.t_test(d, 0.01), one_call.t_test(factor * d, factor * 0.01)
    assert (other.low, other.high) == pytest.approx((factor * one.low, factor * one.high))
    if not one.degenerate:
        assert other.p_noninferior == pytest.approx(one.p_noninferior)
    assert one_call.bca(factor * d, 0.05, resamples=RESAMPLES) == pytest.approx(
        [factor * bound for bound in one_call.bca(d, 0.05, resamples=RESAMPLES)]
    )
    assert one_call.sign_flip(factor * d, factor * 0.01, permutations=RESAMPLES) == pytest.approx(
        one_call.sign_flip(d, 0.01, permutations=RESAMPLES)
    )


@quick
@given(task, margins, margins)
def test_a_larger_margin_never_makes_the_verdict_worse(case, one, other):
    values, binary = case
    smaller, larger = judge(values, min(one, other), binary), judge(values, max(one, other), binary)
    assert RANK[smaller.verdict] <= RANK[larger.verdict]
    assert smaller.p_noninferior >= larger.p_noninferior - 1e-12
    assert (smaller.low, smaller.high) == (larger.low, larger.high)


@quick
@given(task, margins)
def test_the_verdict_follows_from_the_bounds_and_agrees_with_the_p_value(case, margin):
    values, binary = case
    found = judge(values, margin, binary)
    assert (found.verdict == "PASS") == (found.low > -margin)
    assert (found.verdict == "REGRESSION") == (found.high < -margin)
    assert found.drop_detected == (found.high < 0)
    assert -1.0 <= found.low <= found.delta + 1e-9
    assert found.delta - 1e-9 <= found.high <= 1.0
    if found.method != "bootstrap" and abs(found.p_noninferior - 0.05) > 1e-6:
        assert (found.verdict == "PASS") == (found.p_noninferior < 0.05)


@quick
@given(task, st.floats(0.001, 0.018))
def test_without_a_gain_no_verdict_is_better_than_the_number_of_questions_allows(case, margin):
    values, binary = case
    assert (1 - margin) ** len(values) > 0.05, "so few questions may all have missed a share of the size of the margin"
    if sum(values) > 0:
        values = [-v for v in values]
    assert judge(values, margin, binary).verdict != "PASS"


@quick
@given(graded, st.integers(1, 9))
def test_only_the_ratios_of_weights_matter(values, factor):
    weights = np.arange(1, len(values) + 1) % 4 + 1.0
    one = judge(values, 0.05, False, weights=weights)
    other = judge(values, 0.05, False, weights=factor * weights)
    assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=1e-9)


@quick
@given(st.lists(graded, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_pooled_test_does_not_depend_on_the_order_of_the_tasks(tasks, shuffler):
    one = suite.pooled([np.array(t) for t in tasks], 0.02)
    shuffler.shuffle(tasks)
    other = suite.pooled([np.array(t) for t in tasks], 0.02)
    assert (other.low, other.high, other.df) == pytest.approx((one.low, one.high, one.df))
    mirrored = suite.pooled([-np.array(t) for t in tasks], 0.02)
    assert (mirrored.low, mirrored.high) == pytest.approx((-one.high, -one.low))
