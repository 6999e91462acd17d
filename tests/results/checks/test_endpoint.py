from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from quantgate.results.checks import endpoint
from quantgate.results.metrics_file import ReasoningStats, ResponseStats, read_metrics
from quantgate.results.run_config import RunConfig, read_run_config

from ..building import EXPECTED
from .made import essay, row, table
from .test_answers import kind

STRIPPING = RunConfig(None, "m", "http://h", {}, strips_traces=True)
EMPTYING = RunConfig(None, "m", "http://h", {}, strips_traces=True, keeps_unfinished=False)


def _stats(**finish: int) -> ResponseStats:
    return ResponseStats(200, 200, finish, {"200": 200}, 0, 0, 512, 0, 0)


@pytest.mark.parametrize(("cut", "expected"), [(0, "ok"), (2, "ok"), (3, "warns"), (24, "warns"), (200, "warns")])
def test_truncation_is_told_above_one_percent_and_never_breaks_a_run(cut: int, expected: str) -> None:
    found = endpoint.truncation(_stats(stop=200 - cut, length=cut), None, EXPECTED)
    assert kind(found) == expected
    if cut == 24:
        assert found.detail == "12.0% of the answers were cut at the token limit (longest answer 512 tokens)"


def test_requests_for_log_probabilities_are_cut_by_design() -> None:
    assert kind(endpoint.truncation(replace(_stats(length=200), longest_completion_tokens=1), None, EXPECTED)) == "ok"
    assert (
        kind(endpoint.truncation(replace(_stats(length=200), longest_completion_tokens=0), None, EXPECTED)) == "warns"
    )


@pytest.mark.parametrize("word", ["length", "max_tokens", "LENGTH"])
def test_the_samples_tell_of_truncation_where_the_statistics_do_not(word: str) -> None:
    rows = [row(i, essay(i), finish=word if i < 5 else "stop") for i in range(20)]
    assert endpoint.truncation(_stats(), table(rows), EXPECTED).detail.startswith(
        "25.0% of the answers were cut at the token limit"
    )
    assert kind(endpoint.truncation(None, table([row(1, essay(1))]), EXPECTED)) == "not shown"


@pytest.mark.parametrize(
    ("config", "stats", "expected", "said"),
    [
        (STRIPPING, ReasoningStats(200, 200, 200, 0), "ok", "200 answers: 200 with a trace, 200 with its end"),
        (STRIPPING, ReasoningStats(200, 0, 0, 0), "warns", "thinking was off, the marks are others"),
        (STRIPPING, ReasoningStats(200, 200, 180, 20), "warns", "20 were scored as traces that never ended"),
        (STRIPPING, ReasoningStats(200, 200, 199, 1), "ok", ""),
        (EMPTYING, ReasoningStats(200, 200, 190, 10), "warns", "10 were emptied"),
        (EMPTYING, ReasoningStats(200, 0, 0, 0), "invalid", "200 were emptied"),
        (STRIPPING, None, "not shown", "nothing was counted of it"),
        (RunConfig(None, "m", "u", {}), None, "ok", "traces are not cut off answers"),
        (None, None, "not shown", "run_config.yml cannot be read"),
    ],
)
def test_traces_are_stripped_from_models_that_give_some(
    config: RunConfig | None, stats: ReasoningStats | None, expected: str, said: str
) -> None:
    found = endpoint.traces_stripped(config, stats)
    assert kind(found) == expected
    assert said in found.detail


RUN_CONFIG = """
config: {{params: {{limit_samples: null}}}}
target:
  api_endpoint:
    adapter_config:
      interceptors:
      - {{name: caching, enabled: true, config: {{}}}}
      - {{name: reasoning, enabled: {enabled}, config: {{end_reasoning_token: "</think>", include_if_not_finished: {keep}}}}}
"""


@pytest.mark.parametrize(
    ("enabled", "keep", "strips", "keeps"),
    [
        ("true", "true", True, True),
        ("true", "false", True, False),
        ("false", "false", False, True),
        ("true", "null", True, True),
    ],
)
def test_the_interceptor_of_traces_is_found_in_run_config(
    tmp_path: Path, enabled: str, keep: str, strips: bool, keeps: bool
) -> None:
    """Laid out as nemo-evaluator 0.2.8 writes a chain of interceptors."""
    (tmp_path / "run_config.yml").write_text(RUN_CONFIG.format(enabled=enabled, keep=keep))
    found = read_run_config(tmp_path)
    assert (found.strips_traces, found.keeps_unfinished) == (strips, keeps)


def test_the_figures_of_the_traces_are_read_from_where_the_interceptor_writes_them(tmp_path: Path) -> None:
    """The section `reasoning` of eval_factory_metrics.json, by the names of nemo-evaluator 0.2.8."""
    figures = {
        "total_responses": 8,
        "reasoning_started_count": 7,
        "reasoning_finished_count": 5,
        "reasoning_unfinished_count": 2,
    }
    (tmp_path / "eval_factory_metrics.json").write_text(json.dumps({"reasoning": {"description": "", **figures}}))
    assert read_metrics(tmp_path).reasoning == ReasoningStats(8, 7, 5, 2)
    (tmp_path / "eval_factory_metrics.json").write_text(json.dumps({"response_stats": {"count": 1}}))
    assert read_metrics(tmp_path).reasoning is None


CACHING = RunConfig(None, "m", "http://h", {}, reuses_answers=True)
ASKING = RunConfig(None, "m", "http://h", {})


@pytest.mark.parametrize(
    ("prompts", "config", "answered", "expected"),
    [
        ("aab", CACHING, 2, "not shown"),
        ("aab", None, 2, "not shown"),
        ("aab", CACHING, 3, "ok"),
        ("aab", ASKING, 2, "invalid"),
        ("aab", ASKING, 3, "ok"),
        ("abc", CACHING, 2, "invalid"),
        ("   ", CACHING, 2, "invalid"),
    ],
)
def test_each_answer_needs_a_request_of_its_own_where_no_cache_may_have_given_it(
    prompts: str, config: RunConfig | None, answered: int, expected: str
) -> None:
    rows = [replace(row(i, essay(i)), prompt=prompt.strip()) for i, prompt in enumerate(prompts)]
    single = replace(table(rows), one_request_each=True)
    found = endpoint.no_api_errors(replace(_stats(), status_codes={"200": answered}), "", single, EXPECTED, config)
    assert kind(found) == expected


def test_a_lost_request_among_repeats_is_found() -> None:
    rows = [replace(row(q, essay(q * 4 + r), repeat=r), prompt=f"p{q}") for q in range(50) for r in range(4)]
    single = replace(table(rows), one_request_each=True)
    found = endpoint.no_api_errors(replace(_stats(), status_codes={"200": 199}), "", single, EXPECTED, ASKING)
    assert (kind(found), "199 requests, and 200 answers have a score" in found.detail) == ("invalid", True)


def test_lm_evaluation_harness_keeps_answers_by_itself() -> None:
    rows = [replace(row(i, essay(i)), prompt="same") for i in range(3)]
    kept = replace(table(rows), harness="lm-evaluation-harness", one_request_each=True)
    found = endpoint.no_api_errors(replace(_stats(), status_codes={"200": 2}), "", kept, EXPECTED, ASKING)
    assert kind(found) == "not shown"


@pytest.mark.parametrize(
    ("marks", "skipped", "lost", "expected"),
    [(True, 0, 0, "warns"), (False, 0, 0, "invalid"), (True, 1, 0, "invalid"), (True, 0, 1, "invalid")],
)
def test_a_retried_request_of_a_dialogue_is_told_where_the_harness_marks_what_failed(
    marks: bool, skipped: int, lost: int, expected: str
) -> None:
    rows = [row(i, essay(i), None if i < lost else 1.0, error="failed" if i < lost else "") for i in range(20)]
    dialogues = replace(table(rows, skipped=skipped), marks_failures=marks)
    stats = replace(_stats(), count=20_001, successful=20_000, status_codes={"200": 20_000, "429": 1})
    found = endpoint.no_api_errors(stats, "", dialogues, replace(EXPECTED, samples=20, limit=None), ASKING)
    assert kind(found) == expected
    assert "1 × 429; 20000 × 200" in found.detail


SCALED = replace(EXPECTED, samples=200, limit=None)


@pytest.mark.parametrize(
    ("cut", "right", "count", "expected"),
    [
        (200, 0, 200, "invalid"),
        (181, 0, 200, "invalid"),
        (180, 0, 200, "warns"),
        (200, 1, 200, "warns"),
        (10, 0, 10, "warns"),
    ],
)
def test_a_limit_that_cuts_nearly_every_answer_and_leaves_none_right_makes_the_score_invalid(
    cut: int, right: int, count: int, expected: str
) -> None:
    rows = [row(i, essay(i), 1.0 if i < right else 0.0) for i in range(count)]
    total = max(count, 10)
    found = endpoint.truncation(_stats(stop=total - cut, length=cut), table(rows), SCALED)
    assert kind(found) == expected


def test_without_a_scale_no_score_is_the_worst() -> None:
    rows = [row(i, essay(i), 0.0) for i in range(200)]
    assert kind(endpoint.truncation(_stats(length=200), table(rows), replace(SCALED, has_scale=False))) == "warns"


@pytest.mark.parametrize("word", ["length", "max_tokens", "MAX_TOKENS", "max_output_tokens"])
def test_the_statistics_and_the_samples_know_the_same_words_for_a_cut_answer(word: str) -> None:
    assert _stats(**{word: 50, "stop": 150}).truncated_share == 0.25
    rows = [row(i, essay(i), finish=word if i < 5 else "stop") for i in range(20)]
    assert endpoint.truncation(None, table(rows), EXPECTED).detail.startswith("25.0%")
