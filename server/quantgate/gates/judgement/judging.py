"""What a run is and did, and whether a canary passes: judged once, by whichever call first sees it finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...errors import BadInput, ClusterError, StorageError
from ...launcher import stamp
from ...results import verify
from ...runs.invocation import FINAL, LIVE, invocation_state
from ...runs.reason import REASON_CHARACTERS
from ...runs.rundir import RunDir
from ...runs.sanitise import one_line
from ...runs.status import State, TaskStatus, task_status
from ...runs.task_state import state_of
from .. import ledger
from ..planning import plan
from ..traces import leftovers, lookup, reconcile, remains, remote_launches, remote_views, under_way
from . import estimate, expecting, record, verdict

MOST_TRUNCATED = 0.5
"""A canary with a larger share of answers cut off at max_new_tokens gets a warning, not a refusal: a base model may never stop."""

MOST_REASONS = 10


@dataclass(frozen=True)
class View:
    """One run as it stands.

    Attributes:
        state: One of the states of the tools' contract, over all tasks.
        gate: For a canary, what was judged; None while it runs, and for other kinds.
        reason: What is to be said of the run where no task of it says so.
        gone: Its directory on the cluster is gone, and no job of it waits or runs.
    """

    run: lookup.Run
    state: State
    tasks: tuple[TaskStatus, ...]
    gate: ledger.Gate | None
    reason: str = ""
    gone: bool = False

    @property
    def left_queued(self) -> str:
        """The Slurm job that is still in the queue though its task has ended without success; empty for none."""
        return next((t.left_queued for t in self.tasks if t.left_queued and t.state != "succeeded"), "")


def expectations(run: RunDir, limit: int) -> dict[str, verify.Expectation]:
    """What each task of a run should have scored, by task directory.

    Args:
        run: The run.
        limit: Samples per task that it was launched with; 0 when none or unknown (then the run's own record decides).
    """
    return {task.directory: expecting.expectation(task, limit) for task in run.tasks}


def look(attempt: ledger.Attempt) -> View:
    """The run of an attempt as it stands now."""
    return view(lookup.run_of(attempt))


def view(run: lookup.Run) -> View:
    """The state of a run and of its tasks; a canary that is seen finished, whole and in its own place, is judged."""
    if run.remote is not None:
        return _remote_view(run)
    if run.directory is None:
        return View(run, _state_without_tasks(run), (), None, one_line(_why_open(run), REASON_CHARACTERS))
    resumes = _resumes(run)
    expected = expectations(run.directory, run.limit)
    seen = task_status if run.exported is None else state_of
    tasks = tuple(seen(task, expected[task.directory].answers) for task in run.directory.tasks)
    if run.attempt is not None and reconcile.may_start(run.attempt):
        # Laid out and not begun: how old that is says nothing while somebody may still start it.
        tasks = tuple(replace(task, state="pending", reason="it is being launched") for task in tasks)
    if run.attempt is not None:
        tasks = under_way.shown(run.attempt, remains.shown(run.attempt, run.directory, tasks))
    state = _state_of_all(run, tasks) if tasks else _state_without_tasks(run)
    if state in FINAL:
        leftovers.remove_secrets(run)
    gate = None
    if run.attempt is not None and run.kind == "canary":
        gate = _standing_gate(run.attempt)
        if gate is None and state in FINAL and run.whole:
            gate = _judged(run, expected, resumes)
    return View(run, state, tasks, gate)


def _state_of_all(run: lookup.Run, tasks: Sequence[TaskStatus]) -> State:
    state = invocation_state(tasks)
    in_containers = run.attempt is not None and run.attempt.executor == plan.CONTAINERS
    # A container that may go on: the run has not ended because another task of it has.
    doubtful = in_containers and state in FINAL and any(t.state == "unknown" for t in tasks)
    return "unknown" if doubtful else state


def _remote_view(run: lookup.Run) -> View:
    """The view of a run on a cluster. A canary is judged from copies of its files: while they cannot be read, it is not judged."""
    resumes = _resumes(run)
    seen = remote_views.see(run)
    tasks = seen.tasks
    if run.attempt is not None and seen.state is None:
        tasks = under_way.shown(run.attempt, tasks)
    state = seen.state or invocation_state(tasks)
    gate, reason = None, "" if tasks else seen.reason
    if run.attempt is not None and run.kind == "canary":
        gate = _standing_gate(run.attempt)
        # What was taken up again since the look began is not what was seen.
        if gate is None and state in FINAL and run.whole and resumes == _resumes(run):
            assert run.remote is not None
            try:
                local = replace(run, directory=remote_views.files(run.remote))
                assert local.directory is not None
                gate = _judged(local, expectations(local.directory, run.limit), resumes)
            except (ClusterError, BadInput, StorageError) as error:
                reason = f"it cannot be judged yet: {error}"
    return View(run, state, tasks, gate, one_line(reason, REASON_CHARACTERS), seen.gone)


def _resumes(run: lookup.Run) -> int:
    """How often a canary was taken up again, by the ledger."""
    return len(ledger.resumes(run.invocation_id)) if run.attempt is not None and run.kind == "canary" else 0


def may_run(attempt: ledger.Attempt) -> bool:
    """Whether a launch may still be going on: also one whose end cannot be known while its directory is there, or may be."""
    if attempt.outcome == "failed":
        return False
    seen = look(attempt)
    there = seen.run.directory is not None or (attempt.executor == plan.SLURM and not seen.gone)
    return seen.state in LIVE or (seen.state in {"unknown", "unreachable"} and there)


def _state_without_tasks(run: lookup.Run) -> State:
    if run.attempt is None:
        return "unknown"
    if reconcile.may_start(run.attempt):
        return "pending"
    if run.attempt.outcome == ledger.LAUNCHING and run.attempt.executor == plan.SLURM:
        return remote_launches.look(run.attempt).state
    return "failed" if run.attempt.outcome == "failed" else "unknown"


def _why_open(run: lookup.Run) -> str:
    """Why it is not known how a launch went; empty when it is."""
    attempt = run.attempt
    if attempt is None or attempt.executor not in plan.LAUNCHED_HERE or attempt.outcome != ledger.LAUNCHING:
        return ""
    if reconcile.may_start(attempt):
        return "it is being launched"
    return remote_launches.look(attempt).why if attempt.executor == plan.SLURM else remains.unseen(attempt)


def judge(attempt: ledger.Attempt) -> ledger.Gate | None:
    """The canary's gate; None while it is not finished."""
    return _standing_gate(attempt) or look(attempt).gate


def _standing_gate(attempt: ledger.Attempt) -> ledger.Gate | None:
    """What was judged of a canary; a verdict that it did not pass falls when the canary is resumed afterwards."""
    gate = ledger.gate(attempt.fingerprint, "canary", attempt.invocation_id)
    if gate is None or gate.passed:
        return gate
    return gate if len(ledger.resumes(attempt.invocation_id)) <= gate.detail.get("resumes", 0) else None


def _judged(run: lookup.Run, expected: Mapping[str, verify.Expectation], resumes: int) -> ledger.Gate:
    """Judge a canary as it was when it had been taken up again so often."""
    assert run.attempt is not None
    assert run.directory is not None
    attempt, planned = run.attempt, plan.as_launched(run.attempt.config, run.attempt.fingerprint)
    verification = verify.verify(run.directory, expected, record.of(run))
    verdicts = verdict.weigh(run.directory, verification, expected, _launched(run, planned))
    figures = estimate.measure(run.directory, verification, planned)
    reasons = [reason for task in verdicts for reason in task.reasons] or ([] if verdicts else ["no task of it ran"])
    more = len(reasons) - MOST_REASONS
    told = (*reasons[:MOST_REASONS], *([f"and {more} more"] if more > 0 else []))
    detail = {
        "estimate": estimate.estimate(figures, planned.gpus() if planned else None),
        "figures": estimate.as_detail(figures),
        "notes": estimate.notes(figures),
        "warnings": [warning for task in verdicts for warning in task.warnings],
        "evidence": {task.task: task.evidence for task in verdicts},
        "limit": run.limit,
        "resumes": resumes,
    }
    gate = ledger.Gate(attempt.fingerprint, "canary", not reasons, told, detail, run.invocation_id)
    ledger.put_gate(gate)
    return gate


def launched(run: lookup.Run) -> Sequence[str]:
    """Names of the tasks that a run was launched with, by its config or its own stamp; empty when neither tells."""
    attempt = run.attempt
    return _launched(run, plan.as_launched(attempt.config, attempt.fingerprint) if attempt is not None else None)


def _launched(run: lookup.Run, planned: plan.Plan | None) -> Sequence[str]:
    """Names of the tasks that a run was launched with; without its config, what the run's own stamp says."""
    if planned is not None and run.attempt is not None:
        return [task.name for task in planned.chosen(list(run.attempt.tasks))]
    stamped = stamp.read(run.directory.path) if run.directory else None
    return stamped.tasks if stamped else ()
