"""NEL's own record of jobs, looked at each time: in the launcher's process it is loaded once and goes stale.

The file only grows. What was read of it is remembered, and each look reads what was added since; a file that was replaced or
shortened is read again from its beginning.
"""

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .. import workspace
from ..errors import StorageError
from ..system.files import open_plain

VARIABLE = "NEMO_EVALUATOR_EXEC_DB_FILE"
"""By which NEL is told where its record lies."""
MAX_LINE = 4 << 20
"""Bytes; a longer line is no record (NEL's hold one composed config, some ten thousand bytes)."""
MOST_JOBS = 50_000
"""Remembered; the oldest are forgotten."""
MAX_FIELD = 4096
MOST_BYTES = 128 << 20
"""Of a record that is read for the first time, from its end: a job takes some kilobytes."""
_CHUNK = 1 << 20
_MARK = 64
_PLACES = {
    "output_dir": "output_dir",
    "hostname": "hostname",
    "username": "username",
    "remote_dir": "remote_rundir_path",
    "slurm_job_id": "slurm_job_id",
    "container": "container",
}
_BEGIN = b'{"invocation_id"'
"""How NEL 0.2.6 begins a record. In a text inside a record the quotes would be escaped."""


@dataclass(frozen=True)
class Job:
    """One job as NEL recorded it.

    Attributes:
        output_dir: Its task directory; empty for remote jobs.
        created: Seconds since the epoch; 0 when the record does not say.
        hostname: Of the cluster's login node; empty for local jobs, as are the next three.
        username: The login name there.
        remote_dir: Its task directory there.
        slurm_job_id: Of the first job that was submitted for it, as NEL assigned it: NEL 0.2.6 pairs ids and tasks by their
            order alone, so when one of several submissions is refused they shift.
        container: Name of the container of its evaluation; empty but for NEL's local executor.
    """

    job_id: str
    invocation_id: str
    executor: str
    output_dir: str
    created: float = 0.0
    hostname: str = ""
    username: str = ""
    remote_dir: str = ""
    slurm_job_id: str = ""
    container: str = ""


@dataclass(frozen=True)
class Invocation:
    """One invocation as NEL recorded it; `created` is in seconds since the epoch, 0 when the record does not say."""

    invocation_id: str
    executor: str
    created: float


def home() -> Path:
    """The home directory that NEL gets: the user's, or one in the state directory where that cannot be written.

    NEL 0.2.6 makes `~/.nemo-evaluator` when it is imported and stops where it cannot.
    """
    own = Path.home()
    folder = own / ".nemo-evaluator"
    if os.access(folder if folder.is_dir() else own, os.W_OK):
        return own
    spare = workspace.state_dir() / "home"
    spare.mkdir(mode=0o700, exist_ok=True)
    return spare


def path() -> Path:
    """NEL's file: NEMO_EVALUATOR_EXEC_DB_FILE, else below `~/.nemo-evaluator`."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else home() / ".nemo-evaluator" / "exec-db" / "exec.v1.jsonl"


def jobs(invocation_id: str) -> dict[str, Job]:
    """The jobs of the invocations whose id begins so; empty when there are none or more than one invocation.

    A line that is not a record is passed over. Where a crash in the middle of a write left half a record, the next one stands on
    the same line: it is found.
    """
    found = {job.job_id: job for job in _all() if job.invocation_id.startswith(invocation_id)}
    return found if len({j.invocation_id for j in found.values()}) == 1 else {}


def invocations() -> list[Invocation]:
    """Every invocation on record, each once, in the order in which their first job was written last."""
    found: dict[str, Invocation] = {}
    for job in _all():
        found.setdefault(job.invocation_id, Invocation(job.invocation_id, job.executor, job.created))
    return list(found.values())


def records(invocation_id: str) -> Iterator[dict[str, Any]]:
    """The records of one invocation as they stand in NEL's file, broken lines as in `jobs`.

    Read anew each time: it is asked for once in a process, and the record of a whole year is read in a second.

    Args:
        invocation_id: In full.
    """
    wanted = f'"{invocation_id}"'.encode()
    try:
        with open_plain(path()) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - MOST_BYTES))
            while line := file.readline(MAX_LINE):
                record = _mapping(line) or _mapping(line[line.rfind(_BEGIN) :]) if wanted in line else None
                if record is not None and record.get("invocation_id") == invocation_id:
                    yield record
    except OSError:
        return


def _mapping(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def config_of(invocation_id: str) -> Mapping[str, Any] | None:
    """The config that NEL composed for a launch, whole, the last that was recorded; None when the record has none.

    Args:
        invocation_id: In full.
    """
    configs = [record["config"] for record in records(invocation_id) if isinstance(record.get("config"), dict)]
    return configs[-1] if configs else None


def _all() -> list[Job]:
    try:
        return _record.read(path())
    except OSError:
        return []


def fault() -> StorageError | None:
    """Why NEL cannot write its record; None when it can, or when it is not there yet."""
    place = path()
    try:
        with place.open("r+b"):
            return None
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = error
    return StorageError(
        f"NEL's record of its jobs cannot be used: {problem.strerror}",
        where=str(place),
        fix="move it away (a new one is made), or set NEMO_EVALUATOR_EXEC_DB_FILE to another file; nothing was launched",
    )


class _Record:
    """What was read of one file so far."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._file: tuple[Path, int, int] | None = None
        self._offset = 0
        self._before = b""
        self._begun = b""
        self._skipping = False
        self._jobs: dict[str, Job] = {}

    def read(self, path: Path) -> list[Job]:
        """Every job that the file records, each as it was written last."""
        with self._lock, open_plain(path) as file:
            found = os.fstat(file.fileno())
            if (path, found.st_dev, found.st_ino) != self._file or not self._is_continued(file, found.st_size):
                self._forget()
                self._file = (path, found.st_dev, found.st_ino)
                # What was written last counts; the first line may be cut.
                self._offset = max(0, found.st_size - MOST_BYTES)
                self._skipping = self._offset > 0
            file.seek(self._offset)
            for line in self._lines(file):
                self._take(line)
            # The last record may lack its line feed still.
            last = _job(self._begun)
            known = dict(self._jobs)
        return list({**known, **({last.job_id: last} if last else {})}.values())

    def _is_continued(self, file: BinaryIO, size: int) -> bool:
        """Whether what was read before is still there."""
        file.seek(max(0, self._offset - len(self._before)))
        return size >= self._offset and file.read(len(self._before)) == self._before

    def _lines(self, file: BinaryIO) -> Iterator[bytes]:
        while chunk := file.read(_CHUNK):
            self._offset += len(chunk)
            self._before = (self._before + chunk)[-_MARK:]
            first, *others = chunk.split(b"\n")
            self._grow(first)
            for part in others:
                if not self._skipping:
                    yield self._begun
                self._begun, self._skipping = b"", False
                self._grow(part)

    def _grow(self, part: bytes) -> None:
        if self._skipping or len(self._begun) + len(part) > MAX_LINE:
            self._begun, self._skipping = b"", True
        else:
            self._begun += part

    def _take(self, line: bytes) -> None:
        job = _job(line)
        if job is None:
            return
        # Written again it is the newest.
        self._jobs.pop(job.job_id, None)
        self._jobs[job.job_id] = job
        if len(self._jobs) > MOST_JOBS:
            del self._jobs[next(iter(self._jobs))]


_record = _Record()


def _job(line: bytes) -> Job | None:
    if not line.strip():
        return None
    job = _decoded(line)
    begin = line.rfind(_BEGIN)
    return _decoded(line[begin:]) if job is None and begin > 0 else job


def _decoded(line: bytes) -> Job | None:
    import msgspec

    try:
        row = msgspec.json.decode(line, type=_row_type())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    stamp = row.timestamp
    created = stamp if isinstance(stamp, int | float) and 0 <= stamp < 1 << 40 else 0.0
    places = {name: _text(getattr(row.data, recorded, "")) for name, recorded in _PLACES.items()}
    job = Job(
        job_id=row.job_id, invocation_id=row.invocation_id, executor=row.executor, created=float(created), **places
    )
    fields = (job.job_id, job.invocation_id, job.executor, *places.values())
    return job if all(len(text) <= MAX_FIELD for text in fields) and job.job_id and job.invocation_id else None


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


@functools.cache
def _row_type() -> Any:
    """The part of a record that is read; the rest of it, the whole config, is passed over without being built."""
    import msgspec

    data = msgspec.defstruct("Data", [(name, Any, "") for name in _PLACES.values()])
    optional = data | None
    return msgspec.defstruct(
        "Row",
        [
            ("job_id", str),
            ("invocation_id", str),
            ("executor", str),
            ("data", optional, None),
            ("timestamp", Any, 0.0),
        ],
    )
