"""Which method judges what, and that no verdict is better than its evidence."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from quantgate.statistics import bootstrap, clustering
from quantgate.statistics.decide import decide

from . import one_call


def repeated(**counts: int) -> np.ndarray:
    values = {"lost": -1.0, "gained": 1.0, "same": 0.0}
    return np.repeat([values[name] for name in counts], list(counts.values()))


def graded(questions: int, spread: float, seed: int = 1) -> np.ndarray:
    d = np.random.default_rng(seed).normal(0, spread, questions).clip(-1, 1)
    return d - d.mean()


def test_one_yes_no_answer_per_question_is_judged_by_tangos_interval():
    for d in (repeated(lost=3, gained=2, same=55), repeated(lost=300, gained=290, same=9410)):
        assert decide(d, 0.05, binary=True).method == "tango"


def test_repeated_answers_are_judged_by_the_t_interval():
    found = decide(graded(400, 0.1), 0.02, binary=False)
    assert (found.method, found.verdict) == ("paired", "PASS")
    assert found.low == pytest.approx(-1.649 * found.standard_error, rel=0.02)


@pytest.mark.parametrize(
    "d", [graded(60, 0.1), np.append(graded(9, 0.1), np.zeros(400))], ids=["few questions", "few changed"]
)
def test_few_questions_or_changes_are_judged_by_bootstrap_and_sign_flips(d):
    assert decide(d, 0.05, binary=False).method == "bootstrap"


def test_yes_no_answers_in_clusters_or_with_weights_are_not_judged_as_if_they_were_independent():
    d = repeated(lost=40, gained=40, same=400)
    groups = [f"passage {i // 4}" for i in range(d.size)]
    alone, clustered = decide(d, 0.05, binary=True), decide(d, 0.05, binary=True, groups=groups)
    assert (alone.method, clustered.method) == ("tango", "paired")
    assert clustered.high - clustered.low > 1.5 * (alone.high - alone.low), "these clusters flip as one"
    assert decide(d, 0.05, binary=True, weights=np.arange(1.0, 481.0)).method == "paired"


def test_a_label_of_its_own_for_each_question_is_no_cluster():
    d = repeated(lost=5, gained=5, same=90)
    labels = [None, None, "", "", *range(96)]
    assert decide(d, 0.05, binary=True, groups=labels) == decide(d, 0.05, binary=True)


def test_a_question_of_weight_zero_does_not_count():
    d = np.append(graded(150, 0.1), [-1.0] * 50)
    weights = np.append(np.ones(150), np.zeros(50))
    assert decide(d, 0.05, binary=False, weights=weights) == decide(d[:150], 0.05, binary=False)


def test_few_heavy_questions_are_not_taken_for_many():
    weights = np.append(np.full(3, 1000.0), np.ones(300))
    d = np.append(np.zeros(3), graded(300, 0.05))
    found = decide(d, 0.05, binary=False, weights=weights)
    assert (found.method, found.verdict) == ("bootstrap", "INCONCLUSIVE")


@pytest.mark.parametrize("binary", [False, True])
def test_299_questions_without_a_change_certify_one_point_and_298_do_not(binary):
    assert decide(np.zeros(299), 0.01, binary=binary).verdict == "PASS"
    found = decide(np.zeros(298), 0.01, binary=binary)
    assert (found.verdict, found.questions_needed) == ("INCONCLUSIVE", 299)


def test_noise_does_not_certify_what_no_noise_cannot():
    found = decide(graded(250, 0.02), 0.01, binary=False)
    assert (found.method, found.verdict) == ("paired", "INCONCLUSIVE")
    assert "may have missed" in found.reasons[-1]


def acceptance(
    questions: int, value: float, margin: float, judged: Callable[[np.ndarray], bool]
) -> tuple[float, float]:
    """How often a true drop of the margin is accepted, and how often so by a sample without a spread; exact.

    All questions differ by `value`, but for a share that collapses to -1 and is as large as the margin needs.
    """
    collapse = (value + margin) / (1 + value)
    passed = {}
    for collapsed in range(questions + 1):
        chance = math.comb(questions, collapsed) * collapse**collapsed * (1 - collapse) ** (questions - collapsed)
        d = np.append(np.full(questions - collapsed, value), np.full(collapsed, -1.0))
        if chance > 1e-5 and d.mean() > -margin and judged(d):
            passed[collapsed] = chance
    return sum(passed.values()), passed.get(0, 0.0)


@pytest.mark.parametrize("value", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("questions", [2, 5, 10, 20, 60, 150])
def test_few_collapsing_questions_are_not_accepted_more_often_than_alpha(value, questions):
    rate, without_spread = acceptance(
        questions, value, 0.05, lambda d: decide(d, 0.05, binary=False, resamples=499).verdict == "PASS"
    )
    assert without_spread <= 0.05, "equal differences have a standard error of 0, which is no evidence"
    assert rate <= 0.056


def test_bca_and_sign_flips_alone_would_accept_collapsing_questions_too_often():
    def both(d: np.ndarray) -> bool:
        return one_call.bca(d, 0.05, resamples=499)[0] > -0.01 and one_call.sign_flip(d, 0.01, permutations=499) <= 0.05

    assert acceptance(30, 0.2, 0.01, both)[0] > 0.08


def test_a_drop_can_be_detected_and_still_be_smaller_than_the_margin():
    found = decide(repeated(lost=60, gained=20, same=4920), 0.02, binary=True)
    assert (found.verdict, found.drop_detected) == ("PASS", True)
    assert "a drop was detected" in found.reasons[1]
    assert found.p_drop < 1e-4


def test_a_true_drop_of_fifty_points_is_a_regression_although_each_question_has_a_right_answer():
    found = decide(np.full(500, -0.5) + graded(500, 0.1), 0.01, binary=False)
    assert found.verdict == "REGRESSION"


def test_a_change_without_a_net_effect_in_many_questions_passes():
    assert decide(repeated(lost=300, gained=300, same=11_400), 0.01, binary=True).verdict == "PASS"


def test_the_smallest_margin_is_the_one_for_which_these_questions_are_enough():
    d = repeated(lost=50, gained=50, same=900)
    found = decide(d, 0.01, binary=True)
    assert (found.questions_needed, found.smallest_margin) == (6189, pytest.approx(0.02488, abs=1e-4))
    assert decide(d, found.smallest_margin, binary=True).questions_needed == 1000
    assert "certify a margin of 2.49 pp" in found.reasons[1]


@pytest.mark.parametrize(
    ("d", "reason"),
    [
        ([], "no question"),
        ([math.nan, 0.0], "not a number"),
        ([math.inf, 0.0], "not a number"),
        ([50.0, 0.0], "between -1 and 1"),
        ([0.5], "one question shows no spread"),
    ],
)
def test_what_cannot_be_judged_is_inconclusive_and_says_why(d, reason):
    found = decide(np.array(d), 0.01, binary=True)
    assert (found.method, found.verdict) == ("none", "INCONCLUSIVE")
    assert reason in found.reasons[0]


def test_the_sign_flip_bounds_are_where_its_test_stops_rejecting():
    for d in (graded(12, 0.2), graded(40, 0.2)):
        flipped = bootstrap.flips(clustering.units(d), 999, 0)
        low, high = flipped.bounds(0.05)
        assert flipped.p_at_most(low - 1e-6) <= 0.05 < flipped.p_at_most(low)
        assert flipped.p_at_least(high + 1e-6) <= 0.05 < flipped.p_at_least(high)


def test_four_questions_can_reject_nothing_by_sign_flips():
    assert bootstrap.flips(clustering.units(np.array([0.1, 0.2, 0.3, 0.4])), 999, 0).bounds(0.05) == (-1.0, 1.0)


def test_one_cluster_is_one_observation():
    found = decide(np.zeros(500), 0.01, binary=True, groups=["the passage"] * 500)
    assert (found.verdict, found.low, found.high) == ("INCONCLUSIVE", -1.0, 1.0)


def test_weights_that_count_nothing_or_are_negative_are_refused_in_words():
    assert "no question" in decide(np.zeros(3), 0.01, binary=True, weights=np.zeros(3)).reasons[0]
    assert "negative" in decide(np.zeros(3), 0.01, binary=True, weights=np.array([1.0, -1.0, 1.0])).reasons[0]
    assert "one length" in decide(np.zeros(3), 0.01, binary=True, groups=["a"]).reasons[0]


@pytest.mark.parametrize(("margin", "alpha"), [(0.0, 0.05), (1.0, 0.05), (math.nan, 0.05), (0.01, 0.5), (0.01, 0.0)])
def test_a_margin_or_alpha_out_of_range_is_an_error_of_the_caller(margin, alpha):
    with pytest.raises(ValueError, match="margin"):
        decide(np.zeros(10), margin, alpha, binary=True)


def test_a_bound_close_to_the_margin_is_shown_with_digits_that_tell_them_apart():
    assert "the lower bound -0.997 pp is above -1.000 pp" in decide(np.zeros(299), 0.01, binary=True).reasons[0]


def test_the_same_data_give_the_same_answer_twice():
    d = graded(60, 0.1)
    assert decide(d, 0.05, binary=False) == decide(d, 0.05, binary=False)


def test_a_large_set_with_few_changes_is_resampled_in_bounded_time_and_memory():
    import time
    import tracemalloc

    d = np.append(np.linspace(-0.4, 0.5, 9), np.zeros(200_000))
    tracemalloc.start()
    started = time.process_time()
    found = decide(d, 0.01, binary=False)
    seconds, most = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.method, found.verdict) == ("bootstrap", "PASS")
    assert seconds < 5.0
    assert most < 200e6


@pytest.mark.parametrize("margin", [0.01, 0.05])
@pytest.mark.parametrize(("questions", "binary"), [(150, True), (1000, True), (40, False), (400, False)])
def test_a_regression_has_a_p_value_below_alpha_and_nothing_else_has(questions, binary, margin):
    found = []
    for lost in range(0, questions // 2, max(1, questions // 20)):
        d = repeated(lost=lost, gained=questions // 25, same=questions - lost - questions // 25)
        found.append(decide(d if binary else d * 0.5, margin, binary=binary, resamples=999))
    assert {f.verdict for f in found} >= {"REGRESSION", "INCONCLUSIVE"}
    for one in found:
        near = abs(one.p_regression - 0.05) < 0.005  # a bootstrap's bound and its p value round differently
        assert near or (one.verdict == "REGRESSION") is (one.p_regression < 0.05)
        assert one.p_regression >= one.p_drop, "more than the margin is harder to show than any drop"


def test_one_value_for_all_questions_has_the_p_value_of_what_they_may_have_missed():
    assert decide(np.full(200, -0.5), 0.01, binary=False).p_regression < 1e-6
    assert decide(np.full(2, -0.5), 0.01, binary=False).p_regression > 0.05
