"""The same numbers as scipy and statsmodels on random data."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.stats import contingency_tables, multitest
from statsmodels.stats.power import NormalIndPower

from quantgate.statistics import (
    aggregate,
    bootstrap,
    clustering,
    holm,
    mcnemar,
    power,
    skewness,
    suite,
    tango,
    unseen,
)

from . import one_call

SEEDS = range(5)


def differences(seed: int, size: int = 150) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.arange(-4, 5) / 4, size, p=np.array([1, 2, 4, 8, 30, 8, 4, 2, 1]) / 60)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_t_test_agrees_with_scipy(seed):
    d = differences(seed)
    ours = one_call.t_test(d, 0.01)
    theirs = stats.ttest_1samp(d, -0.01, alternative="greater")
    assert ours.p_noninferior == pytest.approx(theirs.pvalue, rel=1e-9)
    assert ours.low == pytest.approx(stats.ttest_1samp(d, 0, alternative="greater").confidence_interval(0.95).low)
    assert ours.high == pytest.approx(stats.ttest_1samp(d, 0, alternative="less").confidence_interval(0.95).high)
    assert ours.p_drop == pytest.approx(stats.ttest_1samp(d, 0, alternative="less").pvalue, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_clustered_error_agrees_with_statsmodels(seed, weighted):
    d = differences(seed)
    random = np.random.default_rng(seed + 100)
    groups = random.integers(0, 23, d.size)
    weights = random.integers(1, 9, d.size).astype(float) if weighted else None
    fit = sm.WLS(d, np.ones(d.size), weights=1.0 if weights is None else weights).fit(
        cov_type="cluster", cov_kwds={"groups": groups}
    )
    ours = one_call.t_test(d, 0.01, groups=groups.tolist(), weights=weights)
    assert (ours.delta, ours.standard_error) == pytest.approx((fit.params[0], fit.bse[0]), rel=1e-9)
    assert ours.df == len(set(groups.tolist())) - 1


def test_clustering_the_repeats_of_questions_is_the_same_as_averaging_them():
    answers = np.random.default_rng(8).choice([-1.0, 0.0, 1.0], (60, 7), p=[0.2, 0.7, 0.1])
    averaged = one_call.t_test(answers.mean(axis=1), 0.01)
    clustered = one_call.t_test(answers.ravel(), 0.01, groups=np.repeat(np.arange(60), 7).tolist())
    assert (clustered.low, clustered.high, clustered.df) == pytest.approx((averaged.low, averaged.high, averaged.df))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bca_bounds_agree_with_scipy_up_to_the_noise_of_resampling(seed):
    d = differences(seed, 60)
    theirs = stats.bootstrap((d,), np.mean, confidence_level=0.9, n_resamples=9999, method="BCa", rng=seed)
    low, high = one_call.bca(d, 0.05)
    noise = 0.06 * theirs.standard_error
    assert low == pytest.approx(theirs.confidence_interval.low, abs=noise)
    assert high == pytest.approx(theirs.confidence_interval.high, abs=noise)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_exact_sign_flip_test_agrees_with_scipys_permutations(seed):
    d = differences(seed, 12)
    theirs = stats.permutation_test(
        (d + 0.2,), np.mean, permutation_type="samples", alternative="greater", n_resamples=np.inf
    )
    assert one_call.sign_flip(d, 0.2) == pytest.approx(theirs.pvalue)


def test_the_random_sign_flip_test_comes_close_to_the_exact_one():
    d = differences(3, 13)
    exact = bootstrap.flips(clustering.units(d), 0, 0).p_at_most(-0.05)
    twice = one_call.sign_flip(np.append(d, [-0.05]), 0.05)
    assert twice == pytest.approx(exact, abs=0.02), "a question at the threshold itself changes nothing"


@pytest.mark.parametrize(("gained", "lost", "n"), [(3, 5, 40), (0, 4, 30), (6, 0, 25), (20, 31, 400)])
@pytest.mark.parametrize("difference", [-0.2, -0.05, 0.03, 0.15])
def test_tangos_statistic_uses_the_likeliest_table_with_that_difference(gained, lost, n, difference):
    def unlikeliness(loss: float) -> float:
        cells = np.array([loss + difference, loss, 1 - 2 * loss - difference])
        return -float(np.sum(np.array([gained, lost, n - gained - lost]) * np.log(np.maximum(cells, 1e-300))))

    least = max(0.0, -difference)
    found = optimize.minimize_scalar(
        unlikeliness, bounds=(least, (1 - difference) / 2), method="bounded", options={"xatol": 1e-12}
    )
    variance = n * (2 * found.x + difference - difference**2)
    expected = (gained - lost - n * difference) / np.sqrt(variance)
    assert tango.statistic(gained, lost, n, difference) == pytest.approx(expected, rel=1e-4)


def test_tangos_bounds_are_where_its_test_reaches_alpha():
    low, high = tango.interval(9, 14, 150)
    assert tango.p_value(9, 14, 150, -low) == pytest.approx(0.05, abs=1e-9)
    assert tango.p_value(14, 9, 150, high) == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize(("gained", "lost"), [(3, 9), (0, 5), (12, 12), (44, 71)])
def test_mcnemars_exact_test_agrees_with_statsmodels(gained, lost):
    table = [[10, lost], [gained, 20]]
    assert mcnemar.exact(gained, lost) == pytest.approx(contingency_tables.mcnemar(table, exact=True).pvalue)


@pytest.mark.parametrize("seed", SEEDS)
def test_holm_agrees_with_statsmodels(seed):
    p = np.random.default_rng(seed).uniform(0, 0.2, 9)
    assert holm.adjust(p.tolist()) == pytest.approx(multitest.multipletests(p, method="holm")[1].tolist())


def test_the_power_formula_agrees_with_statsmodels():
    solver = NormalIndPower(ddof=0)
    n = solver.solve_power(0.02 / np.sqrt(0.13), alpha=0.05, power=0.8, ratio=0, alternative="larger")
    assert power.questions_needed(0.02, 0.13) == int(np.ceil(n))


def test_the_smallest_margin_is_the_one_that_needs_these_questions():
    margin = power.smallest_margin(0.1, 1000, 0.002, 0.05, 0.9)
    assert power.questions_needed(margin, 0.1, 0.002, 0.05, 0.9) == 1000


def test_two_pooled_tasks_have_welchs_degrees_of_freedom():
    x, y = differences(1, 120), differences(2, 300) / 2
    ours = suite.pooled([x, y], 0.01)
    welch = stats.ttest_ind(x, -y, equal_var=False, alternative="greater")
    assert ours.df == pytest.approx(welch.df)
    assert ours.low == pytest.approx(welch.confidence_interval(0.95).low / 2)
    assert ours.delta == pytest.approx((x.mean() + y.mean()) / 2)


def test_the_bound_on_what_was_not_seen_is_clopper_and_pearsons():
    for n in (20, 198, 1000):
        theirs = stats.binomtest(0, n).proportion_ci(0.9, method="exact").high
        assert unseen.interval(0.0, n, 0.05) == pytest.approx((-theirs, theirs))


def test_uncorrelated_aggregates_are_an_unpaired_z_test():
    found = aggregate.interval(0.8, 0.012, 0.79, 0.013)
    reach = stats.norm.isf(0.05) * np.hypot(0.012, 0.013)
    assert (found.low, found.high) == pytest.approx((-0.01 - reach, -0.01 + reach))
    assert aggregate.interval(0.8, 0.01, 0.79, 0.01, correlation=1.0).standard_error == pytest.approx(0.0)


def test_without_skewness_the_corrected_bound_is_students():
    found = skewness.Skewed(0.02, 0.01, 0.0, 120)
    assert found.bound(0.05) == pytest.approx(0.02 - stats.t.isf(0.05, 119) * 0.01)


@pytest.mark.parametrize("skew", [-3.0, -0.4, 0.4, 3.0])
def test_the_corrected_bound_and_its_p_value_are_one_test(skew):
    found = skewness.Skewed(0.02, 0.01, skew, 120)
    assert found.p_at_most(found.bound(0.05)) == pytest.approx(0.05)
    assert (found.bound(0.05) < skewness.Skewed(0.02, 0.01, 0.0, 120).bound(0.05)) == (skew < 0)
