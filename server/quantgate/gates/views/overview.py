"""All runs that are known here, our launches and those of plain NEL, newest first; and what is to be said of one without tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import BadInput
from ...launcher import execdb
from ...runs.invocation import LIVE
from ...runs.sanitise import one_line
from .. import ledger
from ..judgement import judging
from ..traces import lookup, reconcile, remote_views

REASON_CHARACTERS = 300


@dataclass(frozen=True)
class Known:
    """A run that is on record, not yet looked at.

    Attributes:
        created: When it was launched, in seconds since the epoch; 0 when the record does not say.
        attempt: The ledger's entry; None for a run of plain NEL.
    """

    invocation_id: str
    created: float
    attempt: ledger.Attempt | None


@dataclass(frozen=True)
class Newest:
    """The newest runs, and how many more there are."""

    runs: tuple[Known, ...]
    omitted: int


@dataclass(frozen=True)
class Named:
    """Which of several names are runs, each once, and what is wrong with the others."""

    names: tuple[str, ...]
    runs: tuple[lookup.Run, ...]
    problems: tuple[str, ...]


def newest(limit: int) -> Newest:
    """The newest runs of the ledger and of NEL's record, together, once it is settled how the open launches went.

    NEL's record may be missing, broken or not readable: that hides none of ours.
    """
    reconcile.settle_all()
    return on_record(limit)


def on_record(limit: int, begins: str = "") -> Newest:
    """`newest` as it was written down, of the ids that begin so: nothing is settled."""
    ours = [Known(a.invocation_id, a.created, a) for a in ledger.attempts(begins=begins, limit=limit)]
    foreign = [f for f in execdb.invocations() if f.invocation_id.startswith(begins)]
    known = ledger.among([f.invocation_id for f in foreign])
    others = [Known(f.invocation_id, f.created, None) for f in foreign if f.invocation_id not in known]
    # Ours keep the order in which they were written, whatever the clock said.
    merged: list[Known] = []
    rest = sorted(others, key=lambda k: k.created, reverse=True)
    for own in ours:
        while rest and rest[0].created > own.created:
            merged.append(rest.pop(0))
        merged.append(own)
    merged += rest
    total = ledger.count(begins) + len(others)
    return Newest(tuple(merged[:limit]), max(0, total - limit))


def named(names: Sequence[str]) -> Named:
    """The names that are runs.

    Raises:
        BadInput: None of them is one.
    """
    good: dict[object, tuple[str, lookup.Run]] = {}
    problems: list[str] = []
    first: BadInput | None = None
    with ledger.kept():
        for name in names:
            try:
                run = lookup.find(name)
            except BadInput as error:
                first = first or error
                problems.append(str(error))
                continue
            place = (run.directory and (run.directory.path, run.directory.tasks), run.remote and run.remote.address)
            good.setdefault((run.invocation_id, place), (name, run))
    if first is not None and not good:
        raise first
    names, runs = zip(*good.values(), strict=True) if good else ((), ())
    return Named(names, runs, tuple(dict.fromkeys(problems)))


def views(runs: Sequence[Known]) -> list[judging.View]:
    """The runs as they stand; one whose record leads nowhere is told as it is recorded."""
    found: list[lookup.Run] = []
    lost: set[int] = set()
    with ledger.kept():
        for known in runs:
            try:
                found.append(lookup.find(known.invocation_id))
            except BadInput:
                lost.add(len(found))
                executor = known.attempt.executor if known.attempt else ""
                found.append(lookup.Run(known.invocation_id, None, known.attempt, executor))
    # Each cluster is asked once for all of its runs.
    remote_views.look_ahead(found)
    return [
        judging.View(run, "unknown", (), None) if number in lost else judging.view(run)
        for number, run in enumerate(found)
    ]


def name_of(view: judging.View) -> str:
    """What a call must be given to mean this run: its id, or its directory where the id means another or none."""
    run = view.run
    if run.exported is not None:
        return run.exported.address
    if run.remote is not None and (run.attempt is None or run.remote.only):
        return run.remote.address if run.remote.only or not run.remote.tasks else run.invocation_id
    recorded = run.attempt is not None or run.directory is None
    return run.invocation_id if recorded and run.invocation_id else str(run.directory.path if run.directory else "")


def reason(view: judging.View) -> str:
    """Why a whole run is in its state, where no task of it says so; bounded and redacted."""
    run, attempt = view.run, view.run.attempt
    if attempt is not None and attempt.outcome == "failed":
        return one_line(f"the launch failed: {attempt.error}", REASON_CHARACTERS)
    if view.reason:
        return view.reason
    if view.tasks:
        return ""
    if run.directory is not None:
        return "its directory holds no task"
    if view.state in LIVE:
        return "it is being launched"
    if attempt is None:
        return one_line(
            f"NEL's record names it (executor {run.executor or 'unknown'}); its directory is not on this machine",
            REASON_CHARACTERS,
        )
    return one_line(
        f"its run directory {attempt.run_dir} is gone" if attempt.run_dir else "it left no run directory",
        REASON_CHARACTERS,
    )
