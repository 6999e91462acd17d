"""From a decision to a started invocation: the lock, the ledger, NEL, the ledger; a crash between any two leaves a known state."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ... import children, faults
from ...errors import LauncherError, QuantgateError, StorageError
from ...launcher import door, launch_lock
from .. import ledger
from ..planning import dry_runs
from ..traces import reconcile, remote_launches

SETTLE_SECONDS = 10.0
"""How long a launch is watched, once NEL has answered, while something of it still starts."""
_PAUSE = 0.05


@dataclass(frozen=True)
class Started:
    """The attempt that was launched, or the one that was found instead."""

    attempt: ledger.Attempt
    found: bool
    warnings: tuple[str, ...] = ()


def start(
    attempt: ledger.Attempt,
    request: door.Request,
    env: Mapping[str, str],
    same: Callable[[], ledger.Attempt | None],
    config: Mapping[str, Any] | None = None,
) -> Started:
    """Launch, unless `same` finds what is asked for already going on; over all servers it is launched once.

    Args:
        attempt: What will be written down before the launch.
        request: What NEL is asked; the launch lock is added here.
        env: The environment of NEL's child.
        same: Looks for an attempt that makes this one needless; called while no other server can write one down.
        config: The composed config, whose own literal values no error may show.

    Raises:
        StorageError: The lock or the attempt could not be written; nothing was started.
        LauncherError: NEL refused or failed, and nothing was started, or it cannot be known yet.
    """
    try:
        found = _asked(attempt, request, env, same, config or {})
    except QuantgateError as error:
        if not _written(attempt):
            raise
        return _despite(error, _settled(attempt, str(error), remote_launches.said_by(error)))
    except BaseException as error:
        _settled(attempt, str(error) or "the launch was interrupted")
        raise
    return Started(found, found=True) if found else _answered(attempt)


def _written(attempt: ledger.Attempt) -> bool:
    """Whether a launch was written down, and so may have begun; also when the ledger cannot be read."""
    try:
        return ledger.attempt(attempt.invocation_id) is not None
    except StorageError:
        return True


def _asked(
    attempt: ledger.Attempt,
    request: door.Request,
    env: Mapping[str, str],
    same: Callable[[], ledger.Attempt | None],
    config: Mapping[str, Any],
) -> ledger.Attempt | None:
    """Write it down and ask NEL, under the lock; the attempt that was found instead, if any."""
    faults.reached("before-lock")
    with launch_lock.taken(attempt.invocation_id) as lock:
        faults.reached("lock-taken")
        with ledger.exclusive():
            found = same()
            if found is not None:
                return found
            ledger.add_attempt(attempt)
        faults.reached("attempt-written")
        with dry_runs.hidden(config):
            door.launch(dataclasses.replace(request, lock=lock), env)
        faults.reached("answered")
    return None


def _answered(attempt: ledger.Attempt) -> Started:
    """NEL says that it was launched: so it is, once its start is on disk."""
    _wait(attempt)
    known = reconcile.verdict(attempt, "NEL reported the launch, but nothing of it was started")
    faults.reached("before-ledger")
    warnings: tuple[str, ...] = ()
    try:
        if known.outcome != ledger.LAUNCHING:
            ledger.settle_attempt(known.invocation_id, known.outcome, known.run_dir, known.error)
    except StorageError as error:
        warnings = (f"The ledger could not note how the launch went; the next look at the run does. {error}",)
    if known.outcome == "failed":
        raise LauncherError(
            known.error, where=f"invocation {known.invocation_id}", fix="look at its output, then try again"
        )
    faults.reached("ledger-closed")
    return Started(known, found=False, warnings=warnings)


def _settled(attempt: ledger.Attempt, reason: str, said: remote_launches.Said = "uncertain") -> ledger.Attempt:
    _wait(attempt)
    return reconcile.settle(attempt, reason, said)


def _wait(attempt: ledger.Attempt) -> None:
    """Until nobody starts anything of it any more, but not for long.

    Out of the lock's block: while this process holds it, nobody can tell who else does.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    while reconcile.may_start(attempt) and time.monotonic() < deadline and not children.wait(_PAUSE):
        pass


def _despite(error: QuantgateError, settled: ledger.Attempt) -> Started:
    if settled.outcome == "launched":
        warning = f"It runs, although its launch was reported as failed: {error}"
        return Started(settled, found=False, warnings=(warning,))
    if settled.outcome == ledger.LAUNCHING:
        raise LauncherError(
            f"The launch may still be under way: {error.what}",
            where=f"invocation {settled.invocation_id}",
            fix=f"status(invocation_ids=[{settled.invocation_id!r}], wait_seconds=30)",
        ) from None
    raise error
