"""docs/scale.md says what is kept of the measurements, and nothing else."""

from __future__ import annotations

import pytest
from benchmarks.scale import page
from benchmarks.scale.figures import load

_, FIGURES, BEFORE = load()


def test_the_page_is_the_one_that_the_kept_figures_give() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.written(), "run `python -m benchmarks.scale page`"


def test_every_limit_and_every_mend_on_the_page_was_measured() -> None:
    assert page.NOT_MEASURED not in page.written()


@pytest.mark.parametrize(
    ("axis", "of", "size"),
    [("ledgers", "runs", 10_000), ("sweeps", "jobs", 1_000), ("servers", "servers", 200), ("logs", "GB", 1_000)],
)
def test_each_axis_was_measured_at_the_size_that_is_claimed(axis: str, of: str, size: int) -> None:
    assert any((f.axis, f.of, f.size) == (axis, of, size) for f in FIGURES)


def test_no_figure_is_kept_twice() -> None:
    for kept in (FIGURES, BEFORE):
        keys = [f.key for f in kept]
        assert len(keys) == len(set(keys))
