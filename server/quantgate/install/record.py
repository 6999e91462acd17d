"""What was installed into a folder of skills: each file with its hash, and the server's entry. Kept in the folder itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import BadInput
from ..system.files import open_plain

NAME = ".quantgate-installed.json"
FORMAT = 1
MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class ServerEntry:
    """The entry that was written: where, what, and what was made for it.

    Attributes:
        file: The client's file.
        table: The key of the servers in it.
        entry: The value as written.
        made: "file" or "table" when that was not there before, else "".
        folders_made: How many folders, from the file's own upwards, were made for it.
    """

    file: str
    table: str
    entry: dict[str, Any]
    made: str = ""
    folders_made: int = 0


@dataclass(frozen=True)
class Record:
    """One installation.

    Attributes:
        version: The quantgate that wrote it.
        files: From a path relative to the folder (with /) to the SHA-256 of what was written there.
        server: The server's entry, if one was written.
        folders_made: How many folders, from the folder of skills upwards, were made for it.
    """

    version: str = ""
    files: dict[str, str] = field(default_factory=dict)
    server: ServerEntry | None = None
    folders_made: int = 0

    def text(self) -> bytes:
        """The record as its file holds it."""
        record = {
            "format": FORMAT,
            "quantgate": self.version,
            "files": dict(sorted(self.files.items())),
            "server": None if self.server is None else asdict(self.server),
            "folders_made": self.folders_made,
        }
        return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()


def digest(content: bytes) -> str:
    """The hash by which a file is known again."""
    return hashlib.sha256(content).hexdigest()


def read(folder: Path) -> Record:
    """The record of a folder; an empty one where nothing was installed.

    Raises:
        BadInput: The record cannot be read, or is not one that this program wrote: a path in it that leads out of the
            folder would let `--uninstall` remove anything.
    """
    path = folder / NAME
    try:
        with open_plain(path) as file:
            content = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Record()
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from None
    if len(content) > MAX_BYTES:
        raise _unreadable(path, "too long")
    try:
        found = json.loads(content)
        files = {_checked(name): str(value) for name, value in found["files"].items()}
        server = found["server"]
        if found["format"] != FORMAT:
            raise _unreadable(path, f"format {str(found['format'])[:20]}, and this version knows {FORMAT}")
        entry = None
        if server is not None:
            entry = ServerEntry(
                file=str(server["file"]),
                table=str(server["table"]),
                entry=dict(server["entry"]),
                made=str(server["made"]),
                folders_made=int(server["folders_made"]),
            )
        return Record(str(found["quantgate"]), files, entry, int(found["folders_made"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _unreadable(path, f"{type(error).__name__}: {str(error)[:100]}") from None


def _checked(name: str) -> str:
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name or "\0" in name:
        raise ValueError(f"the path {name[:60]!r}")
    return name


def _unreadable(path: Path, why: str) -> BadInput:
    return BadInput(
        "The record of what was installed cannot be read",
        where=f"{path} ({why})",
        fix="remove that file; files that are there then count as yours and are not overwritten unasked",
    )
