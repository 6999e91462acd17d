"""How the endpoint answered a task, by artifacts/eval_factory_metrics.json (the response_stats interceptor)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..runs.opening import open_file
from .results_yml import mapping_at, number

MAX_METRICS_BYTES = 8 << 20
CUT = frozenset({"length", "max_tokens", "max_output_tokens"})
"""The words of endpoints, in any case, for an answer that the token limit cut."""


def cut(reasons: Mapping[str, int]) -> int:
    """Of how many answers the finish reason says that the token limit cut them."""
    return sum(n for word, n in reasons.items() if word.lower() in CUT)


@dataclass(frozen=True)
class ResponseStats:
    """How the endpoint answered.

    Attributes:
        count: All responses, retried ones included.
        successful: Those with status 200.
        finish_reasons: How often each was given ("stop", "length").
        status_codes: How often each came.
        average_prompt_tokens: Per successful request; 0 when not reported, as in the rest.
        average_completion_tokens: Per successful request.
        longest_completion_tokens: Of the longest answer.
        average_latency_ms: Per request, in milliseconds.
        inference_seconds: From the first request to the last answer, summed over the runs of a resumed task.
        longest_latency_ms: Of the slowest request, in milliseconds.
    """

    count: int
    successful: int
    finish_reasons: Mapping[str, int]
    status_codes: Mapping[str, int]
    average_prompt_tokens: float
    average_completion_tokens: float
    longest_completion_tokens: float
    average_latency_ms: float
    inference_seconds: float
    longest_latency_ms: float = 0.0

    @property
    def truncated(self) -> int:
        """Answers that the token limit cut."""
        return cut(self.finish_reasons)

    @property
    def truncated_share(self) -> float | None:
        """The share of answers that the token limit cut; None when no finish reason was recorded."""
        total = sum(self.finish_reasons.values())
        return self.truncated / total if total else None

    @property
    def errors(self) -> dict[str, int]:
        """The responses with another status than 200."""
        return {code: n for code, n in self.status_codes.items() if code != "200" and n > 0}


@dataclass(frozen=True)
class ReasoningStats:
    """What was cut off the answers, by nemo-evaluator's reasoning interceptor.

    Attributes:
        responses: Answers that it looked at.
        started: Those with a trace, as far as its marks or its field tell.
        finished: Those whose trace ended.
        unfinished: Those whose trace did not.
    """

    responses: int
    started: int
    finished: int
    unfinished: int


@dataclass(frozen=True)
class Metrics:
    """Both, each None where its interceptor was off."""

    responses: ResponseStats | None = None
    reasoning: ReasoningStats | None = None


def read_metrics(artifacts: Path) -> Metrics:
    """What eval_factory_metrics.json says.

    Raises:
        BadInput: It is there and cannot be read.
    """
    path = artifacts / "eval_factory_metrics.json"
    if not path.is_file():
        return Metrics()
    try:
        with open_file(path) as file:
            data = json.loads(file.read(MAX_METRICS_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput("eval_factory_metrics.json is not complete JSON", where=str(path)) from error
    return Metrics(_responses(mapping_at(data, "response_stats")), _reasoning(mapping_at(data, "reasoning")))


def _reasoning(stats: Mapping[str, Any]) -> ReasoningStats | None:
    if not stats:
        return None
    return ReasoningStats(
        responses=int(number(stats.get("total_responses")) or 0),
        started=int(number(stats.get("reasoning_started_count")) or 0),
        finished=int(number(stats.get("reasoning_finished_count")) or 0),
        unfinished=int(number(stats.get("reasoning_unfinished_count")) or 0),
    )


def _responses(stats: Mapping[str, Any]) -> ResponseStats | None:
    if not stats:
        return None
    return ResponseStats(
        count=int(number(stats.get("count")) or 0),
        successful=int(number(stats.get("successful_count")) or 0),
        finish_reasons=_counts(stats.get("finish_reason")),
        status_codes=_counts(stats.get("status_codes")),
        average_prompt_tokens=number(stats.get("avg_prompt_tokens")) or 0.0,
        average_completion_tokens=number(stats.get("avg_completion_tokens")) or 0.0,
        longest_completion_tokens=number(stats.get("max_completion_tokens")) or 0.0,
        average_latency_ms=number(stats.get("avg_latency_ms")) or 0.0,
        inference_seconds=number(stats.get("inference_time")) or 0.0,
        longest_latency_ms=number(stats.get("max_latency_ms")) or 0.0,
    )


def _counts(value: Any) -> dict[str, int]:
    if not isinstance(value, Mapping):
        return {}
    return {str(k)[:40]: int(n) for k, v in value.items() if (n := number(v)) is not None and n > 0}
