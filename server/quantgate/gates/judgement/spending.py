"""What a run will spend: requests, judge calls, hours and GPU hours, by the config and by its canaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ... import redact
from ...errors import QuantgateError
from .. import ledger
from ..planning import allocation, plan
from . import estimate

UNKNOWN = estimate.UNKNOWN


@dataclass(frozen=True)
class Spending:
    """What a run will spend; -1 stands for not known.

    Attributes:
        requests: Samples times repeats of the tasks whose size is known.
        judge_requests: Answers that a judge scores, at least.
        hours: As its canaries predict; -1 when a task's canary says nothing, or its size is not known.
        gpu_hours: Those hours times the GPUs that the run holds.
        gpu_hours_at_most: 0 when the model is served by somebody else and no GPU is held. On a cluster, the GPUs of each task's
            jobs times the longest that its chain of jobs may take. Nothing bounds a local run that holds GPUs.
        notes: What the figures leave out, and what to watch.
    """

    requests: int
    judge_requests: int
    hours: float
    gpu_hours: float
    gpu_hours_at_most: float
    notes: tuple[str, ...]


def spending(planned: plan.Plan, tasks: list[str], max_samples: int) -> Spending:
    """What a run of some tasks will spend.

    Args:
        planned: The config.
        tasks: Names or directories of tasks; empty for all.
        max_samples: Samples per task; 0 for all.
    """
    chosen = planned.chosen(tasks)
    # By task and not by name: the same task may stand in a config twice.
    sizes = [(task, task.requests(max_samples)) for task in chosen]
    judged = [n for task, n in sizes if plan.JUDGE in task.classes]
    figures = _figures(planned)
    gpus = planned.gpus()
    told = all(n is not None and task.name in figures for task, n in sizes)
    hours = round(sum(figures[task.name].hours(n or 0) for task, n in sizes), 3) if told else float(UNKNOWN)
    return Spending(
        requests=sum(n or 0 for _, n in sizes),
        judge_requests=UNKNOWN if None in judged else sum(n or 0 for n in judged),
        hours=hours,
        gpu_hours=float(UNKNOWN) if gpus is None or (gpus and not told) else round(max(hours, 0.0) * gpus, 3),
        gpu_hours_at_most=_at_most(planned, gpus, len(chosen)),
        notes=tuple(_notes(sizes, max_samples)),
    )


def after_launch(planned: plan.Plan, tasks: list[str], max_samples: int) -> Spending:
    """As `spending`, for a run that is launched already: what cannot be told is -1, with a note of why, and nothing is raised."""
    try:
        return spending(planned, tasks, max_samples)
    except (QuantgateError, OSError, ValueError) as error:
        unknown = float(UNKNOWN)
        why = f"What the run will spend cannot be told: {redact.redact(str(error))}"
        return Spending(UNKNOWN, UNKNOWN, unknown, unknown, unknown, (why,))


def _at_most(planned: plan.Plan, gpus: int | None, tasks: int) -> float:
    if gpus == 0:
        return 0.0
    hours = allocation.hours_at_most(planned.config) if planned.composed.executor == plan.SLURM else None
    return float(UNKNOWN) if gpus is None or hours is None else round(gpus * hours * tasks, 3)


def _figures(planned: plan.Plan) -> dict[str, estimate.TaskFigures]:
    """What the canaries of this very config measured of each task, the newest first."""
    found: dict[str, estimate.TaskFigures] = {}
    for attempt in ledger.attempts(fingerprint=planned.fingerprint, kind="canary"):
        gate = ledger.gate(planned.fingerprint, "canary", attempt.invocation_id)
        if gate is not None and gate.passed:
            for figures in estimate.from_detail(gate.detail.get("figures")):
                found.setdefault(figures.task, figures)
    return found


def _notes(sizes: Sequence[tuple[plan.PlannedTask, int | None]], max_samples: int) -> list[str]:
    chosen, unknown = [task for task, _ in sizes], dict.fromkeys(task.name for task, n in sizes if n is None)
    notes = [f"The number of samples of {name} is not known before it runs." for name in unknown]
    if max_samples:
        notes.append(
            f"A subset of at most {max_samples} samples per task: its score is the subset's, and must be called so."
        )
    simulated = [task.name for task in chosen if "user simulator" in task.classes]
    if simulated:
        notes.append(
            f"{', '.join(simulated)}: the user simulator is asked in every turn; these requests are not counted."
        )
    notes += [
        f"{task.name} had no canary, because limit_samples does nothing for it. Watch its first minutes: {task.watch}."
        for task in chosen
        if task.watch
    ]
    return notes
