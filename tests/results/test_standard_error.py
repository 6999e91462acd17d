from __future__ import annotations

import math
import random

import numpy as np
import pytest

from quantgate.results.sample_table import SampleRow
from quantgate.results.standard_error import clustered
from quantgate.statistics.clustering import units
from quantgate.statistics.standard_error import sandwich


def _row(question: str, score: float | None, repeat: int = 0, weight: float = 1.0, group: str = "") -> SampleRow:
    return SampleRow(question, repeat, score, weight, "", False, "x", group=group)


def test_the_known_case_of_four_clusters() -> None:
    """s=101100111011, g=000111222333: 0.1360828, as inspect_ai and statsmodels give it."""
    scores, groups = "101100111011", "000111222333"
    rows = [_row(g, float(s), i) for i, (s, g) in enumerate(zip(scores, groups, strict=True))]
    assert clustered(rows) == pytest.approx(0.1360828, abs=5e-8)
    grouped = [_row(str(i), float(s), group=g) for i, (s, g) in enumerate(zip(scores, groups, strict=True))]
    assert clustered(grouped) == pytest.approx(0.1360828, abs=5e-8)


def test_one_answer_of_zero_or_one_per_question_is_the_binomial_case() -> None:
    rows = [_row(str(i), 1.0 if i < 60 else 0.0) for i in range(198)]
    p = 60 / 198
    assert clustered(rows) == pytest.approx(math.sqrt(p * (1 - p) / 197), rel=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_it_agrees_with_the_estimator_of_the_statistics(seed: int) -> None:
    chance = random.Random(seed)
    rows = [
        _row(str(q), chance.choice([0.0, 1.0, chance.random() * 100]), r, chance.choice([1.0, 2.0, 0.5]))
        for q in range(40)
        for r in range(chance.randint(1, 5))
    ]
    scores, weights = (np.array([getattr(r, name) for r in rows]) for name in ("score", "weight"))
    expected = sandwich(units(scores, [r.question_id for r in rows], weights).residuals)
    assert clustered(rows) == pytest.approx(expected, rel=1e-12)


def test_what_has_no_score_or_no_weight_is_no_part_of_it() -> None:
    rows = [_row(str(i), float(i % 2)) for i in range(20)]
    more = [*rows, _row("unscored", None), _row("weightless", 1.0, weight=0.0)]
    assert clustered(more) == clustered(rows)


def test_one_question_has_no_standard_error_and_equal_scores_have_zero() -> None:
    assert clustered([]) is None
    assert clustered([_row("one", 1.0), _row("one", 0.0, 1)]) is None
    assert clustered([_row(str(i), 1.0) for i in range(5)]) == 0.0
