"""Which kinds of tasks a config's canaries leave untried: a judge, a code sandbox and a plain task fail differently."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ledger
from ..planning import plan
from . import submission


def uncovered(planned: plan.Plan, chosen: Sequence[plan.PlannedTask]) -> dict[str, list[str]]:
    """The tasks that neither a canary of these nor a passed one covers, by class; `run` refuses each of them.

    Args:
        planned: The config.
        chosen: The tasks of the canary that is looked at.

    Returns:
        Class ("judge", "plain", ...) to names of tasks. Tasks that cannot have a canary are not among them.
    """
    found: dict[str, list[str]] = {}
    for task in planned.tasks:
        if task not in chosen and not task.watch and not _passed(planned, task):
            for name in task.classes:
                found.setdefault(name, []).append(task.name)
    return found


def _passed(planned: plan.Plan, task: plan.PlannedTask) -> bool:
    attempt = submission.newest_canary(planned, [task])
    gate = ledger.gate(planned.fingerprint, "canary", attempt.invocation_id) if attempt else None
    return bool(gate and gate.passed)
