"""What was read of a model on the hub, kept below quantgate's cache: `hub/<org>--<name>/<commit>/`.

Config files lie there as they are, of each safetensors file the header as `<name>.header` (its first 8 + N bytes), and
`listing.json` says what the hub has. The user's own hub cache is never written: half a snapshot there would be taken for a
whole one by whatever loads models from it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ... import workspace
from ...errors import CheckpointError, StorageError
from ..config_json import read_object

LISTING = "listing.json"
HEADER_SUFFIX = ".header"
MAX_LISTING_BYTES = 8 * 1024 * 1024
MAX_COMMITS = 1000
_PARTIAL = ".partial-"
_ABANDONED_SECONDS = 86_400
COMMIT = re.compile(r"[0-9a-f]{40,64}\Z", re.ASCII)


@dataclass(frozen=True)
class HubCopy:
    """The config files and headers of one commit.

    Attributes:
        path: Their directory.
        endpoint: The hub's address, for messages.
        handle: The model.
        commit: The commit on the hub.
        fetched: The day, as YYYY-MM-DD.
        listing: Name and size in bytes of every file at the top of the repository.
        unread: Files whose names are not plain, or that lie in folders: their number.
    """

    path: Path
    endpoint: str
    handle: str
    commit: str
    fetched: str
    listing: Mapping[str, int]
    unread: int = 0


def place(handle: str) -> Path:
    """The directory of a handle's copies, which need not exist."""
    return workspace.cache_dir() / "hub" / handle.replace("/", "--")


def find(handle: str, endpoint: str, commit: str = "") -> HubCopy | None:
    """A kept copy: of this commit, else the one that was fetched last.

    A copy that is incomplete or was made of another hub or model is passed over.
    """
    home = place(handle)
    try:
        names = [commit] if commit else [p.name for p in islice(home.iterdir(), MAX_COMMITS) if COMMIT.match(p.name)]
        names.sort(key=lambda name: (home / name).stat().st_mtime, reverse=True)
    except OSError:
        return None
    copies = (_read(home / name, handle, endpoint) for name in names)
    return next((copy for copy in copies if copy), None)


def _read(path: Path, handle: str, endpoint: str) -> HubCopy | None:
    try:
        data = read_object(path / LISTING, MAX_LISTING_BYTES)
    except CheckpointError:
        return None
    listing, fetched, unread = data.get("files"), data.get("fetched"), data.get("unread")
    if (data.get("handle"), data.get("endpoint"), data.get("commit")) != (handle, endpoint, path.name):
        return None
    if not (isinstance(listing, dict) and isinstance(fetched, str) and isinstance(unread, int)):
        return None
    if not all(type(size) is int for size in listing.values()):
        return None
    return HubCopy(path, endpoint, handle, path.name, fetched[:10], listing, unread)


class Staging:
    """A directory that becomes a copy at once when everything is in it, and vanishes when it does not.

    Use it as a context manager.

    Raises:
        StorageError: The cache cannot be written.
    """

    def __init__(self, handle: str) -> None:
        self._home = place(handle)
        self._published = ""

    def __enter__(self) -> Staging:
        try:
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self._home))
        except OSError as error:
            raise self._full(error) from None
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self._published:
            _prune(self._home, self._published)

    def write(self, name: str, data: bytes) -> None:
        """Write one file; `name` was checked to be a plain file name."""
        try:
            (self.path / name).write_bytes(data)
        except OSError as error:
            raise self._full(error) from None

    def publish(self, copy: Mapping[str, Any]) -> None:
        """Write `listing.json` and give the directory its name, the commit; one of another process may be there first."""
        self.write(LISTING, json.dumps(copy).encode())
        self._published = str(copy["commit"])
        target = self._home / self._published
        try:
            if not self._renamed(target):
                if _read(target, str(copy["handle"]), str(copy["endpoint"])):
                    return
                # Broken, or of another hub.
                shutil.rmtree(target, ignore_errors=True)
                self._renamed(target)
        except OSError as error:
            raise self._full(error) from None

    def _renamed(self, target: Path) -> bool:
        try:
            self.path.rename(target)
        except OSError as error:
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                return False
            raise
        return True

    def _full(self, error: OSError) -> StorageError:
        return StorageError(
            f"What was read from the hub cannot be kept: {error.strerror}",
            where=str(self._home),
            fix="make room, or set QUANTGATE_CACHE to a directory that can be written",
        )


def _prune(home: Path, commit: str) -> None:
    """Remove what a killed process left, and the older commits, which nobody asks for once a newer one is kept."""
    with contextlib.suppress(OSError):
        for old in islice(home.iterdir(), MAX_COMMITS):
            with contextlib.suppress(OSError):
                if old.name != commit and time.time() - old.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(old, ignore_errors=True)
