"""What a run is and did, and whether a canary passes: judged once, by whichever call first sees it finished."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..benchmarks import catalogue, recipes
from ..errors import BadInput, UnknownName
from ..launcher import door
from ..results import verify
from ..runs.invocation import FINAL, LIVE, invocation_state
from ..runs.rundir import RunDir, TaskDir
from ..runs.status import State, TaskStatus, task_status
from . import ledger, lookup, plan

MOST_TRUNCATED = 0.5
"""A canary with a larger share of answers cut off at max_new_tokens gets a warning, not a refusal: a base model may never stop."""


MOST_REASONS = 10
LAUNCH_GRACE_SECONDS = 30


@dataclass(frozen=True)
class View:
    """One run as it stands.

    Attributes:
        state: One of the states of the tools' contract, over all tasks.
        gate: For a canary, what was judged; None while it runs, and for other kinds.
    """

    run: lookup.Run
    state: State
    tasks: tuple[TaskStatus, ...]
    gate: ledger.Gate | None


def started(directory: Path) -> bool:
    """Whether anything of an invocation began to run."""
    return any(directory.glob("*/logs/stage.*")) or (directory / "runner.json").exists()


def expectations(run: RunDir, limit: int) -> dict[str, verify.Expectation]:
    """What each task of a run should have scored, by task directory.

    Args:
        run: The run.
        limit: Samples per task that it was launched with; 0 when none or unknown (then the run's own record decides).
    """
    return {task.directory: _expectation(task, limit) for task in run.tasks}


def _expectation(task: TaskDir, limit: int) -> verify.Expectation:
    try:
        known = catalogue.load_catalogue().resolve(task.name)
    except (BadInput, UnknownName):
        known = None
    used = verify.used_parameters(task)
    found = recipes.variant_of_task(known.id) if known else None
    repeats = plan.repeats(used)
    declared = limit or _limit_used(used)
    if found is None:
        return verify.Expectation(
            harness=known.harness if known else "", samples=None, limit=declared or None, repeats=repeats
        )
    variant = found[1]
    return verify.Expectation(
        harness=variant.harness,
        samples=variant.samples,
        limit=declared or None,
        repeats=repeats,
        metric=variant.metric_name(repeats),
        minimum=variant.minimum,
        maximum=variant.maximum,
        higher_is_better=variant.higher_is_better,
    )


def _limit_used(used: Mapping[str, Any]) -> int:
    value = used.get("limit_samples")
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def look(attempt: ledger.Attempt) -> View:
    """The run of an attempt as it stands now."""
    return view(lookup.run_of(attempt))


def view(run: lookup.Run) -> View:
    """The state of a run and of its tasks; a canary that is seen finished, whole and in its own place, is judged."""
    if run.directory is None:
        return View(run, _state_without_directory(run), (), None)
    expected = expectations(run.directory, run.limit)
    tasks = tuple(task_status(task, expected[task.directory].answers) for task in run.directory.tasks)
    state = invocation_state(tasks)
    gate = None
    if run.attempt is not None and run.kind == "canary":
        gate = ledger.gate(run.attempt.fingerprint, "canary", run.invocation_id)
        if gate is None and state in FINAL and run.whole:
            gate = _judged(run, expected)
    return View(run, state, tasks, gate)


def may_run(attempt: ledger.Attempt) -> bool:
    """Whether a launch may still be going on: also one whose end cannot be known while its directory is there."""
    if attempt.outcome == "failed":
        return False
    seen = look(attempt)
    return seen.state in LIVE or (seen.state in {"unknown", "unreachable"} and seen.run.directory is not None)


def _state_without_directory(run: lookup.Run) -> State:
    if run.attempt is None:
        return "unknown"
    if run.attempt.outcome == "launching":
        # The server that launched it was killed; a launch takes no longer than its time limit.
        late = time.time() - run.attempt.created > door.LAUNCH_SECONDS + LAUNCH_GRACE_SECONDS
        return "interrupted" if late else "pending"
    return "failed" if run.attempt.outcome == "failed" else "unknown"


def judge(attempt: ledger.Attempt) -> ledger.Gate | None:
    """The canary's gate; None while it is not finished."""
    return ledger.gate(attempt.fingerprint, "canary", attempt.invocation_id) or look(attempt).gate


def _judged(run: lookup.Run, expected: Mapping[str, verify.Expectation]) -> ledger.Gate:
    assert run.attempt is not None
    assert run.directory is not None
    verification = verify.verify(run.directory, expected)
    reasons = _reasons(verification)
    detail = {"estimate": estimate(verification, run.attempt), "limit": run.limit}
    gate = ledger.Gate(run.attempt.fingerprint, "canary", not reasons, tuple(reasons), detail, run.invocation_id)
    ledger.put_gate(gate)
    return gate


def _reasons(verification: verify.Verification) -> list[str]:
    reasons = [
        f"{task.task}: {check.name}: {check.detail}"
        for task in verification.tasks
        if task.verdict != "valid"
        for check in task.checks
        if not check.ok
    ]
    return reasons[:MOST_REASONS]


def estimate(verification: verify.Verification, attempt: ledger.Attempt) -> dict[str, float]:
    """What the canary predicts for the full run.

    Requests are samples × repeats of the tasks whose size is known; hours are the canary's own time per answer at the same
    parallelism, from eval_factory_metrics.json (`inference_time`, seconds). GPU hours are those hours times the GPUs that the
    config deploys on: 0 for an endpoint of somebody else, -1 when the config does not tell.
    """
    gpus: int | None = None
    sizes: dict[str, int] = {}
    with contextlib.suppress(BadInput):
        planned = plan.read(attempt.config)
        gpus = planned.gpus()
        # By name: NEL counts the tasks of a filtered launch from zero again.
        sizes = {task.name: task.requests(0) or 0 for task in planned.tasks}
    requests = seconds = tokens = truncated = answers = 0.0
    for task in verification.tasks:
        stats = task.stats
        if stats is None or not stats.count:
            continue
        full = sizes.get(task.task.rsplit(".", 1)[0], 0)
        requests += full
        seconds += (stats.inference_seconds / stats.count) * full
        tokens += stats.average_completion_tokens * stats.count
        truncated += stats.finish_reasons.get("length", 0)
        answers += stats.count
    return {
        "requests": requests,
        "hours": round(seconds / 3600, 3),
        "gpu_hours": -1.0 if gpus is None else round(seconds / 3600 * gpus, 3),
        "truncated_share": round(truncated / answers, 3) if answers else 0.0,
        "tokens_per_sample": round(tokens / answers, 1) if answers else 0.0,
    }
