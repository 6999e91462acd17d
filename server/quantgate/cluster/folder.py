"""One directory on a cluster: what lies in it, in one round trip, and ranges of its files through SFTP."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import ClusterError, Unreachable
from . import words
from .connection import Connection

if TYPE_CHECKING:
    import paramiko

LIST_SECONDS = 50.0
MAX_LISTED = 4 << 20
"""Bytes of the list itself."""
LANES = 4
"""Files read at once."""
READ_BYTES = 255 * 1024
"""Of one request: what OpenSSH's server sends at most."""
_SCRIPT = Path(__file__).with_name("list_folder.sh")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ufffd/]")

State = Literal["directory", "file", "absent", "closed", "unseen"]
Kind = Literal["file", "directory", "special", "dangling", "loop"]
_KINDS: dict[str, Kind] = {"f": "file", "d": "directory", "l": "dangling", "link N": "dangling", "link L": "loop"}


@dataclass(frozen=True)
class Entry:
    """What a name stands for, links followed.

    Attributes:
        name: In the directory.
        kind: "special" is a pipe, a socket or a device; "dangling" and "loop" are links that lead to nothing.
        size: In bytes.
        mtime_ns: When it changed, in nanoseconds of the cluster's clock.
    """

    name: str
    kind: Kind
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Folder:
    """What a path is.

    Attributes:
        path: As asked for.
        state: "unseen" when not even a directory above it can be listed, so that nothing is known.
        root: The directory with every link on the way resolved; empty for anything else.
        entries: What lies in it, by name.
        unnamed: How many names hold control characters or bytes that are no text: they are left out.
    """

    path: str
    state: State
    root: str = ""
    entries: tuple[Entry, ...] = ()
    unnamed: int = 0


def list_folder(connection: Connection, path: str) -> Folder:
    """List a directory.

    Args:
        connection: To the cluster's login node.
        path: From the root of the file system.

    Raises:
        BadInput: The path is none that can be sent.
        Unreachable: The cluster does not answer.
        ClusterError: It does not let us in, cannot list, or the list is too long.
    """
    argv = ["sh", "-s", "--", words.operand(path, "path")]
    done = connection.run(argv, stdin=_SCRIPT.read_bytes(), seconds=LIST_SECONDS, max_output=MAX_LISTED)
    if done.truncated:
        raise ClusterError(
            f"{connection.host}:{path} holds too many files to be a checkpoint", fix="give the checkpoint's directory"
        )
    if not done.out.endswith("@end"):
        last = (done.err or done.out).strip().splitlines()[-1:] or ["nothing"]
        raise Unreachable(
            f"{connection.host} broke off in the middle of a list: {last[0][:200]}", fix="call this again"
        )
    return parse(path, done.out, done.err, connection.host)


def parse(path: str, text: str, errors: str, host: str) -> Folder:
    """The answer of `list_folder.sh`; raises as `list_folder` does."""
    records = [record.split("\t", 3) for record in text.split("\0") if record and record != "@end"]
    first = records[0][0].removeprefix("@") if records else ""
    if first in ("absent", "closed", "unseen", "file"):
        return Folder(path, first)  # type: ignore[arg-type]
    if first != "root" or len(records[0]) < 2:
        raise Unreachable(
            "The cluster's shell gave no answer that can be read",
            fix=f"run a plain `ssh {host} true`: it must print nothing",
        )
    rows = [r for r in records if len(r) == 4]
    codes = [r[0].removeprefix("@code ") for r in records if r[0].startswith("@code ")]
    if not words.TIMED_OUT.isdisjoint(codes):
        raise Unreachable(f"The list of {host}:{path} took too long and is not whole", fix="call this again")
    if not rows and codes[:1] != ["0"]:
        raise ClusterError(
            f"The files of {host}:{path} cannot be listed: {errors.strip()[:300] or 'find gave no answer'}",
            fix="the cluster needs GNU find; check that your account may read the directory",
        )
    found: dict[str, Entry] = {}
    for kind, size, changed, name in rows:
        if _CONTROL.search(name):
            continue
        if not kind.startswith("link"):
            found[name] = Entry(name, _KINDS.get(kind, "special"), words.whole(size) or 0, words.nanoseconds(changed))
        elif kind in _KINDS:
            found[name] = Entry(name, _KINDS[kind], 0, 0)
    unnamed = sum(1 for r in rows if _CONTROL.search(r[3]))
    return Folder(path, "directory", records[0][1], tuple(found[n] for n in sorted(found)), unnamed)


class OpenFile:
    """A remote file that is open for reading."""

    def __init__(self, file: paramiko.SFTPFile, entry: Entry) -> None:
        # Four round trips become one; a server that sends less is asked for the rest. No read-ahead: paramiko's has a thread of
        # its own, which writes a traceback when the link breaks.
        file.MAX_REQUEST_SIZE = READ_BYTES
        self._file = file
        self.entry = entry

    def read(self, begin: int, end: int) -> bytes:
        """The bytes `begin` to `end` (not included); fewer when the file ends before."""
        self._file.seek(begin)
        return bytes(self._file.read(max(0, end - begin)))


def read_each(
    connection: Connection, folder: Folder, entries: Sequence[Entry], take: Callable[[OpenFile], None]
) -> dict[str, str]:
    """Read from files, several at once.

    Args:
        connection: To the cluster's login node.
        folder: From `list_folder`.
        entries: Regular files of it; a file that is another one by now is not read.
        take: Gets each file; what it raises ends everything. It is called from several threads.

    Returns:
        By name, why a file could not be read.

    Raises:
        Unreachable: The cluster does not answer, or the link broke.
        ClusterError: It does not let us in, or offers no SFTP.
    """
    lanes = max(1, min(LANES, len(entries)))
    ordered = sorted(entries, key=lambda e: -e.size)
    with ThreadPoolExecutor(lanes, thread_name_prefix="quantgate-sftp") as pool:
        shares = [ordered[lane::lanes] for lane in range(lanes)]
        done = list(pool.map(lambda share: _lane(connection, folder, share, take), shares))
    return {name: why for failures in done for name, why in failures.items()}


def _lane(
    connection: Connection, folder: Folder, entries: Sequence[Entry], take: Callable[[OpenFile], None]
) -> dict[str, str]:
    failures: dict[str, str] = {}
    if not entries:
        return failures
    with connection.sftp() as transfer:
        for entry in entries:
            try:
                with transfer.open(f"{folder.root}/{entry.name}", "rb") as file:
                    now = file.stat()
                    if not stat.S_ISREG(now.st_mode or 0):
                        failures[entry.name] = "is not a regular file"
                    elif (now.st_size, now.st_mtime) != (entry.size, entry.mtime_ns // 10**9 & 0xFFFFFFFF):
                        failures[entry.name] = "is being written now: call again when it is whole"
                    else:
                        take(OpenFile(file, entry))
            except FileNotFoundError:
                failures[entry.name] = "is gone since it was listed: call again"
            except PermissionError:
                failures[entry.name] = "may not be read by your account there"
            except (ConnectionError, TimeoutError):
                raise
            except OSError as error:
                # paramiko's word for a link that is gone has no number, as the server's own failures have none.
                if "closed" in str(error).lower():
                    raise EOFError(str(error)) from None
                failures[entry.name] = f"cannot be read ({str(error)[:100]})"
    return failures
