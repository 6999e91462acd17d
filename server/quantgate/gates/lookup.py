"""From what a caller names, an invocation id or a directory, to a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput, UnknownName
from ..launcher import execdb
from ..runs.rundir import RunDir
from . import ledger

_ID = re.compile(r"[0-9a-f]{4,16}")


@dataclass(frozen=True)
class Run:
    """A run that was found.

    Attributes:
        invocation_id: Its id; empty for a directory that has none.
        directory: None when the launch left none, or it was deleted.
        attempt: The ledger's entry; None for a run of plain NEL.
    """

    invocation_id: str
    directory: RunDir | None
    attempt: ledger.Attempt | None
    executor: str

    @property
    def kind(self) -> str:
        """ "canary", "full", "subset" or "external"."""
        return self.attempt.kind if self.attempt else "external"

    @property
    def whole(self) -> bool:
        """Whether all tasks of the invocation are looked at, not one of them by its own directory."""
        return self.directory is not None and len(self.directory.tasks) == len(RunDir.find(self.directory.path).tasks)

    @property
    def limit(self) -> int:
        """Samples per task that it was launched with; 0 for all or unknown."""
        return self.attempt.sample_limit if self.attempt else 0


def invocation_dir(attempt: ledger.Attempt) -> Path | None:
    """The invocation's directory below its output directory, whatever the time stamp in its name."""
    if attempt.run_dir and Path(attempt.run_dir).is_dir():
        return Path(attempt.run_dir)
    output = Path(attempt.output_dir)
    matches = sorted(output.glob(f"*-{attempt.invocation_id}")) if output.is_dir() else []
    return matches[0] if matches else None


def find(run: str) -> Run:
    """The run that a caller means.

    Args:
        run: An invocation id (or the beginning of one), or a run directory.

    Raises:
        BadInput: It is neither.
        UnknownName: No run has this id.
    """
    text = run.strip()
    if _ID.fullmatch(text):
        return _by_id(text)
    if "/" in text or Path(text).expanduser().is_dir():
        return _by_directory(RunDir.find(Path(text).expanduser()))
    raise BadInput(
        f"{text[:80]!r} is neither an invocation id nor a run directory", fix="give 16 hexadecimal digits or a path"
    )


def run_of(attempt: ledger.Attempt) -> Run:
    """The run of a launch, in its own place."""
    path = invocation_dir(attempt)
    return Run(attempt.invocation_id, RunDir.find(path) if path else None, attempt, attempt.executor)


def _by_directory(directory: RunDir) -> Run:
    attempt = ledger.attempt(directory.invocation_id) if directory.invocation_id else None
    own = invocation_dir(attempt) if attempt and attempt.invocation_id == directory.invocation_id else None
    if attempt is None or own is None or own.resolve() != directory.path.resolve():
        # A copy of a run is somebody's directory, not the run: the ledger says nothing of it.
        return Run(directory.invocation_id, directory, None, "")
    return Run(attempt.invocation_id, directory, attempt, attempt.executor)


def _by_id(invocation_id: str) -> Run:
    attempt = ledger.attempt(invocation_id)
    if attempt is not None:
        return run_of(attempt)
    jobs = execdb.jobs(invocation_id)
    if not jobs:
        known = [a.invocation_id for a in ledger.attempts(limit=3)]
        raise UnknownName(
            "run", invocation_id, fix="the newest are " + ", ".join(known) if known else "status() lists the known runs"
        )
    return _external(jobs)


def _external(jobs: Mapping[str, execdb.Job]) -> Run:
    first = next(iter(jobs.values()))
    path = Path(first.output_dir).parent if first.output_dir else None
    directory = RunDir.find(path) if path and path.is_dir() else None
    return Run(first.invocation_id, directory, None, first.executor)
