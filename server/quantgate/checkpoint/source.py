"""Where a model is: a directory, a GGUF file, a directory on a cluster, or a handle of the hub.

`host:/absolute/path` is a directory on a cluster: what was read of it before is kept, and it is asked when that is allowed.

A handle is looked for in the local hub cache, then among the copies that were read from the hub before, then, when that is
allowed, on the hub. There is no `org/name@revision`: no serving command takes it; a handle means the main branch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from ..errors import CheckpointError
from .hub.settings import hub_cache
from .megatron import layout as megatron_layout

_HANDLE = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*\Z", re.ASCII)
_GGUF_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf\Z", re.ASCII | re.IGNORECASE)
MAX_NAMED = 10
"""Most names that an error lists."""


@dataclass(frozen=True)
class ModelSource:
    """A model that was found.

    Attributes:
        kind: `hf_handle` when a handle was given, else `checkpoint`.
        given: The argument as it was given.
        path: The directory with config.json, or the GGUF file's directory.
        handle: The handle, or empty.
        gguf: The GGUF file (the first part of a split one), or None.
        megatron: `path` is a Megatron iteration (`iter_*`): it has no config.json of its own.
        revision: The commit of a handle's files, or empty.
        listing: Name and size in bytes of the files on the hub or the cluster, when only config files and headers are in
            `path` (`hub.copy` and `remote.copy` describe them); None when `path` holds the model itself.
        note: Where a handle's or a cluster's files come from, and what that leaves open; a sentence without the final stop,
            or empty.
        remote: `host:/path` of a model on a cluster, or empty; `path` then is the copy of its config files and headers.
        remote_root: Its directory there with every link resolved.
    """

    kind: Literal["checkpoint", "hf_handle"]
    given: str
    path: Path
    handle: str = ""
    gguf: Path | None = None
    megatron: bool = False
    revision: str = ""
    listing: Mapping[str, int] | None = None
    note: str = ""
    remote: str = ""
    remote_root: str = ""

    @property
    def place(self) -> str:
        """Where it lies, for people: a path, or `host:/path`."""
        return self.remote or str(self.gguf or self.path)

    @property
    def name(self) -> str:
        """The last part of where it lies."""
        return PurePosixPath(self.remote).name if self.remote else self.path.name

    @contextmanager
    def told(self) -> Iterator[None]:
        """Errors inside the block name the cluster's path instead of that of the copy here."""
        try:
            yield
        except CheckpointError as error:
            if not self.remote:
                raise
            what, where, fix = (_told(text, self) for text in (error.what, error.where, error.fix))
            raise CheckpointError(what, where=where, fix=fix) from None

    def has(self, name: str) -> bool:
        """Whether the model has a file of this name at its top, here or on the hub."""
        return name in self.listing if self.listing is not None else (self.path / name).exists()

    @property
    def claims(self) -> str:
        """The name that may claim a precision: the handle, the GGUF file's, or the directory's."""
        if self.handle:
            return self.handle.partition("/")[2]
        if self.remote:
            return PurePosixPath(self.remote_root).name
        return self.gguf.name if self.gguf else self.path.resolve().name


def resolve_model(model: str, *, reach_hub: bool = False) -> ModelSource:
    """Find a model by path or handle.

    A path is absolute, begins with `./`, `../` or `~`, or exists; a handle has exactly one `/` and is not on disk.

    Args:
        model: What the user named.
        reach_hub: Ask the hub for a handle that is not in the local hub cache, and the cluster for `host:/path`; at most
            about a minute. The caller has made sure that the host may be contacted (`cluster.hosts`).

    Raises:
        CheckpointError: It does not exist, is a parent of Megatron iterations, holds several GGUF models, is a handle that
            is not on this machine (and that the hub does not give, if it was asked), or one on a cluster that was not read.
        Unreachable: The cluster does not answer, and nothing was read of it before.
        ClusterError: It does not let us in.
        StorageError: What the hub or the cluster gave cannot be kept.
    """
    given = model.strip()
    if not given or "\0" in given:
        raise CheckpointError(
            "No model was named", fix="give a checkpoint directory, a .gguf file or a hub handle `org/name`"
        )
    path = expanded(given)
    if _exists(path):
        return _on_disk(given, path)
    if ":/" in given and "://" not in given:
        found = _on_cluster(given, reach_hub)
        if found is not None:
            return found
    if "://" in given:
        raise CheckpointError("A URL is not a model", where=given, fix="give the hub handle `org/name` or a local path")
    if _HANDLE.match(given) and not given.startswith((".", "~")):
        return _handle(given, reach_hub)
    raise CheckpointError(
        f"No checkpoint {given!r}: there is no such file or directory",
        where=str(path.absolute()),
        fix="check the path; a hub handle has the form `org/name`, without a revision",
    )


def expanded(given: str) -> Path:
    """The path with `~` written out; as it stands where that is the home of a user that does not exist."""
    try:
        return Path(given).expanduser()
    except RuntimeError:
        return Path(given)


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except (OSError, ValueError):
        return False


def _on_disk(given: str, path: Path) -> ModelSource:
    try:
        is_directory = path.stat() and path.is_dir()
        names = sorted(p.name for p in path.iterdir()) if is_directory else []
    except OSError as error:
        reason = "a loop of symbolic links" if "symbolic" in str(error.strerror) else str(error.strerror).lower()
        raise CheckpointError(f"{given!r} cannot be read: {reason}", where=str(path)) from None
    if is_directory:
        return _directory(given, path, names)
    if path.suffix.lower() == ".gguf":
        return ModelSource("checkpoint", given, path.parent, gguf=path)
    raise CheckpointError(
        f"{path.name} is neither a directory nor a .gguf file",
        where=str(path),
        fix=f"give the checkpoint's directory, {path.parent}",
    )


def _on_cluster(given: str, reach: bool) -> ModelSource | None:
    """A directory on a cluster by its copy; None when the text is no such address."""
    from .remote import copy as remote_copy
    from .remote.address import address_of

    address = address_of(given)
    if address is None:
        return None
    if reach:
        from .remote.fetch import fetch

        copy, note = fetch(address)
    else:
        before = remote_copy.find(address.host, address.path)
        if before is None:
            raise CheckpointError(
                f"{address.path} lies on {address.host} and was not read yet",
                where=given,
                fix=f"call read_model_config(model={given!r}): it reads the config files and headers there and keeps them",
            )
        copy, note = before, remote_copy.describe(before)
    return ModelSource(
        "checkpoint", given, copy.path, listing=copy.listing, note=note, remote=str(address), remote_root=copy.root
    )


def _told(text: str, source: ModelSource) -> str:
    return text.replace(str(source.path), source.remote).replace(".safetensors.header", ".safetensors")


def _directory(given: str, path: Path, names: list[str], handle: str = "") -> ModelSource:
    kind: Literal["checkpoint", "hf_handle"] = "hf_handle" if handle else "checkpoint"
    if "config.json" in names:
        return ModelSource(kind, given, path, handle)
    megatron_layout.refuse_parent(path, names)
    if megatron_layout.is_iteration(path, names):
        return ModelSource(kind, given, path, handle, megatron=True)
    ggufs = [n for n in names if n.lower().endswith(".gguf") and "mmproj" not in n.lower()]
    firsts = [n for n in ggufs if not (part := _GGUF_PART.search(n)) or int(part[1]) == 1]
    if len(firsts) == 1:
        return ModelSource(kind, given, path, handle, gguf=path / firsts[0])
    if ggufs:
        raise CheckpointError(
            f"{path.name} holds {len(firsts)} GGUF models",
            where=str(path),
            fix="name the file: " + ", ".join([str(path / n) for n in (firsts or ggufs)[:MAX_NAMED]]),
        )
    # Left to the reader of config.json, whose message then names the file that is missing.
    return ModelSource(kind, given, path, handle)


def _handle(handle: str, reach_hub: bool) -> ModelSource:
    from .hub import copy as hub_copy
    from .hub import fetch as hub
    from .hub import settings as hub_settings

    repo = hub_cache() / ("models--" + handle.replace("/", "--"))
    snapshot = _snapshot(repo)
    cached = _in_cache(handle, snapshot) if snapshot else None
    if cached is not None:
        return cached
    if reach_hub:
        copy, note = hub.fetch(handle, tried=f"the local hub cache, {repo}")
    else:
        kept = hub_copy.find(handle, hub_settings.shown(hub_settings.endpoint()))
        if kept is None:
            raise CheckpointError(
                f"The handle {handle} is not on this machine, so its config cannot be read"
                + (": its cached snapshot has no config.json" if snapshot else ""),
                where=str(snapshot or repo),
                fix="download it first, give a path, or evaluate it by handle with values from its model card",
            )
        copy, note = kept, hub.describe(kept)
    return ModelSource("hf_handle", handle, copy.path, handle, revision=copy.commit, listing=copy.listing, note=note)


def _in_cache(handle: str, snapshot: Path) -> ModelSource | None:
    """The model of a cached snapshot, or None when there is too little of it: neither a config.json nor a GGUF file."""
    try:
        names = sorted(p.name for p in snapshot.iterdir())
    except OSError as error:
        raise CheckpointError(
            f"The cached copy of {handle} cannot be read: {error.strerror}", where=str(snapshot)
        ) from None
    if "config.json" not in names and not any(n.lower().endswith(".gguf") for n in names):
        return None
    weights = any(n.lower().endswith((".safetensors", ".gguf", ".bin", ".pt", ".pth")) for n in names)
    note = f"the local hub cache's copy, commit {snapshot.name[:12]}" + ("" if weights else ", which holds no weights")
    return replace(_directory(handle, snapshot, names, handle), revision=snapshot.name, note=note)


def _snapshot(repo: Path) -> Path | None:
    snapshots = repo / "snapshots"
    try:
        commit = (repo / "refs" / "main").read_text(encoding="ascii").strip()
        if re.fullmatch(r"[0-9a-f]{7,64}", commit) and (snapshots / commit).is_dir():
            return snapshots / commit
    except (OSError, ValueError):
        pass  # no refs/main: a snapshot may have been fetched by its commit
    try:
        held = [p for p in snapshots.iterdir() if p.is_dir()]
        return max(held, key=lambda p: p.stat().st_mtime, default=None)
    except OSError:
        return None
