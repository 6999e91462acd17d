"""Runs on clusters as the gates see them: whether their host may be asked, what it says, and their files once they have ended."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from ...runs.clusters import looking, mirrored, remote_status
from ...runs.clusters.remote import RemoteRun, host_of
from ...runs.clusters.remote_status import Seen
from ...runs.rundir import RunDir
from .. import ledger
from ..permission import consent, contact
from ..planning import plan
from . import lookup

_sizes: dict[object, dict[str, int]] = {}
_tried_again: dict[object, float] = {}
AGAIN_SECONDS = 60.0
"""A config that could not be read, or is another by now, is tried again after so long: many runs may share it."""
COPY_WAIT_SECONDS = 2.0
"""How long a look waits for another call that copies the same run: the next look finds what that one made."""


def look_ahead(runs: Iterable[lookup.Run]) -> None:
    """Look at the clusters of these runs in one round trip for each host; `see` then has its answer."""
    looking.look_ahead([run.remote for run in runs if run.remote is not None and not forbidden(run)])


def see(run: lookup.Run) -> Seen:
    """What a run on a cluster does."""
    assert run.remote is not None
    if why := forbidden(run):
        return remote_status.not_seen(run.remote, "unknown", why)
    expected = _expected(run.attempt) if run.attempt is not None else None
    return remote_status.see(run.remote, expected)


def forbidden(run: lookup.Run, *, to_change: bool = False) -> str:
    """Why a run's host is not asked; empty when it may be.

    A connection tells its host who asks: one that nobody named is not contacted because some record does. The host of a launch
    of ours was agreed to before.

    Args:
        run: With a place on a cluster.
        to_change: Something is to be changed there: a person's yes to a look is not enough.
    """
    assert run.remote is not None
    host = run.remote.host
    if run.attempt is not None and run.attempt.output_dir.partition(":")[0] == host:
        return ""
    looked_at = not to_change and consent.has((contact.LOOK, host))
    if looked_at or consent.has(("host", host)) or host_of(host).known_from:
        return ""
    name = host.rpartition("@")[2]
    return (
        f"{name} is neither in clusters.yaml nor in ssh_config, so it was not asked; a person who trusts it writes `Host {name}` "
        "into their ssh_config"
    )


def require(run: lookup.Run) -> None:
    """Go on when a run's host may be looked at; a yes to that lasts.

    Raises:
        ConsentNeeded: Nobody named the host, and a person's yes is missing.
    """
    assert run.remote is not None
    if forbidden(run) or consent.has((contact.LOOK, run.remote.host)):
        contact.allowed(run.remote.host, where=run.remote.address)


def require_one(runs: Sequence[lookup.Run]) -> None:
    """Go on when one of these runs is on this machine or on a host that may be looked at; the others are told as not seen.

    Raises:
        ConsentNeeded: All of them are on hosts that nobody named, and a person's yes to the first is missing.
    """
    closed = [run.remote is not None and bool(forbidden(run)) for run in runs]
    for run, shut in zip(runs, closed, strict=True):
        if run.remote is not None and (not shut or all(closed)):
            require(run)


def files(there: RemoteRun) -> RunDir:
    """The run as its readers take it, from current copies of the files that are read.

    Raises:
        BadInput: The run is not there any more.
        ClusterError: The cluster does not answer or does not let us in.
        StorageError: The copies cannot be written, or another call is making them.
    """
    return mirrored.mirrored(there.host, there.directory, wait=COPY_WAIT_SECONDS)


def _expected(attempt: ledger.Attempt) -> dict[str, int]:
    """Requests by task directory, from the config as it was launched; none when it is gone, or another by now."""
    key = (attempt.config, attempt.fingerprint, attempt.sample_limit, attempt.tasks)
    if key not in _sizes and time.monotonic() >= _tried_again.get(key, 0.0):
        planned = plan.as_launched(attempt.config, attempt.fingerprint)
        if planned is None:
            _tried_again[key] = time.monotonic() + AGAIN_SECONDS
        else:
            rows = {d: task.requests(attempt.sample_limit) for d, task in planned.launched(list(attempt.tasks)).items()}
            _sizes[key] = {d: count for d, count in rows.items() if count is not None}
    return _sizes.get(key, {})
