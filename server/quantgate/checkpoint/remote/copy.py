"""What was read of a checkpoint on a cluster, kept below quantgate's cache: `remote/<path>/<host>/<state>/`.

Config files lie there as they are, of each safetensors file the header as `<name>.header`, and `listing.json` says what the
directory holds, by name with size and time. A state is one set of names, sizes and times; a changed checkpoint is another state.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ... import workspace
from ...errors import CheckpointError, StorageError
from ..config_json import read_object

LISTING = "listing.json"
HEADER_SUFFIX = ".header"
MAX_LISTING_BYTES = 8 << 20
MAX_KEPT = 200
"""Hosts of one path, and states of one checkpoint, that are looked at."""
KEPT_SECONDS = 30 * 86_400
_PARTIAL = ".partial-"
_ABANDONED_SECONDS = 86_400
_FORMAT = 1

State = Mapping[str, tuple[int, int]]
"""By name, size in bytes and time in nanoseconds."""


@dataclass(frozen=True)
class RemoteCopy:
    """The config files and headers of a checkpoint on a cluster, as it was at one time.

    Attributes:
        path: Their directory on this machine.
        host: As the caller named it, when it was read.
        names: Every name of that host, without a user.
        remote: The directory there, as it was asked for.
        root: The same with every link on the way resolved.
        state: Of the files that lie in it.
        seen: When it was last found to be so, in seconds since the epoch.
    """

    path: Path
    host: str
    names: tuple[str, ...]
    remote: str
    root: str
    state: State
    seen: float

    @property
    def address(self) -> str:
        """`host:/path`."""
        return f"{self.host}:{self.remote}"

    @property
    def listing(self) -> dict[str, int]:
        """Name and size in bytes of each file."""
        return {name: size for name, (size, _) in self.state.items()}


def digest_of(state: State) -> str:
    """The name of a state."""
    return hashlib.sha256(json.dumps(sorted(state.items())).encode()).hexdigest()[:32]


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _home(host: str, remote: str) -> Path:
    return workspace.cache_dir() / "remote" / _key(remote) / _key(host)


def bare(host: str) -> str:
    """A host without its user."""
    return host.rpartition("@")[2]


def find(host: str, remote: str, state: State | None = None) -> RemoteCopy | None:
    """A kept copy: of this state, else the one that was seen last; None when there is none.

    Args:
        host: Any of the host's names; a user in it does not count.
        remote: The directory there.
        state: What it holds now, when that is known.
    """
    with contextlib.suppress(OSError):
        homes = list(islice((workspace.cache_dir() / "remote" / _key(remote)).iterdir(), MAX_KEPT))
        copies = [copy for home in homes for copy in _copies(home, digest_of(state) if state is not None else "")]
        mine = [c for c in copies if c.remote == remote and bare(host) in c.names]
        return max(mine, key=lambda copy: copy.seen, default=None)
    return None


def _copies(home: Path, state: str) -> Iterator[RemoteCopy]:
    names = [state] if state else [p.name for p in islice(home.iterdir(), MAX_KEPT) if not p.name.startswith(".")]
    for name in names:
        copy = _read(home / name)
        if copy is not None:
            yield copy


def _read(path: Path) -> RemoteCopy | None:
    try:
        seen = (path / LISTING).stat().st_mtime
        data = read_object(path / LISTING, MAX_LISTING_BYTES)
        state = {str(name): (int(size), int(changed)) for name, (size, changed) in data["state"].items()}
        texts = [str(data[key]) for key in ("host", "remote", "root")]
        names = tuple(str(name) for name in data["names"])
    except (OSError, CheckpointError, KeyError, TypeError, ValueError, AttributeError):
        return None
    if data.get("format") != _FORMAT or digest_of(state) != path.name:
        return None
    return RemoteCopy(path, texts[0], names, texts[1], texts[2], state, seen)


def describe(copy: RemoteCopy) -> str:
    """One sentence on a copy."""
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(copy.seen))
    return f"config files and safetensors headers of {copy.address} as of {at}; its weights were not read"


def seen_now(copy: RemoteCopy) -> None:
    """The cluster was asked again, and it is still so."""
    with contextlib.suppress(OSError):
        os.utime(copy.path / LISTING)


class Staging:
    """A directory that becomes a copy at once when everything is in it, and vanishes when it does not.

    Use it as a context manager.

    Args:
        host: As the caller named it.
        remote: The directory there.

    Raises:
        StorageError: The cache cannot be written.
    """

    def __init__(self, host: str, remote: str) -> None:
        self._host, self._remote = host, remote
        self._home = _home(bare(host), remote)

    def __enter__(self) -> Staging:
        try:
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self._home))
        except OSError as error:
            raise self._full(error) from None
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        _prune(self._home)

    def write(self, name: str, data: bytes) -> None:
        """Write one file; `name` was checked to be a plain file name."""
        try:
            (self.path / name).write_bytes(data)
        except OSError as error:
            raise self._full(error) from None

    def publish(self, names: tuple[str, ...], root: str, state: State) -> RemoteCopy:
        """Give the directory the name of its state; one of another process may be there first."""
        content: dict[str, Any] = {"format": _FORMAT, "host": self._host, "names": list(names), "remote": self._remote}
        content |= {"root": root, "state": {name: list(row) for name, row in state.items()}}
        self.write(LISTING, json.dumps(content).encode())
        target = self._home / digest_of(state)
        try:
            if _read(target) is None:
                shutil.rmtree(target, ignore_errors=True)
                with contextlib.suppress(FileExistsError):
                    self.path.rename(target)
        except OSError as error:
            if _read(target) is None:
                raise self._full(error) from None
        copy = _read(target)
        if copy is None:
            raise StorageError("What was read from the cluster was not kept", where=str(target), fix="call again")
        return copy

    def _full(self, error: OSError) -> StorageError:
        return StorageError(
            f"What was read from the cluster cannot be kept: {error.strerror}",
            where=str(self._home),
            fix="make room, or set QUANTGATE_CACHE to a directory that can be written",
        )


def _prune(home: Path) -> None:
    """Remove what a killed process left, and what was not seen for long; of this checkpoint also the older states."""
    now = time.time()
    with contextlib.suppress(OSError):
        for at in islice(home.parent.parent.glob("*/*/*"), 5000):
            mark = at if at.name.startswith(_PARTIAL) else at / LISTING
            with contextlib.suppress(OSError):
                age = now - mark.stat().st_mtime
                most = _ABANDONED_SECONDS if mark is at or at.parent == home else KEPT_SECONDS
                if age > most:
                    shutil.rmtree(at, ignore_errors=True)
