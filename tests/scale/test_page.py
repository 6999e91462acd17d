"""docs/scale.md says what is kept of the measurements, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
from benchmarks.scale import __main__ as command
from benchmarks.scale import extrapolation, page, waits
from benchmarks.scale.figures import Figure, load
from benchmarks.scale.limits import LIMITS

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


def test_without_an_axis_each_is_measured_by_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda argv, **_: started.append(argv) or SimpleNamespace(returncode=0))
    monkeypatch.setattr(sys, "argv", ["scale", "--quick"])
    assert command.main() == 0
    assert [argv[-2:] for argv in started] == [["--quick", axis] for axis in page.COSTS]


def _points(*values: tuple[int, float]) -> list[Figure]:
    return [Figure("logs", "w", size, "files", value, "ms") for size, value in values]


@pytest.mark.parametrize(
    ("points", "limit", "size"),
    [
        ([(100, 5.0)], 50.0, 1_000),
        ([(10, 5.0), (100, 5.0)], 50.0, 1_000),
        ([(10, 1.0), (100, 10.0)], 50.0, 500),
        ([(10, 1.0), (100, 100.0)], 10_000.0, 1_000),
        ([(100, 5.0)], 63.9, 1_200),
        ([], 50.0, 0),
    ],
)
def test_a_size_is_extrapolated_in_proportion_or_by_the_growth_where_that_is_steeper(
    points: list[tuple[int, float]], limit: float, size: int
) -> None:
    assert extrapolation.reached(_points(*points), limit) == size


def test_every_limit_says_how_it_is_known() -> None:
    for limit in LIMITS:
        text, how = limit.breaks(FIGURES)
        assert text
        assert how.startswith(("extrapolated", "computed", "measured", "a number of the code")), limit.what


def test_a_wait_for_a_run_on_a_cluster_costs_four_sessions_of_two_calls() -> None:
    assert waits.asked_in_a_wait() == (4, 8)
