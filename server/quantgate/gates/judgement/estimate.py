"""What a canary measured, what that predicts for a run, and whether max_new_tokens and parallelism fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...results import verify
from ...runs.rundir import RunDir
from ..planning import plan

UNKNOWN = -1
NARROW = 0.8
"""A longest answer above this share of max_new_tokens leaves little room: the full set has longer ones."""
SLOW = 0.5
"""A slowest request above this share of request_timeout will meet it when the load grows."""
CROWDED = 2
"""Parallelism above this multiple of what the server takes at once only makes requests wait."""


@dataclass(frozen=True)
class TaskFigures:
    """What the canary measured of one task.

    Attributes:
        task: Its name in the config.
        answers: Samples times repeats that were asked for.
        requests: Requests that were answered with status 200; more than answers for a dialogue, fewer when some came from the
            response cache.
        errors: Responses with another status; each was retried or lost.
        seconds: From the first request to the last answer.
        latency_seconds: Mean of a request.
        slowest_seconds: Of the slowest request.
        prompt_tokens: Mean of a request.
        completion_tokens: Mean of a request.
        longest_answer: Tokens.
        truncated: Answers that max_new_tokens cut.
        judged: Whether a judge scores each answer.
        parallelism: As configured; 0 when not known, as in the next two.
        max_new_tokens: As configured.
        request_timeout: Seconds.
        slots: Requests that the run's own servers take at once; 0 when not known.
        full_answers: Samples times repeats of the full set; -1 when not known.
    """

    task: str
    answers: int
    requests: int
    errors: int
    seconds: float
    latency_seconds: float
    slowest_seconds: float
    prompt_tokens: float
    completion_tokens: float
    longest_answer: int
    truncated: int
    judged: bool
    parallelism: int
    max_new_tokens: int
    request_timeout: float
    slots: int
    full_answers: int

    @property
    def cached(self) -> int:
        """Answers that had no request of their own, at least."""
        return max(0, self.answers - self.requests)

    @property
    def per_answer(self) -> float:
        """Requests that one answer took."""
        return self.requests / self.answers if self.answers else 1.0

    def hours(self, answers: int) -> float:
        """For a number of answers at the canary's own pace."""
        return self.seconds / self.answers * answers / 3600 if self.answers else 0.0

    def hours_at_best(self, answers: int) -> float:
        """For a number of answers when all of the parallelism is always used, and a request takes as long as in the canary."""
        wanted = answers * self.per_answer
        at_once = min(self.parallelism, wanted, *([self.slots] if self.slots else []))
        if at_once < 1 or not self.latency_seconds:
            return self.hours(answers)
        return min(self.hours(answers), self.latency_seconds * wanted / at_once / 3600)


def measure(run: RunDir, verification: verify.Verification, planned: plan.Plan | None) -> tuple[TaskFigures, ...]:
    """The figures of each task that recorded how the endpoint answered.

    Args:
        run: The canary.
        verification: Of all its tasks.
        planned: The config that it was launched from; None when it cannot be read any more.
    """
    known = {task.name: task for task in planned.tasks} if planned else {}
    slots = (planned.slots() if planned else None) or 0
    found = []
    for checked in verification.tasks:
        directory = run.task(checked.task)
        if directory is not None and checked.stats is not None and checked.stats.count:
            # By name: NEL counts the tasks of a filtered launch from zero again.
            used = verify.used_parameters(directory)
            found.append(_figures(checked, used, known.get(directory.name), slots, directory.name))
    return tuple(found)


def _figures(
    checked: verify.TaskVerification, used: Mapping[str, Any], task: plan.PlannedTask | None, slots: int, name: str
) -> TaskFigures:
    stats = checked.stats
    assert stats is not None
    full = task.requests(0) if task else None
    return TaskFigures(
        task=name,
        answers=checked.samples_expected or stats.successful,
        requests=stats.successful,
        errors=stats.count - stats.successful,
        seconds=stats.inference_seconds,
        latency_seconds=stats.average_latency_ms / 1000,
        slowest_seconds=stats.longest_latency_ms / 1000,
        prompt_tokens=stats.average_prompt_tokens,
        completion_tokens=stats.average_completion_tokens,
        longest_answer=int(stats.longest_completion_tokens),
        truncated=stats.truncated,
        judged=bool(task and plan.JUDGE in task.classes),
        parallelism=int(_positive(used.get("parallelism"))),
        max_new_tokens=int(_positive(used.get("max_new_tokens"))),
        request_timeout=_positive(used.get("request_timeout")),
        slots=slots,
        full_answers=UNKNOWN if full is None else full,
    )


def _positive(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0.0


def estimate(figures: Sequence[TaskFigures], gpus: int | None) -> dict[str, float]:
    """What the canary predicts for a run of the full sets; a task whose set's size is not known is left out.

    Args:
        figures: Of the canary's tasks.
        gpus: That the run holds: 0 for an endpoint of somebody else; None when the config does not tell.

    Returns:
        `requests`, `judge_requests` (-1 when a judged task's size is not known), `hours` at the canary's own pace,
        `hours_at_best` when all of `parallelism` is always used at the canary's latency, `gpu_hours` (hours x GPUs; -1 when
        not known), and of the canary's answers: `truncated_share`, `cached_share` (at least), `tokens_per_sample`,
        `prompt_tokens`, `latency_seconds` (means), `longest_answer` (tokens), `errors` (responses with another status than 200).
    """
    known = [(f, f.full_answers) for f in figures if f.full_answers >= 0]
    hours = sum(f.hours(n) for f, n in known)
    judged = [f.full_answers for f in figures if f.judged]
    requests, asked = sum(f.requests for f in figures), sum(f.answers for f in figures)
    return {
        "requests": round(sum(n * f.per_answer for f, n in known)),
        "judge_requests": UNKNOWN if UNKNOWN in judged else sum(judged),
        "hours": round(hours, 3),
        "hours_at_best": round(sum(f.hours_at_best(n) for f, n in known), 3),
        "gpu_hours": float(UNKNOWN) if gpus is None else round(hours * gpus, 3),
        "truncated_share": _share(sum(f.truncated for f in figures), requests),
        "cached_share": _share(sum(f.cached for f in figures), asked),
        "tokens_per_sample": _mean([(f.completion_tokens, f.requests) for f in figures], requests, 1),
        "prompt_tokens": _mean([(f.prompt_tokens, f.requests) for f in figures], requests, 1),
        "latency_seconds": _mean([(f.latency_seconds, f.requests) for f in figures], requests, 3),
        "longest_answer": max((f.longest_answer for f in figures), default=0),
        "errors": sum(f.errors for f in figures),
    }


def _share(part: float, whole: float) -> float:
    return round(part / whole, 3) if whole else 0.0


def _mean(weighted: Sequence[tuple[float, int]], total: int, digits: int) -> float:
    return round(sum(value * weight for value, weight in weighted) / total, digits) if total else 0.0


def as_detail(figures: Sequence[TaskFigures]) -> list[dict[str, Any]]:
    """The figures as the ledger keeps them."""
    return [asdict(f) for f in figures]


def from_detail(rows: object) -> tuple[TaskFigures, ...]:
    """The figures as the ledger kept them; rows of another version are left out."""
    names = set(TaskFigures.__dataclass_fields__)
    listed = rows if isinstance(rows, list) else []
    return tuple(TaskFigures(**row) for row in listed if isinstance(row, dict) and set(row) == names)


def notes(figures: Sequence[TaskFigures]) -> list[str]:
    """Short sentences on what the figures say about the config, task by task."""
    return [f"{f.task}: {text}" for f in figures for text in (*_tokens(f), *_parallelism(f), *_time(f), *_rest(f))]


def _tokens(f: TaskFigures) -> list[str]:
    if not f.max_new_tokens:
        return ["no max_new_tokens is set: the server's own limit decides how long an answer may get"]
    if f.truncated:
        share = f.truncated / max(1, f.requests)
        return [f"max_new_tokens {f.max_new_tokens} cut {share:.0%} of the answers: it does not fit, raise it"]
    if not f.longest_answer:
        return []
    longest = f"the longest answer has {f.longest_answer} of {f.max_new_tokens} tokens"
    if f.longest_answer > NARROW * f.max_new_tokens:
        return [f"max_new_tokens may not fit: {longest}, and the full set has longer ones"]
    return [f"max_new_tokens fits: {longest}"]


def _parallelism(f: TaskFigures) -> list[str]:
    if not f.parallelism:
        return []
    full = f"the {f.full_answers} answers of the full set"
    if 0 <= f.full_answers < f.parallelism:
        return [f"parallelism {f.parallelism} is more than {full}: {f.full_answers} do as well"]
    if f.slots and f.parallelism > CROWDED * f.slots:
        return [
            f"parallelism {f.parallelism} is far above the {f.slots} requests that the server takes at once "
            "(--max-num-seqs x replicas): the others wait, and their wait counts against request_timeout"
        ]
    if f.parallelism > f.requests:
        return [
            f"parallelism {f.parallelism} was not tried, the canary made {f.requests} requests: `hours` is its own pace (at most), "
            f"`hours_at_best` supposes that the server answers {f.parallelism} at once as fast"
        ]
    return [f"parallelism {f.parallelism} was tried: {f.requests} requests, {f.errors} errors"]


def _time(f: TaskFigures) -> list[str]:
    if f.request_timeout and f.slowest_seconds > SLOW * f.request_timeout:
        return [
            f"the slowest request took {f.slowest_seconds:.0f} s of a request_timeout of {f.request_timeout:.0f} s: "
            "raise it, or lower parallelism"
        ]
    return []


def _rest(f: TaskFigures) -> list[str]:
    found = []
    if f.errors:
        found.append(
            f"{f.errors} responses were errors, each retried or lost: lower parallelism if they come from the load"
        )
    if f.cached:
        found.append(
            f"{f.cached} of {f.answers} answers came from the response cache: repeats with equal requests are no new answers"
        )
    if f.full_answers < 0:
        found.append("the size of its full set is not known: requests and hours leave it out")
    return found
