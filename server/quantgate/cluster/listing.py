"""Which files of a run there are on a cluster: one round trip, bounded, by names that are asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import BadInput, ClusterError, Unreachable
from . import words
from .connection import Connection

LIST_SECONDS = 50.0
MAX_LISTED = 4 << 20
"""Bytes of the list itself."""
MAX_NAME = 255
_SCRIPT = Path(__file__).with_name("list_run.sh")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ufffd]")
"""With the character that stands for bytes that are no UTF-8: such a name cannot be asked for again."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a run.

    Attributes:
        path: Below the run's directory.
        size: In bytes, when it was listed.
        mtime_ns: When it changed, in nanoseconds of the cluster's clock.
    """

    path: PurePosixPath
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Listing:
    """What was found.

    Attributes:
        root: The run's directory, with every link on the way resolved.
        directories: Those of the tasks, and their logs and artifacts, below `root`.
        files: Those that were asked for and lie in the run.
        foreign: Links that lead out of the run, or to a directory: they are not followed.
        unnamed: How many names hold control characters or bytes that are no text: they are left alone.
        partial: Why the list may lack something; empty when it is whole.
    """

    root: str
    directories: tuple[PurePosixPath, ...]
    files: tuple[RemoteFile, ...]
    foreign: tuple[str, ...] = ()
    unnamed: int = 0
    partial: str = ""


def list_run(connection: Connection, root: str, start: str, names: Sequence[str]) -> Listing:
    """List a run.

    Args:
        connection: To the cluster's login node.
        root: The run's directory, from the root of the file system.
        start: The part of it to list, relative; "." for all.
        names: Name patterns of files, as `find -name` takes them.

    Raises:
        BadInput: The directory is not there, or it is no run.
        Unreachable: The cluster does not answer, or nothing can be seen of that path.
        ClusterError: It does not let us in, or it cannot list.
    """
    words.operand(root, "run directory")
    inside = "." if start == "." else f"./{words.operand(start, 'task directory')}"
    argv = ["sh", "-s", "--", root, inside, *names]
    done = connection.run(argv, stdin=_SCRIPT.read_bytes(), seconds=LIST_SECONDS, max_output=MAX_LISTED)
    address = f"{connection.host}:{root}"
    if done.truncated:
        raise BadInput(
            f"{address} holds too many files to be one run", fix="give the directory of one invocation or of one task"
        )
    if not done.out.endswith("@end"):
        last = (done.err or done.out).strip().splitlines()[-1:] or ["nothing"]
        raise Unreachable(
            f"{connection.host} broke off in the middle of a list: {last[0][:200]}", fix="call this again"
        )
    return parse(done.out, done.err, address)


def parse(text: str, errors: str, address: str) -> Listing:
    """The answer of `list_run.sh`; raises as `list_run` does."""
    found = [record.split("\t", 3) for record in text.split("\0") if record and record != "@end"]
    _refuse(found[0][0] if found else "", address)
    code = next((r[0].removeprefix("@code ") for r in found if r[0].startswith("@code ")), "1")
    rows = [r for r in found if len(r) == 4]
    if code != "0" and not any(r[0] in "fx" for r in rows):
        raise ClusterError(
            f"The files of {address} cannot be listed: {errors.strip()[:300] or f'find ended with {code}'}",
            fix="the cluster needs GNU find; check that your account may read the directory",
        )
    named = [(r, path) for r in rows if (path := _path(r[3])) is not None]
    files = {path: _file(r, path) for r, path in named if r[0] == "f" and words.whole(r[1]) is not None}
    return Listing(
        root=found[0][1],
        directories=tuple(path for r, path in named if r[0] == "d"),
        files=tuple(files.values()),
        foreign=tuple(str(path) for r, path in named if r[0] == "x"),
        unnamed=len(rows) - len(named),
        partial="" if code == "0" else errors.strip()[:300] or "the list took too long",
    )


def _refuse(first: str, address: str) -> None:
    if first == "@absent":
        raise BadInput(
            f"There is no run directory {address}", fix="it was removed or never made; check the path on the cluster"
        )
    if first == "@closed":
        raise ClusterError(
            f"The run directory {address} may not be entered", fix="give your account the right to read it"
        )
    if first == "@unseen":
        raise Unreachable(
            f"Nothing can be seen of {address}: not even the directory above it",
            fix="its file system may be away; check it on the cluster, then call this again",
        )
    if first == "@other":
        raise BadInput(
            f"{address} is not a run directory",
            where="a run is <YYYYmmdd_HHMMSS>-<invocation id>/ with <task>.<index>/ directories, or holds results.yml",
            fix="give the directory below execution.output_dir, or one of its tasks",
        )
    if first != "@root":
        raise Unreachable(
            "The cluster's shell gave no answer that can be read",
            fix="run a plain `ssh HOST true`: it must print nothing",
        )


def _path(text: str) -> PurePosixPath | None:
    """A path below the run; None for a name that is not safe to use again."""
    path = PurePosixPath(text)
    if _CONTROL.search(text) or path.is_absolute() or ".." in path.parts or not path.parts:
        return None
    return None if any(len(part.encode()) > MAX_NAME for part in path.parts) else path


def _file(row: list[str], path: PurePosixPath) -> RemoteFile:
    return RemoteFile(path, words.whole(row[1]) or 0, words.nanoseconds(row[2]))
