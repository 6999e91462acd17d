"""What a canary's figures predict, worked out by hand beside it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from quantgate.gates.judgement import estimate
from quantgate.gates.judgement.estimate import TaskFigures
from quantgate.results import verify
from quantgate.runs.rundir import RunDir

from ..results.building import EXPECTED
from ..runs.building import REAL, TASK

PLAIN = TaskFigures(
    task="a.plain",
    answers=10,
    requests=10,
    errors=0,
    seconds=24.0,
    latency_seconds=12.0,
    slowest_seconds=20.0,
    prompt_tokens=100.0,
    completion_tokens=400.0,
    longest_answer=700,
    truncated=0,
    judged=False,
    parallelism=5,
    max_new_tokens=1024,
    request_timeout=600.0,
    slots=0,
    full_answers=300,
)
JUDGED = dataclasses.replace(PLAIN, task="b.judged", judged=True, full_answers=100, completion_tokens=600.0)


def _with(**changes: Any) -> TaskFigures:
    return dataclasses.replace(PLAIN, **changes)


def test_the_real_run_is_measured_as_its_files_say() -> None:
    run = RunDir.find(REAL)
    (figures,) = estimate.measure(run, verify.verify(run, {TASK: EXPECTED}), None)
    assert (figures.task, figures.answers, figures.requests, figures.errors) == ("ifbench.ifbench", 20, 20, 0)
    assert (figures.truncated, figures.longest_answer, figures.max_new_tokens, figures.parallelism) == (20, 96, 96, 4)
    assert figures.seconds == pytest.approx(37.815, abs=0.001)
    assert figures.latency_seconds == pytest.approx(7.536, abs=0.001)
    assert figures.slowest_seconds == pytest.approx(10.371, abs=0.001)
    assert (figures.request_timeout, figures.full_answers) == (0.0, -1)
    told = estimate.estimate([dataclasses.replace(figures, full_answers=294)], 0)
    assert (told["requests"], told["gpu_hours"], told["truncated_share"]) == (294, 0.0, 1.0)
    assert told["hours"] == pytest.approx(37.815 / 20 * 294 / 3600, abs=0.001)
    # 20 requests at parallelism 4: the canary's own pace is already nearly that of the full run.
    assert told["hours_at_best"] == pytest.approx(7.536 * 294 / 4 / 3600, abs=0.001)
    assert told["hours_at_best"] == pytest.approx(told["hours"], rel=0.01)


def test_hours_are_the_canary_s_pace_and_gpu_hours_follow() -> None:
    told = estimate.estimate([PLAIN, JUDGED], 8)
    assert told["requests"] == 400
    assert told["hours"] == pytest.approx((300 + 100) * 2.4 / 3600, abs=0.001)
    assert told["gpu_hours"] == pytest.approx(told["hours"] * 8, abs=0.01)
    assert told["judge_requests"] == 100
    assert (told["tokens_per_sample"], told["prompt_tokens"], told["latency_seconds"]) == (500.0, 100.0, 12.0)
    assert estimate.estimate([PLAIN], None)["gpu_hours"] == -1


def test_a_parallelism_that_the_canary_could_not_use_gives_a_second_bound() -> None:
    wide = _with(parallelism=64, full_answers=6400)
    told = estimate.estimate([wide], 0)
    assert told["hours"] == pytest.approx(6400 * 2.4 / 3600, abs=0.001)
    assert told["hours_at_best"] == pytest.approx(6400 * 12 / 64 / 3600, abs=0.001)
    # A server that takes 16 at once cannot be faster than that.
    told = estimate.estimate([dataclasses.replace(wide, slots=16)], 0)
    assert told["hours_at_best"] == pytest.approx(6400 * 12 / 16 / 3600, abs=0.001)
    # 10 requests at 5 of 12 s each: two full waves, nothing to gain.
    assert estimate.estimate([PLAIN], 0)["hours_at_best"] == estimate.estimate([PLAIN], 0)["hours"]


def test_the_last_wave_of_a_short_canary_is_not_taken_for_the_pace_of_a_long_run() -> None:
    # 10 requests at 8: the second wave has 2, and the full run's waves are full.
    told = estimate.estimate([_with(parallelism=8)], 0)
    assert told["hours"] == pytest.approx(300 * 2.4 / 3600, abs=0.001)
    assert told["hours_at_best"] == pytest.approx(300 * 12 / 8 / 3600, abs=0.001)


@pytest.mark.parametrize("changes", [{"parallelism": 0}, {"latency_seconds": 0.0}])
def test_without_parallelism_or_latency_there_is_one_bound(changes: dict[str, Any]) -> None:
    told = estimate.estimate([_with(**changes)], 0)
    assert told["hours_at_best"] == told["hours"]


def test_a_dialogue_s_requests_are_counted_at_the_canary_s_own_rate() -> None:
    assert estimate.estimate([_with(requests=125)], 0)["requests"] == 3750


def test_a_task_of_unknown_size_is_left_out_and_said_to_be() -> None:
    unknown = dataclasses.replace(JUDGED, full_answers=-1)
    told = estimate.estimate([PLAIN, unknown], 0)
    assert (told["requests"], told["judge_requests"]) == (300, -1)
    assert any(note.startswith("b.judged: the size of its full set") for note in estimate.notes([unknown]))


def test_no_figures_predict_nothing() -> None:
    told = estimate.estimate([], 0)
    assert set(told.values()) == {0}
    assert estimate.notes([]) == []


def test_shares_and_errors_are_over_all_tasks() -> None:
    cut = _with(truncated=5)
    cached = dataclasses.replace(JUDGED, requests=6, errors=2)
    told = estimate.estimate([cut, cached], 0)
    assert told["truncated_share"] == pytest.approx(5 / 16, abs=0.001)
    assert told["cached_share"] == pytest.approx(4 / 20, abs=0.001)
    assert told["errors"] == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "max_new_tokens fits: the longest answer has 700 of 1024 tokens"),
        ({"longest_answer": 900}, "max_new_tokens may not fit: the longest answer has 900 of 1024 tokens"),
        ({"truncated": 3}, "max_new_tokens 1024 cut 30% of the answers"),
        ({"max_new_tokens": 0}, "no max_new_tokens is set"),
        ({}, "parallelism 5 was tried: 10 requests, 0 errors"),
        ({"parallelism": 64}, "parallelism 64 was not tried, the canary made 10 requests"),
        ({"parallelism": 400}, "parallelism 400 is more than the 300 answers of the full set"),
        ({"parallelism": 64, "slots": 16}, "parallelism 64 is far above the 16 requests that the server takes at once"),
        ({"slowest_seconds": 310.0}, "the slowest request took 310 s of a request_timeout of 600 s"),
        ({"errors": 2}, "2 responses were errors"),
        ({"requests": 4}, "6 of 10 answers came from the response cache"),
    ],
)
def test_a_note_says_whether_it_fits(changes: dict[str, Any], said: str) -> None:
    assert any(note.startswith(f"a.plain: {said}") for note in estimate.notes([_with(**changes)]))


def test_what_fits_gets_no_warning() -> None:
    assert len(estimate.notes([PLAIN])) == 2


def test_the_ledger_keeps_the_figures_and_another_version_s_are_left_out() -> None:
    rows = estimate.as_detail([PLAIN, JUDGED])
    assert estimate.from_detail(rows) == (PLAIN, JUDGED)
    assert estimate.from_detail([{**rows[0], "new": 1}, {"task": "x"}, 3]) == ()
    assert estimate.from_detail(None) == ()
