"""All tasks together, and scores without their answers."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from quantgate.statistics import aggregate, holm, power, suite, tango
from quantgate.statistics.aggregate import Aggregate


def noisy(questions: int, seed: int, spread: float = 0.15) -> np.ndarray:
    d = np.random.default_rng(seed).normal(0, spread, questions).clip(-1, 1)
    return d - d.mean()


def test_tasks_that_are_inconclusive_alone_can_pass_together():
    tasks = [noisy(300, seed) for seed in range(10)]
    assert all(suite.pooled([t], 0.01).low < -0.01 for t in tasks)
    assert suite.pooled(tasks, 0.01).low > -0.01


def test_each_task_has_the_same_weight_however_many_questions_it_has():
    found = suite.pooled([np.full(1000, 0.0) + noisy(1000, 1), np.full(50, -0.1) + noisy(50, 2)], 0.01)
    assert found.delta == pytest.approx(-0.05)


def test_a_task_that_shows_no_spread_does_not_vouch_for_itself():
    found = suite.pooled([np.zeros(30)] * 3, 0.01)
    assert found.degenerate
    assert found.low < -0.03, "ninety questions leave 3.3 points open"
    assert suite.pooled([np.zeros(400)] * 3, 0.01).low > -0.01
    assert suite.pooled([np.zeros(30), noisy(2000, 1)], 0.01).low < -0.04, "its error is not 0 among other tasks either"


def test_a_task_with_one_question_keeps_the_suite_open():
    assert suite.pooled([noisy(2000, 1), np.zeros(1)], 0.01).low < -0.4


def test_clusters_within_a_task_widen_the_suites_interval():
    d = np.repeat(noisy(100, 3), 5)
    groups = [i // 5 for i in range(500)]
    alone, clustered = suite.pooled([d, d], 0.01), suite.pooled([d, d], 0.01, groups=[groups, groups])
    assert clustered.standard_error == pytest.approx(np.sqrt(5) * alone.standard_error, rel=0.02)
    assert suite.pooled([d, d], 0.01, groups=[None, groups]).standard_error < clustered.standard_error


def test_no_task_is_an_error_of_the_caller():
    with pytest.raises(ValueError, match="no task"):
        suite.pooled([], 0.01)


def test_aggregates_are_judged_without_correlation_and_show_what_others_would_say():
    found, sensitivity = aggregate.decide(Aggregate(0.8, 0.004), Aggregate(0.8, 0.004), 0.008)
    assert (found.method, found.verdict) == ("aggregate", "INCONCLUSIVE")
    assert set(sensitivity) == {0.5, 0.9}
    assert sensitivity[0.5][0] > -0.008 > found.low


def test_a_missing_standard_error_is_that_of_as_many_questions():
    found, _ = aggregate.decide(Aggregate(0.8, None, 500), Aggregate(0.7, None, 500), 0.01)
    assert found.standard_error == pytest.approx(np.sqrt(0.16 / 499 + 0.21 / 499))
    assert found.verdict == "REGRESSION"


def test_without_questions_and_standard_error_nothing_is_said():
    found, sensitivity = aggregate.decide(Aggregate(0.8, 0.01), Aggregate(0.8), 0.01)
    assert (found.verdict, found.low, sensitivity) == ("INCONCLUSIVE", None, {})
    assert "the candidate reports neither" in found.reasons[0]


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_two_perfect_scores_of_few_questions_do_not_certify_a_point(score):
    few, _ = aggregate.decide(Aggregate(score, 0.0, 299), Aggregate(score, 0.0, 299), 0.01)
    many, _ = aggregate.decide(Aggregate(score, 0.0, 500), Aggregate(score, 0.0, 500), 0.01)
    unknown, _ = aggregate.decide(Aggregate(score, 0.0), Aggregate(score, 0.0), 0.01)
    assert (few.verdict, many.verdict, unknown.verdict) == ("INCONCLUSIVE", "PASS", "INCONCLUSIVE")


@pytest.mark.parametrize("score", [-0.2, 1.2, float("nan")])
def test_a_score_off_the_scale_is_not_judged(score):
    assert aggregate.decide(Aggregate(score, 0.1), Aggregate(0.5, 0.1), 0.01)[0].verdict == "INCONCLUSIVE"


def test_impossible_arguments_are_errors_of_the_caller():
    for call in (
        lambda: aggregate.binomial_se(0.5, 1),
        lambda: aggregate.interval(0.5, -0.1, 0.5, 0.1),
        lambda: holm.adjust([0.1, 1.2]),
        lambda: power.questions_needed(0.01, 0.1, delta=0.01),
        lambda: power.smallest_margin(0.1, 0),
        lambda: tango.interval(3, 3, 5),
        lambda: tango.p_value(1, 1, 5, 1.0),
    ):
        with pytest.raises(ValueError, match=r"\w+ \w+"):
            call()


def test_what_needs_no_arrays_does_not_import_numpy():
    modules = ("aggregate", "decision", "holm", "mcnemar", "power", "tango", "unseen")
    code = "import sys\n" + "\n".join(f"import quantgate.statistics.{m}" for m in modules)
    code += "\nsys.exit(any(m in sys.modules for m in ('numpy', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_standard_error_of_repeats_that_were_counted_as_questions_is_not_believed():
    # 198 questions, 16 answers each: sqrt(p (1 - p) / 3168) is a quarter of what 198 questions can tell.
    found, _ = aggregate.decide(Aggregate(0.70, 0.0081, 198), Aggregate(0.665, 0.0084, 198), 0.01)
    assert found.verdict == "INCONCLUSIVE"
    assert found.standard_error == pytest.approx(
        math.hypot(aggregate.binomial_se(0.7, 198), aggregate.binomial_se(0.665, 198))
    )
    assert "which 198 questions cannot have" in found.reasons[-1]


def test_a_standard_error_of_graded_scores_and_one_of_no_mean_are_believed():
    graded, _ = aggregate.decide(Aggregate(0.7, 0.015, 198), Aggregate(0.7, 0.015, 198), 0.05)
    assert graded.standard_error == pytest.approx(math.hypot(0.015, 0.015))
    index = Aggregate(0.7, 0.002, 198, is_mean=False)
    assert aggregate.decide(index, index, 0.05)[0].standard_error == pytest.approx(math.hypot(0.002, 0.002))
