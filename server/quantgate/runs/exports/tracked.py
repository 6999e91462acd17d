"""A run on a tracking server as a run on this machine: its files are copied into a private cache, and `RunDir` reads that.

A copy is not the run: what was not exported cannot be checked, and the export's own end is not the evaluation's.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ...errors import BadInput
from ...launcher import stamp
from ...launcher.markers import INTERRUPTED_MARKER
from ...tracking import address, client
from ...tracking.client import ExportedRun
from ...tracking.copying import FINISHED, OPEN
from ...tracking.layout import Wanted
from .. import copies
from ..clusters import mirrored
from ..rundir import RunDir, TaskDir
from ..sanitise import one_line
from ..status import TaskStatus

LOG_BYTES = 256 << 20
KIND = "exported"
MOST_NOTES = 6

_known: dict[Path, ExportedRun] = {}


@dataclass(frozen=True)
class TrackedRun:
    """An exported run and its copy.

    Attributes:
        exported: What the tracking server says of it.
        run: The copy, as the readers take it; it has one task, because NEL exports each task as a run of its own.
    """

    exported: ExportedRun
    run: RunDir

    @property
    def address(self) -> str:
        """How it is asked for."""
        return f"{address.SCHEME}{self.exported.run_id}"

    def told(self, text: str) -> str:
        """A text with the run's address in place of where its files were copied to."""
        return text.replace(str(self.exported.directory), self.address)


def tracked(text: str) -> TrackedRun:
    """The run at `mlflow:RUN_ID`, from copies that are current.

    Raises:
        BadInput: The address is none, holds an invocation id, or no server is configured.
        UnknownName: The server has no such run.
        TrackingUnreachable: It does not answer, or broke off in the middle.
        TrackingError: It does not let us in, or holds the files where they cannot be read.
        StorageError: The copies cannot be written.
    """
    run_id = address.run_id(text)
    if not run_id:
        raise _invocation(address.invocation_id(text))
    place = copies.folder(KIND) / run_id
    with copies.locked(place):
        exported = client.fetch(run_id, _wanted(), place)
        copy = exported.directory.parent
        with contextlib.suppress(OSError):
            copy.touch()
        _prune(copy)
    _known[exported.directory.resolve()] = exported
    return TrackedRun(exported, RunDir.find(exported.directory))


def _invocation(invocation_id: str) -> BadInput:
    """NEL exports a run for each task of an invocation: which of them is meant, the caller must say."""
    found = client.exported_from(invocation_id)
    listed = ", ".join(f"{address.SCHEME}{row.run_id} ({one_line(row.task, 60) or 'no task'})" for row in found)
    return BadInput(
        f"{invocation_id} is an invocation, and MLflow has a run for each of its tasks",
        where=f"exported from it, the newest first: {listed}" if listed else "no run of it is on the tracking server",
        fix="give one of these" if listed else "check whether it was exported: status names failed exports",
    )


def origin(task: TaskDir) -> ExportedRun | None:
    """The exported run that a task was copied from; None for any other."""
    run = task.path.parent if task.index is not None else task.path
    return _known.get(run.resolve())


def state_of_copy(task: TaskDir, exported: ExportedRun, expected: int | None) -> TaskStatus | None:
    """The state of a task whose exit record was not exported; None where it was, which then tells.

    results.yml is written when an evaluation has ended, and NEL exports no task without it.
    """
    if (task.logs / "stage.exit").is_file():
        return None
    if (task.artifacts / INTERRUPTED_MARKER).is_file():
        reason = "nemo-evaluator was told to stop before it had finished"
        return TaskStatus(task.directory, "interrupted", reason, samples_expected=expected)
    if exported.status != FINISHED:
        reason = f"its export to MLflow is {one_line(exported.status, 40)}, not {FINISHED}: files of it may be missing"
        return TaskStatus(task.directory, "unknown", reason, samples_expected=expected)
    if not (task.artifacts / "results.yml").is_file():
        return TaskStatus(task.directory, "unknown", "no results.yml was exported", samples_expected=expected)
    reason = "no exit record was exported; results.yml is written when an evaluation has ended"
    return TaskStatus(task.directory, "succeeded", reason, samples_expected=expected)


def stamp_of(tracked_run: TrackedRun) -> stamp.Stamp | None:
    """What the exported run says of its launch; a claim of whoever could write to the tracking server."""
    try:
        values = json.loads(tracked_run.exported.tags.get(stamp.TAG, ""))
    except (ValueError, RecursionError):
        return None
    return stamp.from_json(values) if isinstance(values, dict) else None


def told(tracked_run: TrackedRun) -> list[str]:
    """What must be said of a run that was read from a tracking server: where it is, and what of it could not be seen."""
    exported = tracked_run.exported
    when = f"{datetime.fromtimestamp(exported.ended, UTC):%Y-%m-%d %H:%M} UTC" if exported.ended else "not ended"
    said = [
        f"Read from {tracked_run.address} on {exported.server}: run {one_line(exported.name, 100)!r} of the experiment "
        f"{one_line(exported.experiment, 100)!r}, export {one_line(exported.status, 20)}, {when}."
    ]
    if exported.deleted:
        said.append("This run is in MLflow's bin: somebody deleted it.")
    missing = []
    if not any(name.startswith("logs/") for name in exported.files):
        missing.append("logs and exit record (export.mlflow.copy_logs: true)")
    if not _per_sample(exported):
        missing.append("per-sample files (export.mlflow.only_required: false)")
    if missing:
        said.append(f"Not exported, so not checked: {'; '.join(missing)}.")
    if place := exported.params.get("results_dir"):
        said.append(
            f"It was exported from {one_line(place, 200)}: the run itself tells more, where it can still be reached."
        )
    said += [f"Not read: {one_line(note, 300)}." for note in exported.notes[:MOST_NOTES]]
    return said


_SUMMARIES = frozenset({"results.yml", "run_config.yml", "eval_factory_metrics.json", "metadata.yaml", "progress"})


def _per_sample(exported: ExportedRun) -> bool:
    """Whether anything was exported beside what NEL always exports."""
    names = (name.partition("/")[2] for name in exported.files if name.startswith("artifacts/"))
    return any(name not in _SUMMARIES and not name.startswith(".") for name in names)


def _wanted() -> list[Wanted]:
    rows = [Wanted("artifacts", name, most) for name, most in mirrored.artifact_patterns()]
    return [*rows, Wanted("logs", "*", LOG_BYTES)]


def _prune(current: Path) -> None:
    """A copy is one state of a run: `<run id>/<state>/`. Of a run that is still written, every call has a copy of its own."""
    found = []
    for place in copies.folder(KIND).glob("*/*"):
        with contextlib.suppress(OSError):
            if place.is_dir():
                found.append(copies.Copy(place, place.parent, place.stat().st_mtime, place.name.startswith(OPEN)))
    copies.prune(found, current, current.parent)
