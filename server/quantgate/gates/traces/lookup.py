"""From what a caller names, an invocation id or a directory, to a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ...errors import BadInput, UnknownName
from ...launcher import execdb, stamp
from ...runs.clusters import mirrored, remote
from ...runs.exports import tracked
from ...runs.rundir import RunDir
from ...tracking import address
from .. import ledger
from ..planning import plan
from . import evidence, reconcile

ID = re.compile(r"[0-9a-f]{4,16}")


@dataclass(frozen=True)
class Run:
    """A run that was found.

    Attributes:
        invocation_id: Its id; empty for a directory that has none.
        directory: None when the launch left none, or it was deleted; always None for a run on a cluster.
        attempt: The ledger's entry; None for a run of plain NEL.
        remote: Where it is on a cluster; None for a run on this machine.
        exported: What the tracking server says, of a run that was read from there; None for others.
    """

    invocation_id: str
    directory: RunDir | None
    attempt: ledger.Attempt | None
    executor: str
    remote: remote.RemoteRun | None = None
    exported: tracked.TrackedRun | None = None

    @cached_property
    def stamp(self) -> stamp.Stamp | None:
        """What the run's own directory, or its export, says of its launch; a claim of whoever could write there."""
        if self.exported is not None:
            return tracked.stamp_of(self.exported)
        return stamp.read(self.directory.path) if self.directory else None

    @cached_property
    def origin(self) -> ledger.Attempt | None:
        """The ledger's entry of the launch that an export says to come from: it may make a reader more careful, never less."""
        return ledger.attempt(self.invocation_id) if self.exported is not None and self.invocation_id else None

    @property
    def kind(self) -> str:
        """ "canary", "full", "subset" or "external"."""
        if self.attempt is not None:
            return self.attempt.kind
        told = self.stamp.kind if self.stamp else "external"
        known = self.origin.kind if self.origin else "full"
        return next((kind for kind in ("canary", "subset") if kind in (told, known)), told)

    @property
    def skip_reason(self) -> str:
        """Why it was started without its gates, by the ledger or by its directory; empty when neither says so."""
        named = (self.attempt, self.stamp, self.origin)
        return next((it.skip_reason for it in named if it is not None and it.skip_reason), "")

    @property
    def notes(self) -> list[str]:
        """What must be said of where the run was read: that it is an export, what that lacks, and where the run itself is."""
        if self.exported is None:
            return []
        here = f"Its invocation is in the ledger: verify_run(run='{self.invocation_id}') reads the run itself."
        return [*tracked.told(self.exported), *([here] if self.origin else [])]

    @property
    def place(self) -> str:
        """Where it is, as it may be named again; empty when nothing of it is left."""
        for elsewhere in (self.remote, self.exported):
            if elsewhere is not None:
                return elsewhere.address
        return str(self.directory.path) if self.directory else ""

    def directory_of(self, named: str) -> RunDir:
        """Its directory on this machine.

        Args:
            named: How the user named the run.

        Raises:
            UnknownName: There is none.
        """
        if self.directory is None:
            raise UnknownName(
                "run directory", named, fix="the run left no directory, or it was deleted; status tells more"
            )
        return self.directory

    @property
    def whole(self) -> bool:
        """Whether all tasks of the invocation are looked at, not one of them by its own directory."""
        if self.remote is not None:
            return not self.remote.only
        return self.directory is not None and len(self.directory.tasks) == len(RunDir.find(self.directory.path).tasks)

    @property
    def limit(self) -> int:
        """Samples per task that it was launched with; 0 for all or unknown."""
        if self.attempt is not None:
            return self.attempt.sample_limit
        told = (self.stamp.sample_limit if self.stamp else 0, self.origin.sample_limit if self.origin else 0)
        return min((limit for limit in told if limit), default=0)

    def placed(self, text: str, copy: mirrored.Mirror | None = None) -> str:
        """A text with the place where the run is, not where its files were copied to.

        Args:
            copy: That of a run on a cluster.
        """
        if copy is not None:
            return copy.told(text)
        return self.exported.told(text) if self.exported is not None else text


def find(run: str) -> Run:
    """The run that a caller means.

    Args:
        run: An invocation id (or the beginning of one), a run directory, `host:/absolute/path` for one on a cluster, or
            `mlflow:RUN_ID` for one on the tracking server.

    Raises:
        BadInput: It is none of them.
        UnknownName: No run has this id.
        TrackingError: The tracking server does not answer or does not let us in.
    """
    text = run.strip()
    if ID.fullmatch(text):
        return _by_id(text)
    if address.is_address(text):
        return _by_export(tracked.tracked(text))
    if (there := remote.parse(text)) is not None:
        return _by_address(there)
    if "/" in text or _is_directory(text):
        return _by_directory(RunDir.find(text))
    raise BadInput(
        f"{text[:80]!r} is neither an invocation id nor a run directory",
        fix="give 16 hexadecimal digits, a path, host:/path or mlflow:RUN_ID",
    )


def _is_directory(text: str) -> bool:
    try:
        return Path(text).expanduser().is_dir()
    except (OSError, RuntimeError):
        return False  # too long for a name, or the home of nobody


def run_of(attempt: ledger.Attempt) -> Run:
    """The run of a launch, in its own place; a launch that was left open is settled first.

    A directory that was prepared and will never be started is none, nor is what a dying harness makes again of one that was
    deleted.
    """
    settled = reconcile.settle(attempt)
    if settled.executor == plan.SLURM:
        return Run(settled.invocation_id, None, settled, plan.SLURM, _place_of(settled))
    path = evidence.invocation_dir(settled)
    if path and not evidence.started(path) and not reconcile.may_begin(settled):
        path = None
    return Run(settled.invocation_id, RunDir.find(path) if path else None, settled, settled.executor)


def _place_of(attempt: ledger.Attempt) -> remote.RemoteRun | None:
    """Where a launch on a cluster is, by the ledger or by NEL's record; None while neither says so."""
    written = remote.parse(attempt.run_dir) if attempt.run_dir else None
    if written is None:
        return evidence.recorded_place(attempt)
    return remote.with_record(written, execdb.jobs(attempt.invocation_id))


def _by_address(there: remote.RemoteRun) -> Run:
    attempt = ledger.attempt(there.invocation_id) if there.invocation_id else None
    jobs = execdb.jobs(there.invocation_id) if there.invocation_id else {}
    if attempt is not None and attempt.executor == plan.SLURM:
        own = run_of(attempt)
        if own.remote is not None and (own.remote.host, own.remote.path) == (there.host, there.path):
            return replace(own, remote=replace(own.remote, only=there.only))
    return Run(there.invocation_id, None, None, plan.SLURM, remote.with_record(there, jobs))


def _by_export(found: tracked.TrackedRun) -> Run:
    # A copy of a run is not the run: the ledger says nothing of it, whatever its tags claim.
    executor = found.exported.tags.get("executor", "")[:40]
    return Run(found.run.invocation_id, found.run, None, executor, exported=found)


def _by_directory(directory: RunDir) -> Run:
    attempt = ledger.attempt(directory.invocation_id) if directory.invocation_id else None
    own = evidence.invocation_dir(attempt) if attempt and attempt.invocation_id == directory.invocation_id else None
    if attempt is None or own is None or own.resolve() != directory.path.resolve():
        # A copy of a run is somebody's directory, not the run: the ledger says nothing of it.
        return Run(directory.invocation_id, directory, None, "")
    return Run(attempt.invocation_id, directory, reconcile.settle(attempt), attempt.executor)


def _by_id(invocation_id: str) -> Run:
    attempt = ledger.attempt(invocation_id)
    if attempt is not None:
        return run_of(attempt)
    jobs = execdb.jobs(invocation_id)
    if not jobs:
        if more := several(invocation_id):
            raise more
        known = [a.invocation_id for a in ledger.attempts(limit=3)]
        raise UnknownName(
            "run", invocation_id, fix="the newest are " + ", ".join(known) if known else "status() lists the known runs"
        )
    return _external(jobs)


def several(begins: str) -> UnknownName | None:
    """The refusal of an id that more launches of ours begin with than one; None when no launch begins so."""
    found = [a.invocation_id for a in ledger.attempts(begins=begins, limit=3)]
    fix = f"several begin so ({', '.join(found)}): give more of the id"
    return UnknownName("single run", begins, fix=fix) if found else None


def _external(jobs: Mapping[str, execdb.Job]) -> Run:
    first = next(iter(jobs.values()))
    if (there := remote.recorded(jobs.values())) is not None:
        return Run(first.invocation_id, None, None, first.executor, there)
    path = Path(first.output_dir).parent if first.output_dir else None
    directory = RunDir.find(path) if path and path.is_dir() else None
    return Run(first.invocation_id, directory, None, first.executor)
