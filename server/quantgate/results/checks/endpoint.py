"""How the endpoint answered: errors, answers that were cut, traces that were taken away."""

from __future__ import annotations

from collections import Counter

from ...runs.sanitise import one_line
from ..expectation import Expectation
from ..metrics_file import ReasoningStats, ResponseStats, cut
from ..run_config import RunConfig
from ..sample_table import SampleTable
from .check import MOST, NOTICEABLE, SAME_SCORE, Check, not_shown

NEARLY_ALL_CUT = 0.9
"""A limit that cuts more than this is not one that answers fit into."""
FEWEST_CUT = 30
"""Of fewer answers none may be right for want of luck: a canary is told of the limit, and not refused."""
_KEEPS_ANSWERS = frozenset({"lm-evaluation-harness"})
"""Harnesses that ask equal prompts once (`--use_cache`)."""


def no_api_errors(
    stats: ResponseStats | None,
    problem: str,
    table: SampleTable | None,
    expectation: Expectation,
    config: RunConfig | None,
) -> Check:
    """The endpoint answered every request.

    Errors that were retried with success cost nothing, but that is only provable where a sample is exactly one request
    and each has a successful response and a score; where the harness itself marks what failed for good, they are told.
    """
    name = "no_api_errors"
    if stats is None:
        detail = one_line(problem or "no statistics of the responses: errors cannot be ruled out", 300)
        return Check(name, False, detail, "incomplete")
    if not stats.status_codes:
        return Check(name, False, "no status codes were recorded: errors cannot be ruled out", "incomplete")
    ok = stats.status_codes.get("200", 0)
    if not stats.errors:
        return _all_answered(name, ok, table, config)
    listed = ", ".join(f"{n} × {code}" for code, n in sorted(stats.errors.items())[:6])
    detail = f"{listed}; {ok} × 200"
    if table is None or expectation.answers is None or len(table.scored) < expectation.answers:
        return Check(name, False, detail, "invalid")
    if table.one_request_each and ok >= expectation.answers:
        return Check(name, True, f"{detail}: each sample has its answer after retries", "invalid")
    if table.marks_failures and len(table.scored) == len(table.rows) and not table.skipped:
        return Check(
            name, False, f"{detail}: no sample is marked as failed by the harness, which marks them", "nothing"
        )
    return Check(name, False, detail, "invalid")


def _all_answered(name: str, ok: int, table: SampleTable | None, config: RunConfig | None) -> Check:
    """Without a status of an error: a connection that broke has none, so the answers are counted."""
    if table is None or not table.one_request_each:
        return Check(name, True, f"{ok} responses, all with status 200", "invalid")
    # Equal prompts may be answered once: lm-evaluation-harness and the adapter's cache keep answers by their requests.
    reuses = config is None or config.reuses_answers or table.harness in _KEEPS_ANSWERS
    scored, different = len(table.scored), len({r.prompt or r.question_id for r in table.scored})
    least = different if reuses else scored
    if ok < least:
        # With langchain-core 1.7 ifbench 26.3 then scores another question's answer.
        whose = "questions" if reuses else "answers"
        detail = f"the endpoint answered {ok} requests, and {least} {whose} have a score: not all of the answers are their own"
        return Check(name, False, detail, "invalid")
    if ok < scored:
        return not_shown(
            name, f"the endpoint answered {ok} requests for {scored} scores; equal requests are answered once here"
        )
    return Check(name, True, f"{ok} responses, all with status 200", "invalid")


def truncation(stats: ResponseStats | None, table: SampleTable | None, expectation: Expectation) -> Check:
    """Hardly any answer was cut at the token limit; a fact to weigh, not a fault: a base model may never stop.

    Where nearly all were cut and none of them is worth anything, the score is that of the limit, and of no model.
    """
    name = "truncation"
    share, longest = stats.truncated_share if stats is not None else None, 0.0
    if stats is not None:
        longest = stats.longest_completion_tokens
    if share is None and table is not None:
        reasons = Counter(r.finish for r in table.rows if r.finish)
        share = cut(reasons) / reasons.total() if reasons else None
    if share is None:
        return not_shown(name, "no finish reasons were recorded")
    if 0 < longest <= 1:
        return Check(name, True, "requests for one token each, as for log-probabilities: nothing was cut", "nothing")
    detail = f"{share:.1%} of the answers were cut at the token limit"
    if longest:
        detail += f" (longest answer {longest:.0f} tokens)"
    if share > NEARLY_ALL_CUT and _worth_nothing(table, expectation):
        return Check(name, False, f"{detail}, and none has more than the worst score: raise max_new_tokens", "invalid")
    return Check(name, share <= NOTICEABLE, detail, "nothing")


def _worth_nothing(table: SampleTable | None, expectation: Expectation) -> bool:
    """Whether enough answers were scored to tell, and each has the worst score of the metric."""
    if table is None or not expectation.has_scale or len(table.scored) < FEWEST_CUT:
        return False
    worst = expectation.minimum if expectation.higher_is_better else expectation.maximum
    return all(r.score is not None and abs(r.score - worst) <= SAME_SCORE for r in table.scored)


def traces_stripped(config: RunConfig | None, stats: ReasoningStats | None) -> Check:
    """Where traces are cut off answers (process_reasoning_traces), there were traces, they ended, and an answer was left.

    By the statistics of nemo-evaluator's reasoning interceptor (0.2.8). It keeps an answer without an end of a trace whole,
    unless `include_if_not_finished` is false: then such an answer becomes empty, also one that never had a trace.
    """
    name = "traces_stripped"
    if config is None:
        return not_shown(name, "run_config.yml cannot be read")
    if not config.strips_traces:
        return Check(name, True, "traces are not cut off answers", "invalid")
    if stats is None or not stats.responses:
        return not_shown(name, "traces are cut off answers, and nothing was counted of it")
    without_end = stats.responses - stats.finished
    share = without_end / stats.responses
    counted = f"{stats.responses} answers: {stats.started} with a trace, {stats.finished} with its end"
    if not config.keeps_unfinished and share > NOTICEABLE:
        detail = f"{counted}; {without_end} were emptied (include_if_not_finished: false)"
        return Check(name, False, detail, "invalid" if share > MOST else "nothing")
    if not stats.started and not stats.finished:
        # Newer servers hand traces over in a field that the statistics do not look at.
        detail = f"{counted}: thinking was off, the marks are others, or the server's parser took the traces"
        return Check(name, False, detail, "nothing")
    unfinished = stats.unfinished / stats.responses
    if unfinished > NOTICEABLE:
        return Check(name, False, f"{counted}; {stats.unfinished} were scored as traces that never ended", "nothing")
    return Check(name, True, counted, "invalid")
