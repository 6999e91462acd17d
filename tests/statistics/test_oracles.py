"""Published and worked examples, number by number."""

from __future__ import annotations

import numpy as np
import pytest

from quantgate.statistics import clustering, holm, mcnemar, power, standard_error, tango, unseen

from . import one_call

SLEEP_FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


@pytest.mark.parametrize(
    ("gained", "lost", "exact", "mid_p"),
    [(12, 2, 0.0129, 0.007385), (1, 7, 0.0703, 0.0391), (6, 16, 0.0525, 0.0347), (86, 150, 3.716e-5, None)],
)
def test_mcnemars_tests_give_the_published_p_values(gained, lost, exact, mid_p):
    assert mcnemar.exact(gained, lost) == pytest.approx(exact, rel=5e-3)
    if mid_p:
        assert mcnemar.mid_p(gained, lost) == pytest.approx(mid_p, rel=5e-3)


def test_mcnemars_tests_say_nothing_without_discordant_pairs():
    assert (mcnemar.exact(0, 0), mcnemar.mid_p(0, 0)) == (1, 1)


def test_the_mid_p_of_as_many_gains_as_losses_leaves_half_of_their_own_probability_out():
    assert mcnemar.mid_p(1, 1) == pytest.approx(1 - 0.5 * 0.5)


def test_tangos_interval_is_the_published_one():
    assert tango.interval(1, 7, 21, 0.025) == pytest.approx((-0.5172, -0.0260), abs=5e-5)


def test_the_wald_interval_of_a_large_table_is_the_paired_t_interval():
    d = np.repeat([1.0, -1.0, 0.0], [86, 150, 1600 - 236])
    test = one_call.t_test(d, 0.01, 0.025)
    assert (test.low, test.high) == pytest.approx((-0.0587, -0.0213), abs=5e-5)


def test_the_paired_test_reproduces_students_sleep_data():
    test = one_call.t_test(np.array(SLEEP_FIRST) - np.array(SLEEP_SECOND), 0.0, 0.025)
    assert test.delta / test.standard_error == pytest.approx(-4.0621, abs=5e-5)
    assert 2 * test.p_drop == pytest.approx(0.0028329, abs=5e-8)
    assert (test.low, test.high, test.df) == pytest.approx((-2.45989, -0.70011, 9), abs=6e-6)


def test_a_clustered_standard_error_has_the_correction_for_few_clusters():
    scores = np.array([float(s) for s in "101100111011"])
    found = clustering.units(scores, "000111222333")
    assert standard_error.sandwich(clustering.units(scores).residuals) == pytest.approx(0.1421338, abs=5e-8)
    assert standard_error.sandwich(found.residuals) == pytest.approx(0.1360828, abs=5e-8)
    assert (found.mean, found.count) == (pytest.approx(2 / 3), 4)


def test_holms_adjustment_keeps_the_order_of_its_input():
    assert holm.adjust([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


@pytest.mark.parametrize(
    ("margin", "needed"),
    [
        (0.01, (1237, 3092, 6183, 9274, 12366)),
        (0.02, (310, 773, 1546, 2319, 3092)),
        (0.05, (50, 124, 248, 371, 495)),
    ],
)
def test_the_questions_needed_are_those_of_the_table(margin, needed):
    assert tuple(power.questions_needed(margin, flips) for flips in (0.02, 0.05, 0.1, 0.15, 0.2)) == needed


def test_299_unchanged_questions_certify_one_point_and_298_do_not():
    assert unseen.questions(0.01, 0.05) == 299
    assert unseen.share(299, 0.05) < 0.01 < unseen.share(298, 0.05)
