"""What is on record of a launch, without looking at the run itself: neither its directory nor a cluster is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import BadInput, UnknownName
from ...launcher import execdb
from .. import ledger
from ..traces import lookup
from . import overview


@dataclass(frozen=True)
class Entry:
    """One launch.

    Attributes:
        attempt: The ledger's row; None for a run of plain NEL.
        executor: As recorded.
        created: Seconds since the epoch; 0 when the record does not say.
        gates: What was found at the gates for this launch's fingerprint.
        resumes: The last first.
    """

    invocation_id: str
    attempt: ledger.Attempt | None
    executor: str
    created: float
    gates: tuple[ledger.Gate, ...] = ()
    resumes: tuple[ledger.Resume, ...] = ()


def newest(limit: int, begins: str = "") -> overview.Newest:
    """The newest launches on record, of the ids that begin so, as they were written down; nothing is settled or judged."""
    return overview.on_record(limit, begins)


def entry(invocation_id: str) -> Entry:
    """What is on record of one launch.

    Args:
        invocation_id: In full, or its beginning where that means one.

    Raises:
        UnknownName: No launch has this id; the newest are named.
    """
    if not lookup.ID.fullmatch(invocation_id):
        raise _unknown(invocation_id)
    with ledger.kept():
        attempt = ledger.attempt(invocation_id)
        if attempt is None:
            return _foreign(invocation_id)
        found = (
            ledger.gate(attempt.fingerprint, "dry_run"),
            ledger.gate(attempt.fingerprint, "canary", attempt.invocation_id),
        )
        return Entry(
            attempt.invocation_id,
            attempt,
            attempt.executor,
            attempt.created,
            tuple(gate for gate in found if gate is not None),
            tuple(ledger.resumes(attempt.invocation_id)),
        )


def _foreign(invocation_id: str) -> Entry:
    jobs = execdb.jobs(invocation_id)
    if not jobs:
        raise _unknown(invocation_id)
    first = next(iter(jobs.values()))
    return Entry(first.invocation_id, None, first.executor, first.created)


def _unknown(invocation_id: str) -> UnknownName:
    if lookup.ID.fullmatch(invocation_id) and (several := lookup.several(invocation_id)):
        return several
    known = [k.invocation_id for k in newest(3).runs]
    fix = "the newest are " + ", ".join(known) if known else "none is on record yet: canary(config=…) starts the first"
    return UnknownName("run", invocation_id[:80], fix=fix)


def effective_config(invocation_id: str) -> Mapping[str, Any]:
    """The config that a launch was made with, as NEL composed it: with its defaults, the command line's changes, and the limit.

    Args:
        invocation_id: As for `entry`.

    Raises:
        UnknownName: No launch has this id.
        BadInput: NEL recorded no config of it.
    """
    found = entry(invocation_id)
    config = execdb.config_of(found.invocation_id)
    if not config:
        given = found.attempt.config if found.attempt else ""
        raise BadInput(
            f"NEL recorded no config of the run {found.invocation_id}",
            where=str(execdb.path()),
            fix=f"look at the config it was launched with, {given}" if given else "look at its run directory",
        )
    return config
