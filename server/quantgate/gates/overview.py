"""All runs that are known here, our launches and those of plain NEL, newest first; and what is to be said of one without tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BadInput
from ..launcher import execdb
from ..runs.invocation import LIVE
from ..runs.sanitise import one_line
from . import judging, ledger, lookup, reconcile, waiting

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
    """The newest runs of the ledger and of NEL's record, together.

    NEL's record may be missing, broken or not readable: that hides none of ours.
    """
    reconcile.settle_all()
    ours = [Known(a.invocation_id, a.created, a) for a in ledger.attempts(limit=limit)]
    foreign = execdb.invocations()
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
    total = ledger.count() + len(others)
    return Newest(tuple(merged[:limit]), max(0, total - limit))


def named(names: Sequence[str]) -> Named:
    """The names that are runs.

    Raises:
        BadInput: None of them is one.
    """
    good: dict[object, tuple[str, lookup.Run]] = {}
    problems: list[str] = []
    first: BadInput | None = None
    for name in names:
        try:
            run = lookup.find(name)
        except BadInput as error:
            first = first or error
            problems.append(str(error))
            continue
        good.setdefault((run.invocation_id, run.directory and (run.directory.path, run.directory.tasks)), (name, run))
    if first is not None and not good:
        raise first
    names, runs = zip(*good.values(), strict=True) if good else ((), ())
    return Named(names, runs, tuple(dict.fromkeys(problems)))


def views(runs: Sequence[Known]) -> list[judging.View]:
    """The runs as they stand; one whose record leads nowhere is told as it is recorded."""
    seen: list[judging.View] = []
    for known in runs:
        try:
            seen += waiting.views([known.invocation_id])
        except BadInput:
            run = lookup.Run(known.invocation_id, None, known.attempt, known.attempt.executor if known.attempt else "")
            seen.append(judging.View(run, "unknown", (), None))
    return seen


def name_of(view: judging.View) -> str:
    """What a call must be given to mean this run: its id, or its directory where the id means another or none."""
    run = view.run
    recorded = run.attempt is not None or run.directory is None
    return run.invocation_id if recorded and run.invocation_id else str(run.directory.path if run.directory else "")


def reason(view: judging.View) -> str:
    """Why a whole run is in its state, where no task of it says so; bounded and redacted."""
    run, attempt = view.run, view.run.attempt
    if attempt is not None and attempt.outcome == "failed":
        return one_line(f"the launch failed: {attempt.error}", REASON_CHARACTERS)
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
