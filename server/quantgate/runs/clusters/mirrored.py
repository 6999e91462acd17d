"""A run on a cluster as a run on this machine: what quantgate reads of it is copied into a private cache, and `RunDir` reads that.

What did not change on the cluster is not copied again. Without the cluster there is no run: a copy is never shown as what is there.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import yaml

from ... import path_pattern
from ...cluster import mirror
from ...cluster.connection import Connection, connection
from ...cluster.listing import Listing, RemoteFile, list_run
from ...errors import BadInput
from .. import copies
from ..rundir import RunDir, is_task_name
from . import origins

KIND = "mirrored"
MOST_NOTES = 8
_TABLE = Path(__file__).with_name("mirrored_files.yaml")


@dataclass(frozen=True)
class Mirror:
    """A run on a cluster and its copy.

    Attributes:
        host: As it was asked for.
        path: The directory there that was asked for.
        run: The copy, as the readers take it.
        notes: What was left there, and why: each may be the reason of a check that fails.
        fetched: Files that were copied now.
    """

    host: str
    path: str
    run: RunDir
    notes: tuple[str, ...] = ()
    fetched: int = 0

    def told(self, text: str) -> str:
        """A message with the place on the cluster instead of the copy's."""
        root = _invocation(PurePosixPath(self.path))[0]
        return text.replace(str(self.run.path), f"{self.host}:{root}")


@dataclass(frozen=True)
class _Wanted:
    place: str
    name: str
    most: int


def mirrored(host: str, path: str, wait: float = copies.WAIT_SECONDS) -> RunDir:
    """The run at `host:path`, from copies that are current; raises as `mirror_of` does."""
    return mirror_of(host, path, wait).run


def mirror_of(host: str, path: str, wait: float = copies.WAIT_SECONDS) -> Mirror:
    """The run at `host:path`, and what of it could not be copied.

    Args:
        host: As ssh takes it; the caller has made sure that it may be contacted (`cluster.hosts`).
        path: An absolute path there: an invocation's directory, one of its tasks, a task's artifacts, or an output directory of
            nemo-evaluator.
        wait: Seconds to wait for another call that copies the same run.

    Raises:
        BadInput: The path is not absolute, nothing is there, or it is no run.
        Unreachable: The cluster does not answer; nothing is known of the run.
        ClusterError: It does not let us in, or the directory may not be read.
        StorageError: The copy cannot be written.
    """
    asked = PurePosixPath(path)
    if not asked.is_absolute() or ".." in asked.parts or len(asked.parts) < 2:
        raise BadInput(
            f"{path[:120]!r} is no run directory on a cluster",
            fix="give host:/absolute/path, without `..`",
        )
    root, start = _invocation(asked)
    place = _place(host, root)
    link = connection(host)
    with copies.locked(place, wait):
        return _made(link, root, start, place, asked)


def _invocation(asked: PurePosixPath) -> tuple[PurePosixPath, PurePosixPath]:
    """The invocation's directory, and the part of it that was asked for."""
    task = asked.parent if asked.name == "artifacts" else asked
    root = task.parent if is_task_name(task.name) else asked
    return root, asked.relative_to(root)


def _made(link: Connection, root: PurePosixPath, start: PurePosixPath, place: Path, asked: PurePosixPath) -> Mirror:
    target = place / (root.name or "run")
    count, notes = 0, list[str]()
    for settle in (False, True):
        listing = list_run(link, str(root), str(start), sorted({path_pattern.last_part(w.name) for w in _wanted()}))
        files, notes = _chosen(listing)
        mirror.lay_out(listing, target, start, files)
        done = mirror.fetch(link, listing.root, mirror.stale(target, files), target, settle=settle)
        count += done.count
        if not done.moved:
            break
    notes += [f"{path} was being written while it was read" for path in done.moved]
    notes += [f"{path} may not be read by your account there" for path in done.closed]
    if count:
        _prune(place)
    more = len(notes) - MOST_NOTES
    told = [*notes[:MOST_NOTES], *([f"and {more} more files"] if more > 0 else [])]
    try:
        run = RunDir.find(target / start)
    except BadInput:
        raise BadInput(
            f"{link.host}:{asked} is not a run directory",
            where=told[0] if told else "",
            fix="give the directory below execution.output_dir, or one of its tasks",
        ) from None
    origins.remember(target, link.host, str(root))
    return Mirror(link.host, str(asked), run, tuple(told), count)


def _chosen(listing: Listing) -> tuple[list[RemoteFile], list[str]]:
    """The files that are read, and notes on those that are not."""
    chosen: list[RemoteFile] = []
    notes = [f"{path} is a link out of the run or to a directory, and was not followed" for path in listing.foreign]
    for file in listing.files:
        row = _row(file.path)
        if row is None:
            continue
        if file.size > row.most:
            notes.append(
                f"{file.path} has {file.size >> 20} MB, more than the {row.most >> 20} MB that are copied: "
                "run quantgate on the cluster to read it"
            )
        else:
            chosen.append(file)
    if listing.unnamed:
        notes.append(f"{listing.unnamed} names hold line breaks, control characters or bytes that are no text")
    if listing.partial:
        notes.append(f"the list of files may lack some: {listing.partial}")
    return chosen, notes


def _row(path: PurePosixPath) -> _Wanted | None:
    parts = list(path.parts)
    place = "run"
    if len(parts) > 1 and is_task_name(parts[0]):
        place, parts = "task", parts[1:]
    if len(parts) > 1 and parts[0] in ("logs", "artifacts"):
        place, parts = parts[0], parts[1:]
    # nemo-evaluator's own output directory has its artifacts directly inside.
    places = {place, "artifacts"} if place == "run" else {place}
    below = PurePosixPath(*parts)
    return next((w for w in _wanted() if w.place in places and path_pattern.matches(below, w.name)), None)


def artifact_patterns() -> list[tuple[str, int]]:
    """For each file below artifacts/ that is read: a pattern of its path there, and the bytes above which it is left."""
    return [(row.name, row.most) for row in _wanted() if row.place == "artifacts"]


@cache
def _wanted() -> tuple[_Wanted, ...]:
    rows = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return tuple(_Wanted(row["in"], row["name"], row["most_mb"] << 20) for row in rows)


def _place(host: str, root: PurePosixPath) -> Path:
    digest = hashlib.sha256(f"{host}\0{root}".encode()).hexdigest()[:24]
    return copies.folder(KIND) / digest


def _prune(place: Path) -> None:
    found = []
    for lock in copies.folder(KIND).glob("*.lock"):
        with contextlib.suppress(OSError):
            copy = lock.with_suffix("")
            found.append(copies.Copy(copy, copy, lock.stat().st_mtime))
    copies.prune(found, place, place)
